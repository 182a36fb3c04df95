/** Joins the command line into few files: loading two hundred modules took a quarter of the start of a short program. Packages stay outside. */
export default {
  input: 'dist/cli/main.js',
  platform: 'node',
  external: (id) => !id.startsWith('.') && !id.startsWith('/'),
  output: { dir: 'dist/bin', format: 'esm', entryFileNames: 'stillpoint.js' },
};
