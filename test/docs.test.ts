/** Pages that must stay true: errors, version, dependencies, formats, commands of the README. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_TABLE } from '../src/core/index.ts';
import { VERSION } from '../src/session/version.ts';

const ROOT = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as { version: string; dependencies: Record<string, string>; devDependencies: Record<string, string> };

describe('documentation', () => {
  it('docs/errors.md lists exactly the codes of the table, with status and meaning, and says what to do', () => {
    const rows = read('docs/errors.md').split('\n').filter((line) => line.startsWith('| `E_'))
      .map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
    const expected = Object.entries(ERROR_TABLE).map(([code, { exit, says }]) => [`\`${code}\``, String(exit), says]);
    expect(rows.map((row) => row.slice(0, 3))).toEqual(expected);
    expect(rows.filter((row) => (row[3] ?? '').length < 5)).toEqual([]);
  });

  it('the version is the one of package.json', () => {
    expect(VERSION).toBe(manifest.version);
    expect(read('CHANGELOG.md')).toContain(`## ${manifest.version}`);
  });

  it('every dependency has its paragraph', () => {
    const text = read('docs/dependencies.md');
    const names = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];
    expect(names.filter((name) => !text.includes(`**${name}**`))).toEqual([]);
  });

  it('every link of the README leads to a page', () => {
    const targets = [...read('README.md').matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1]!);
    expect(targets.filter((target) => { try { readdirSync(join(ROOT, target)); return false; } catch { try { read(target); return false; } catch { return true; } } })).toEqual([]);
  });

  it('every scenario of the ancestor has tests that are there', () => {
    const rows = read('docs/acceptance.md').split('\n').filter((line) => /^\| \d+\. /.test(line)).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
    expect(rows.map(([scenario]) => Number.parseInt(scenario!, 10))).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    for (const [scenario, , tests] of rows) {
      const names = [...tests!.replace(/\[[^\]]*\]\([^)]*\)/g, '').matchAll(/[a-z-]+(?:\/[a-z-]*)+/g)].map(([name]) => name);
      expect(names, scenario).not.toEqual([]);
      expect(names.filter((name) => !existsSync(join(ROOT, 'test', name.endsWith('/') ? name : `${name}.test.ts`))), scenario).toEqual([]);
    }
  });
});
