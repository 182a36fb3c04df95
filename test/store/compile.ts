/**
 * Node 20 cannot run TypeScript: puts a child process and the sources that it needs into one JavaScript file, once for dozens of children (the loader in scripts/ would load the
 * compiler in each of them, and they would read a file for each module).
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'rolldown';

const ROOT = resolve(import.meta.dirname, '../..');
const isOurs = (id: string): boolean => id.startsWith('.') || id.startsWith('/');

/** Path of the compiled `entry` (relative to the repository), in a directory that is made. */
export async function compileFor(entry: string, into: string): Promise<string> {
  mkdirSync(into, { recursive: true });
  writeFileSync(join(into, 'package.json'), '{"type":"module"}');
  symlinkSync(join(ROOT, 'node_modules'), join(into, 'node_modules'));
  const file = join(into, 'child.js');
  await build({ input: join(ROOT, entry), platform: 'node', external: (id) => !isOurs(id), logLevel: 'silent', output: { file, format: 'esm' } });
  return file;
}
