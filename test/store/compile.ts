/**
 * Node 20 cannot run TypeScript: turns the sources that a child process needs into JavaScript in a temporary directory, once for dozens of
 * children (the loader in scripts/ would load the compiler in each of them).
 */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(import.meta.dirname, '../..');
const OPTIONS: ts.CompilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, rewriteRelativeImportExtensions: true, verbatimModuleSyntax: true };

/** Path of the compiled `entry` (relative to the repository), with everything in `folders` beside it. */
export function compileFor(entry: string, folders: readonly string[], into: string): string {
  const files = folders.flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))).filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));
  for (const file of [entry, ...files]) {
    const target = join(into, file.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, ts.transpileModule(readFileSync(join(ROOT, file), 'utf8'), { compilerOptions: OPTIONS, fileName: file }).outputText);
  }
  writeFileSync(join(into, 'package.json'), '{"type":"module"}');
  symlinkSync(join(ROOT, 'node_modules'), join(into, 'node_modules'));
  return join(into, entry.replace(/\.ts$/, '.js'));
}
