/**
 * Runs a wasm32-wasi program under node:wasi: node --no-liftoff bench/wasi-run.mjs FILE [ARGUMENTS…]. The comparison of bench/speed.ts with the same C compiled
 * to WebAssembly ahead of time. It gives the program no directory.
 */
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';

const [file, ...programArguments] = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args: [file, ...programArguments], env: {}, returnOnExit: true });
const { instance } = await WebAssembly.instantiate(readFileSync(file), wasi.getImportObject());
process.exitCode = wasi.start(instance);
