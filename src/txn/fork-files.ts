/**
 * Output files that a fork under way has made on the host. A word `files RUN-ID` in the table `meta`, of the first run that it makes. docs/formats/run.md is the page.
 *
 *   files written aside ─► commit of the word ─► each takes its name ─► commit of the fork, without the word
 *                                    └─ crash ─► whoever opens the store next removes the files and the word
 *
 * Invariants: a file is told by what its maker knew of it, so one that somebody else made or changed is never taken for it; the word of a living maker is left alone.
 * What this does NOT do: touch files (session/fork-files.ts).
 */
import { limits, StillpointError, type Digests } from '../core/index.ts';
import type { RunId } from '../journal/index.ts';
import type { StoreDelete, StoreExpectation, StorePut } from '../store/index.ts';
import { readOwner, writeOwner, type Owner, type StoreContext } from './ownership.ts';
import { decodeRecord, encodeRecord, type RecordKind } from './record.ts';

export interface ForkFile {
  readonly path: string;
  readonly device: bigint;
  readonly inode: bigint;
  readonly sizeBytes: number;
  /** Of its last change of content, since 1970. */
  readonly modifiedNanoseconds: bigint;
}
export interface ForkFiles { readonly owner: Owner; readonly files: readonly ForkFile[] }

const KIND: RecordKind = { format: 'stillpoint-fork-files', version: 1, damaged: 'E_STORE_CORRUPT' };
/** Of all runs of a cluster. */
const FILES_MAX = 65_536;
const WORDS = { from: new TextEncoder().encode('files '), to: new TextEncoder().encode('files!') };
const WORD = /^files ([0-9a-f]{32})$/;

function key(run: RunId): Uint8Array {
  return new TextEncoder().encode(`files ${run}`);
}

export function forkFilesPut({ digests }: Pick<StoreContext, 'digests'>, run: RunId, { owner, files }: ForkFiles): StorePut {
  const rows = files.map(({ path, device, inode, sizeBytes, modifiedNanoseconds }, index) => [String(index).padStart(5, '0'), { path, device, inode, size: sizeBytes, modified: modifiedNanoseconds }] as const);
  return { table: 'meta', key: key(run), value: encodeRecord(digests, KIND, { run, owner: writeOwner(owner), files: Object.fromEntries(rows) }) };
}

export function forkFilesDelete(run: RunId): StoreDelete {
  return { table: 'meta', key: key(run) };
}

/** Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function decodeForkFiles(digests: Digests, run: RunId, bytes: Uint8Array): ForkFiles {
  const fields = decodeRecord(digests, KIND, { bytes, subject: { run } });
  if (fields.text('run', 32) !== run) throw fields.fail('is of another run');
  const owner = readOwner(fields.object('owner'));
  const files = [...fields.map('files', FILES_MAX, (row): ForkFile => {
    const file = { path: row.text('path', limits.PATH_BYTES_MAX), device: row.wide('device'), inode: row.wide('inode'), sizeBytes: row.count('size'), modifiedNanoseconds: row.wide('modified') };
    row.end();
    return file;
  }).values()];
  fields.end();
  return { owner, files };
}

export interface ForkFilesWord extends ForkFiles { readonly expectation: StoreExpectation }

/** All words that can be read, with what a commit that removes one expects; damaged ones are fsck's. */
export function forkFilesWords({ store, digests }: StoreContext): readonly ForkFilesWord[] {
  return [...store.range('meta', WORDS)].flatMap(({ key: found, value }) => {
    const run = WORD.exec(new TextDecoder().decode(found))?.[1];
    const word = run === undefined ? undefined : readable(digests, run as RunId, value); // 32 digits.
    return word === undefined ? [] : [{ ...word, expectation: { table: 'meta', key: found, value } }];
  });
}

/** Undefined: damaged, or of a newer version. */
function readable(digests: Digests, run: RunId, value: Uint8Array): ForkFiles | undefined {
  try {
    return decodeForkFiles(digests, run, value);
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    return undefined;
  }
}

/** For fsck: false when the word is none of these. Throws as decodeForkFiles(). */
export function inspectForkFilesWord({ digests }: StoreContext, name: string, value: Uint8Array): boolean {
  const run = WORD.exec(name)?.[1];
  if (run === undefined) return false;
  decodeForkFiles(digests, run as RunId, value); // As above.
  return true;
}
