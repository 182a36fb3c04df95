/**
 * The layer table of ARCHITECTURE.md, enforced: imports go down the table and through index.ts, no cycles, no dead files, no banned names in pure
 * folders, no function over 70 lines, no file over 800 (over 400 only with a reason in its header).
 */
import { readFileSync, readdirSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, posix, relative, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const FUNCTION_LINES_MAX = 70;
const FILE_LINES_SOFT = 400;
const FILE_LINES_MAX = 800;

interface Layer { readonly folder: string; readonly imports: readonly string[]; readonly outside: string }

function readLayers(): readonly Layer[] {
  const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  const rows = text.split('\n').filter((line) => /^\|\s*\d+\s*\|\s*src\//.test(line));
  return rows.map((row) => {
    const cells = row.split('|').map((cell) => cell.trim());
    return { folder: cells[2]!.replace('src/', ''), imports: cells[4] === '–' ? [] : cells[4]!.split(' '), outside: cells[5]! };
  });
}

function sourceFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort();
}

interface Import { readonly specifier: string; readonly target: string | undefined }

function importsOf(file: string): readonly Import[] {
  const specifiers: string[] = [];
  const visit = (node: ts.Node): void => {
    const isStatic = (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier);
    if (isStatic) specifiers.push((node.moduleSpecifier as ts.StringLiteral).text);
    const argument = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword ? node.arguments[0] : undefined;
    if (argument !== undefined && ts.isStringLiteral(argument)) specifiers.push(argument.text);
    ts.forEachChild(node, visit);
  };
  visit(parse(file));
  return specifiers.map((specifier) => ({ specifier, target: specifier.startsWith('.') ? posix.normalize(posix.join(dirname(file), specifier)) : undefined }));
}

const layers = readLayers();
const files = sourceFiles('src');
const cliFiles = sourceFiles('cli');
const graph = new Map([...files, ...cliFiles].map((file) => [file, importsOf(file)]));
const folderOf = (file: string): string => file.split('/')[1]!;
const isAdapter = (file: string): boolean => file.includes('/live/');

describe('layers', () => {
  it('the table names every folder of src', () => {
    const folders = new Set(files.filter((file) => file.split('/').length > 2).map(folderOf));
    expect([...folders].filter((folder) => !layers.some((layer) => layer.folder === folder))).toEqual([]);
  });

  it('imports between folders go down the table and through index.ts', () => {
    const wrong: string[] = [];
    for (const [file, imports] of graph) {
      if (file === 'src/index.ts' || file.startsWith('cli/')) continue;
      const layer = layers.find((candidate) => candidate.folder === folderOf(file))!;
      const mayAll = layer.imports.includes('all');
      for (const { target } of imports) {
        if (target === undefined || folderOf(target) === folderOf(file)) continue;
        const isIndex = target === `src/${folderOf(target)}/index.ts`;
        const isAllowed = mayAll || layer.imports.includes(folderOf(target));
        if (!isAllowed || (!isIndex && !((mayAll || isAdapter(file)) && isAdapter(target)))) wrong.push(`${file} -> ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('the command line imports src/index.ts only; what starts it, before anything else is read, V8\'s flags', () => {
    const mayImport = (file: string): string => (file === 'cli/launch.ts' ? 'src/engine/live/v8-flags.ts' : 'src/index.ts');
    const wrong = cliFiles.flatMap((file) => graph.get(file)!.filter(({ target }) => target?.startsWith('src/') && target !== mayImport(file)).map(({ target }) => `${file} -> ${target}`));
    expect(wrong).toEqual([]);
  });

  it('outside packages appear only where the table names them', () => {
    const wrong: string[] = [];
    for (const [file, imports] of graph) {
      const layer = layers.find((candidate) => candidate.folder === folderOf(file));
      const outside = layer?.outside ?? 'node commander';
      const [plain, adapters = ''] = outside.split('(live:');
      const allowed = (isAdapter(file) ? `${plain} ${adapters}` : plain!).replace(/[(),]/g, ' ').split(/\s+/);
      for (const { specifier, target } of imports) {
        if (target !== undefined) continue;
        const isNode = specifier.startsWith('node:') || builtinModules.includes(specifier);
        const name = isNode ? 'node' : specifier;
        if (!allowed.includes(name)) wrong.push(`${file} -> ${specifier}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('no import cycles', () => {
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open') { cycles.push([...path.slice(path.indexOf(file)), file].join(' -> ')); return; }
      state.set(file, 'open');
      for (const edge of valueImports(file)) if (graph.has(edge)) visit(edge, [...path, file]);
      state.set(file, 'done');
    };
    for (const file of graph.keys()) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('every file is reached from the public API or the command line', () => {
    const reached = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const { target } of graph.get(file) ?? []) if (target !== undefined) visit(target);
    };
    ['src/index.ts', ...cliFiles].forEach(visit);
    expect(files.filter((file) => !reached.has(file))).toEqual([]);
  });
});

/** Targets of imports that exist at run time: type-only edges make no cycle. */
function valueImports(file: string): readonly string[] {
  const source = parse(file);
  const targets: string[] = [];
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue;
    const specifier = statement.moduleSpecifier;
    if (specifier === undefined || !ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) continue;
    if (ts.isImportDeclaration(statement) && isTypeOnly(statement.importClause)) continue;
    if (ts.isExportDeclaration(statement) && statement.isTypeOnly) continue;
    targets.push(posix.normalize(posix.join(dirname(file), specifier.text)));
  }
  return targets;
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const bindings = clause.namedBindings;
  return clause.name === undefined && bindings !== undefined && ts.isNamedImports(bindings) && bindings.elements.every((element) => element.isTypeOnly);
}

function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.ES2022, true);
}

describe('purity', () => {
  const pure = ['core', 'image', 'wasm', 'manifest', 'isa', 'snapshot', 'engine', 'posix', 'channel', 'store'];
  const banned = ['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'process', 'queueMicrotask', 'Intl', 'fetch', 'eval', 'Buffer'];

  it('no clock, timer, randomness or Node name in pure folders', () => {
    const found: string[] = [];
    for (const file of files.filter((candidate) => pure.includes(folderOf(candidate)) && !isAdapter(candidate))) {
      const source = parse(file);
      const visit = (node: ts.Node): void => {
        if (ts.isIdentifier(node) && banned.includes(node.text) && isGlobalUse(node)) found.push(`${file}: ${node.text}`);
        if (ts.isPropertyAccessExpression(node) && node.getText() === 'Math.random') found.push(`${file}: Math.random`);
        ts.forEachChild(node, visit);
      };
      visit(source);
    }
    expect(found).toEqual([]);
  });
});

/** Whether an identifier stands alone as a value (not a property, a member, a parameter or a declared name). */
function isGlobalUse(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isNewExpression(parent) || ts.isCallExpression(parent)) return parent.expression === node;
  return ts.isPropertyAccessExpression(parent) && parent.expression === node && !declaresLocally(node);
}

function declaresLocally(node: ts.Identifier): boolean {
  return new RegExp(`\\b(const|let|readonly|import|class)\\b[^;]*\\b${node.text}\\b|[(,{]\\s*${node.text}\\s*[:,)}?]`).test(node.getSourceFile().text);
}

describe('sizes', () => {
  const all = [...files, ...cliFiles];

  it(`functions have at most ${FUNCTION_LINES_MAX} lines (tables are exempt)`, () => {
    const long: string[] = [];
    for (const file of all.filter((candidate) => !candidate.includes('table'))) {
      const source = parse(file);
      const visit = (node: ts.Node): void => {
        if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
          const lines = source.getLineAndCharacterOfPosition(node.end).line - source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
          if (lines > FUNCTION_LINES_MAX) long.push(`${file}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1} has ${lines}`);
        }
        ts.forEachChild(node, visit);
      };
      visit(source);
    }
    expect(long).toEqual([]);
  });

  it('files stay below their limits and begin with what they are', () => {
    const wrong: string[] = [];
    for (const file of all) {
      const text = readFileSync(join(ROOT, file), 'utf8');
      const lines = text.split('\n').length;
      const header = /^(#!.*\n)?\/\*\*?[\s\S]*?\*\//.exec(text)?.[0];
      if (header === undefined) wrong.push(`${file}: no header comment`);
      const isTable = file.includes('table');
      if (!isTable && lines > FILE_LINES_MAX) wrong.push(`${file}: ${lines} lines`);
      if (!isTable && lines > FILE_LINES_SOFT && !/\blong\b|\bone file\b/i.test(header ?? '')) wrong.push(`${file}: ${lines} lines without a reason in its header`);
    }
    expect(wrong).toEqual([]);
  });
});
