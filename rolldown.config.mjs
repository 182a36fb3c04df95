/**
 * Joins the command line and the small packages that every start needs into few, small files: finding, reading and parsing two hundred modules took a third of the start
 * of a short program. Packages with native code or for few commands stay outside. Licence comments stay in.
 */
import { fileURLToPath } from 'node:url';

const INSIDE = /^(commander|hash-wasm|msgpackr|xxhash-wasm)$/;
const isOurs = (id) => id.startsWith('.') || id.startsWith('/');

export default {
  input: { stillpoint: 'dist/cli/main.js', library: 'dist/src/index.js', 'capture-worker': 'dist/src/session/capture-worker.js', 'replica-worker': 'dist/src/machine/replica-worker.js' },
  platform: 'node',
  external: (id) => !isOurs(id) && !INSIDE.test(id),
  resolve: { alias: { 'hash-wasm': fileURLToPath(new URL('node_modules/hash-wasm/dist/sha256.umd.min.js', import.meta.url)) } }, // The package carries thirty algorithms as text; we use one.
  output: { dir: 'dist/bin', format: 'esm', entryFileNames: '[name].js', minify: true, comments: { legal: true, annotation: false, jsdoc: false } },
};
