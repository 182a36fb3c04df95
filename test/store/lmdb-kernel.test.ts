/** The module that looks at LMDB's pages: its stored bytes are those that its writer writes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { KERNEL_BASE64, KERNEL_PAGE_BYTES } from '../../src/store/live/lmdb-kernel-bytes.ts';
import { kernelModule } from '../../src/store/live/lmdb-kernel-code.ts';

const FILE = join(import.meta.dirname, '../../src/store/live/lmdb-kernel-bytes.ts');

it('the stored module is the written one', () => {
  const written = Buffer.from(kernelModule(KERNEL_PAGE_BYTES)).toString('base64');
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(FILE, readFileSync(FILE, 'utf8').replace(/(?<=KERNEL_BASE64 = ')[^']*/, written));
  else expect(KERNEL_BASE64).toBe(written);
});
