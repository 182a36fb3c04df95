/**
 * What `stillpoint` starts as: reads the command's scripts together with the machine code of V8's interpreter that was kept when they were built
 * (scripts/code-cache.mjs), so that a start neither parses nor compiles them. That is a third of the time of a short program.
 *
 *   NAME.cjs.cache    SHA-1 of what follows and of the script (20 bytes), then V8's data
 *
 * Invariants: a cache that is absent, damaged, of another script, or of another version of Node is passed over and the script is compiled. V8's flags are part of what V8
 * compares, so they are set first. STILLPOINT_CODE_CACHE=write makes the caches when the process ends. What this does NOT do: anything a user would see.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, Script } from 'node:vm';
import { enableWasmFeatures } from '../src/engine/live/v8-flags.ts';

interface CommonModule { exports: unknown }
type Wrapper = (exports: unknown, require: (name: string) => unknown, module: CommonModule, file: string, folder: string) => void;

const DIGEST_BYTES = 20;
const folder = dirname(fileURLToPath(import.meta.url));
const outside = createRequire(import.meta.url);
const modules = new Map<string, CommonModule>();
const scripts = new Map<string, { readonly script: Script; readonly text: string }>();

const digest = (data: Uint8Array, text: string): Buffer => createHash('sha1').update(data).update(text).digest();

/** V8's data for a script; undefined when there is none that can be trusted. */
function keptData(file: string, text: string): Buffer | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(`${file}.cache`);
  } catch {
    return undefined;
  }
  const data = bytes.subarray(DIGEST_BYTES);
  return bytes.subarray(0, DIGEST_BYTES).equals(digest(data, text)) ? data : undefined;
}

function load(name: string): unknown {
  const known = modules.get(name);
  if (known !== undefined) return known.exports;
  const module: CommonModule = { exports: {} };
  modules.set(name, module);
  const file = join(folder, name);
  const text = `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'utf8').replace(/^#!.*/, '')}\n})`;
  const script = new Script(text, { filename: file, cachedData: keptData(file, text), importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
  scripts.set(file, { script, text });
  const run = script.runInThisContext() as Wrapper;
  run.call(module.exports, module.exports, (wanted) => (wanted.startsWith('./') ? load(wanted.slice(2)) : outside(wanted)), module, file, folder);
  return module.exports;
}

function writeCaches(): void {
  for (const [file, { script, text }] of scripts) {
    const data = script.createCachedData();
    writeFileSync(`${file}.cache`, Buffer.concat([digest(data, text), data]));
  }
}

enableWasmFeatures();
if (process.env['STILLPOINT_CODE_CACHE'] === 'write') process.on('exit', writeCaches);
load('command.cjs');
