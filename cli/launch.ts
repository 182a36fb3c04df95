/**
 * What `stillpoint` starts as: reads the command's scripts, and those of the packages beside them, together with the machine code of V8's interpreter that was kept when they were built
 * (scripts/code-cache.mjs), so that a start neither parses nor compiles them. That is a third of the time of a short program.
 *
 *   NAME.cjs.cache                SHA-1 of the processor's kind, of what follows and of the script (20 bytes), then V8's data
 *   PACKAGE+FOLDER+NAME.cache     the same, of a CommonJS script of a package
 *
 * Invariants: a cache that is absent, damaged, of another script, of another version of Node or kind of processor is passed over and the script is compiled, one of a package by Node's own loader. V8's flags
 * are part of what V8 compares, so they are set first. STILLPOINT_CODE_CACHE=write makes the caches that are not there when the process ends. What this does NOT do: anything a user would see.
 */
import { isAscii } from 'node:buffer';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { constants, Script } from 'node:vm';
import { enableWasmFeatures, PATIENCE } from '../src/engine/live/v8-flags.ts';

interface CommonModule { exports: unknown; readonly filename: string }
type Require = (name: string) => unknown;
type Wrapper = (exports: unknown, require: Require, module: CommonModule, file: string, folder: string) => void;
interface Source { readonly file: string; readonly bytes: Buffer; readonly cache: string; readonly data: Buffer | undefined }

const DIGEST_BYTES = 20;
const PACKAGES = '/node_modules/';
const ownFolder = dirname(fileURLToPath(import.meta.url));
const isWriting = process.env['STILLPOINT_CODE_CACHE'] === 'write';
const modules = new Map<string, CommonModule>();
const made: { readonly script: Script; readonly source: Source }[] = [];

const digest = (data: Uint8Array, script: Uint8Array): Buffer => createHash('sha1').update(process.arch).update(data).update(script).digest();

function readSource(file: string, cache: string): Source {
  const bytes = readFileSync(file);
  return { file, bytes, cache, data: keptData(cache, bytes) };
}

/** V8's data for a script; undefined when there is none that can be trusted. */
function keptData(cache: string, script: Uint8Array): Buffer | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(cache);
  } catch {
    return undefined;
  }
  const data = bytes.subarray(DIGEST_BYTES);
  return bytes.subarray(0, DIGEST_BYTES).equals(digest(data, script)) ? data : undefined;
}

function load(source: Source): unknown {
  const { file, bytes, data } = source;
  const module: CommonModule = { exports: {}, filename: file };
  modules.set(file, module);
  // A script of one byte a character is read four times as fast; it is one, but for names in licences.
  const text = `(function (exports, require, module, __filename, __dirname) {${bytes.toString(isAscii(bytes) ? 'latin1' : 'utf8').replace(/^#!.*/, '')}\n})`;
  const script = new Script(text, { filename: file, cachedData: data, importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
  made.push({ script, source });
  const run = script.runInThisContext() as Wrapper;
  run.call(module.exports, module.exports, requireFrom(file), module, file, dirname(file));
  return module.exports;
}

function requireFrom(file: string): Require {
  const nodes = createRequire(file);
  const isOwn = dirname(file) === ownFolder;
  const require = (name: string): unknown => {
    if (isOwn && name.startsWith('./')) return loadOwn(name.slice(2));
    if (isBuiltin(name)) return nodes(name);
    const resolved = nodes.resolve(name);
    const source = modules.has(resolved) ? undefined : sourceOfPackage(resolved);
    if (source !== undefined) return load(source);
    return modules.get(resolved)?.exports ?? nodes(resolved);
  };
  return Object.assign(require, { resolve: nodes.resolve });
}

function loadOwn(name: string): unknown {
  const file = join(ownFolder, name);
  return modules.get(file)?.exports ?? load(readSource(file, `${file}.cache`));
}

/** A script of a package that is read here and not by Node's loader: one whose code is kept, or is to be. */
function sourceOfPackage(file: string): Source | undefined {
  const from = file.lastIndexOf(PACKAGES);
  if (from < 0 || !/\.c?js$/.test(file)) return undefined;
  const cache = join(ownFolder, `${file.slice(from + PACKAGES.length).replaceAll('/', '+')}.cache`);
  if (!existsSync(cache) && !(isWriting && isCommonJs(file))) return undefined;
  const source = readSource(file, cache);
  return source.data === undefined && !isWriting ? undefined : source;
}

function isCommonJs(file: string): boolean {
  if (extname(file) === '.cjs') return true;
  let folder = dirname(file);
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { readonly type?: string }).type !== 'module';
}

function writeCaches(): void {
  for (const { script, source: { cache, bytes } } of made) {
    if (existsSync(cache)) continue;
    const data = script.createCachedData();
    writeFileSync(cache, Buffer.concat([digest(data, bytes), data]));
  }
}

enableWasmFeatures();
setFlagsFromString(PATIENCE);
if (isWriting) process.on('exit', writeCaches);
loadOwn('command.cjs');
