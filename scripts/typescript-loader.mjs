/**
 * Runs TypeScript files directly in development: `node --import ./scripts/typescript-loader.mjs FILE.ts`.
 * Strips types with the compiler's own transpiler; does no type checking (npm run typecheck does).
 */
import { readFileSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';

if (globalThis.stillpointLoader !== true) {
  globalThis.stillpointLoader = true;
  if (nodeModule.registerHooks === undefined) nodeModule.register(import.meta.url);
  else nodeModule.registerHooks({ load }); // From Node 26 on, register warns on stderr.
}

/** For both: hooks that `register` calls may answer at once. */
export function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const ts = nodeModule.createRequire(import.meta.url)('typescript');
  const options = { target: 'ES2022', module: 'ESNext', verbatimModuleSyntax: true };
  const source = ts.transpileModule(readFileSync(fileURLToPath(url), 'utf8'), { compilerOptions: options }).outputText;
  return { format: 'module', source, shortCircuit: true };
}
