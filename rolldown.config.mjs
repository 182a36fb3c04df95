/**
 * Joins the command line and the small packages that every start needs into few, small files: finding, reading and parsing two hundred modules took a third of the start
 * of a short program. The command is CommonJS, whose compiled code can be kept (cli/launch.ts), also of packages that stay outside; the library and the workers are modules. Packages with
 * native code stay outside, and what few use. Licence comments stay in.
 */
import { fileURLToPath } from 'node:url';

const INSIDE = /^(commander|hash-wasm|msgpackr|xxhash-wasm|yaml|zod)$/;
const isOurs = (id) => id.startsWith('.') || id.startsWith('/');

const common = {
  platform: 'node',
  external: (id) => !isOurs(id) && !INSIDE.test(id),
  resolve: { alias: { 'hash-wasm': fileURLToPath(new URL('node_modules/hash-wasm/dist/sha256.umd.min.js', import.meta.url)) } }, // The package carries thirty algorithms as text; we use one.
};
/**
 * The command is a shell's script in its first two lines and a module in the rest, because the C library must be told before it starts: one arena for all threads, so that what V8's compilers
 * free is used again instead of being kept by each of them (SQLite takes 70 MB less, in the same time). Certificates of others are none of its business: it makes no connection that
 * asks for any, and Node reads the file at each start (40 ms for a system's usual bundle). That the end of a terminal is ignored (nohup) is told on: Node forgets it (cli/stop-signals.ts).
 */
const launcher = `#!/bin/sh
':' //; unset NODE_EXTRA_CA_CERTS; while read -r key mask; do case $key$mask in SigIgn:*[13579bdf]) export STILLPOINT_NOHUP=1;; esac; done 2>/dev/null </proc/$$/status; MALLOC_ARENA_MAX="\${MALLOC_ARENA_MAX:-1}" exec node "$0" "$@"`;
const output = { dir: 'dist/bin', minify: true, comments: { legal: true, annotation: false, jsdoc: false } };

export default [
  {
    ...common, input: { library: 'dist/src/index.js', 'capture-worker': 'dist/src/session/capture-worker.js', 'collect-worker': 'dist/src/session/collect-worker.js', 'commit-child': 'dist/src/store/live/commit-child.js', 'commit-worker': 'dist/src/session/commit-worker.js', 'hash-worker': 'dist/src/session/hash-worker.js', 'hold-worker': 'dist/src/session/hold-worker.js', 'open-child': 'dist/src/store/live/open-child.js', 'replica-worker': 'dist/src/machine/replica-worker.js' },
    output: { ...output, format: 'esm', entryFileNames: '[name].js' },
  },
  { ...common, input: { stillpoint: 'dist/cli/launch.js' }, output: { ...output, format: 'esm', entryFileNames: '[name].js', postBanner: launcher } },
  { ...common, input: { command: 'dist/cli/main.js' }, output: { ...output, format: 'cjs', entryFileNames: '[name].cjs', chunkFileNames: '[name]-[hash].cjs' } },
];
