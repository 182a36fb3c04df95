/** What LMDB and the host say of a store, in words of ours: no name of LMDB's or of an errno, and a code that says what to do. */
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { isNoSpace } from '../../src/core/index.ts';
import { engineError } from '../../src/store/live/lmdb-errors.ts';
import { fileError } from '../../src/store/live/lmdb-files.ts';

it.each<[string, number, string]>([
  ['MDB_PAGE_NOTFOUND: Requested page not found', -30797, 'E_STORE_CORRUPT'],
  ['MDB_CORRUPTED: Located page was wrong type', -30796, 'E_STORE_CORRUPT'],
  ['MDB_PANIC: Update of meta page failed or environment had fatal error', -30795, 'E_STORE_CORRUPT'],
  ['MDB_VERSION_MISMATCH: Database environment version mismatch', -30794, 'E_STORE_VERSION'],
  ['MDB_INVALID: File is not an LMDB file', -30793, 'E_STORE_CORRUPT'],
  ['MDB_MAP_FULL: Environment mapsize limit reached', -30792, 'E_STORE_WRITE'],
  ['MDB_READERS_FULL: Environment maxreaders limit reached', -30790, 'E_STORE_BUSY'],
  ['MDB_TXN_FULL: Transaction has too many dirty pages', -30788, 'E_STORE_WRITE'],
  ['MDB_BAD_TXN: Transaction must abort', -30782, 'E_STORE_WRITE'],
  ['Input/output error', 5, 'E_STORE_WRITE'],
  ['Cannot allocate memory', 12, 'E_HOST_MEMORY'],
  ['Permission denied', 13, 'E_STORE_WRITE'],
  ['Invalid argument', 22, 'E_STORE_WRITE'],
  ['Too many open files', 24, 'E_HOST_FILE'],
  ['No space left on device', 28, 'E_DISK_FULL'],
  ['Read-only file system', 30, 'E_STORE_WRITE'],
  ['Disk quota exceeded', 122, 'E_DISK_FULL'],
])('%s', (says, number, code) => {
  const error = engineError(Object.assign(new Error(says), { code: number }), { directory: tmpdir(), otherwise: 'E_STORE_WRITE' });
  expect([error.code, error.message.startsWith(`${tmpdir()}`), error.message.includes('\n'), error.message.includes(says)]).toEqual([code, true, false, false]);
  expect(error.message).not.toMatch(/MDB_/);
});

it('no room is the same wherever it is met', () => {
  for (const code of ['ENOSPC', 'EDQUOT']) {
    const cause = Object.assign(new Error(`${code}: no space left on device, write`), { code });
    expect([isNoSpace(cause), isNoSpace(code), fileError(cause, 'E_STORE_OPEN', 'a file cannot be made').code]).toEqual([true, true, 'E_DISK_FULL']);
    expect(fileError(cause, 'E_STORE_OPEN', 'a file cannot be made').message).toBe('a file cannot be made: no space is left; free some and go on');
  }
  for (const other of [new Error('ENOSPC'), Object.assign(new Error('x'), { code: 28 }), 'ENOENT', undefined]) expect(isNoSpace(other)).toBe(false);
});
