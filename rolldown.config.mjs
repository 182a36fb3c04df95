/** Joins the command line into few files: loading two hundred modules took a quarter of the start of a short program. Packages stay outside. */
export default {
  input: { stillpoint: 'dist/cli/main.js', library: 'dist/src/index.js', 'capture-worker': 'dist/src/session/capture-worker.js', 'replica-worker': 'dist/src/machine/replica-worker.js' },
  platform: 'node',
  external: (id) => !id.startsWith('.') && !id.startsWith('/'),
  output: { dir: 'dist/bin', format: 'esm', entryFileNames: '[name].js' },
};
