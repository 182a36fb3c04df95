/** The examples of services do what their comments say. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const directory = mkdtempSync(join(tmpdir(), 'stillpoint-examples-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function play(script: string, input = ''): readonly string[] {
  const { status, stdout, stderr } = spawnSync('bash', [join(ROOT, 'examples/services', script)], { input, encoding: 'utf8', timeout: 110_000, env: { ...process.env, STILLPOINT_STORE: join(directory, 'store'), TMPDIR: directory } });
  expect(status, stderr).toBe(0);
  return stdout.trimEnd().split('\n');
}

describe('examples of services', () => {
  it('sqlite.sh', () => {
    expect(play('sqlite.sh')).toEqual([
      'memory', '- in the beginning', 'apple|10', 'pear|5', '- a request that the host refuses: SQLite has committed it already, only the machine can take it back',
      'stillpoint: E_TXN_REFUSED: the check refused the answer, and the transaction was aborted: an item is missing', 'apple|10', 'pear|5', '- a savepoint, a mistake, and back', '0', '15',
    ]);
  });

  it('shop.sh', () => {
    expect(play('shop.sh')).toEqual([
      'ok', 'sold 3 apple, 7 left', '- more than there is, and what nobody has: nothing has happened', '"code":"E_TXN_EXIT"', '"code":"E_TXN_EXIT"', 'apple 7', '- kill -9, and on', 'apple 7',
      '- the same key again: the same answer, and nothing is sold twice', 'sold 3 apple, 7 left', 'apple 7',
    ]);
  });

  // Python's start takes ten seconds of processor time. Tickets are drawn from the seeded stream: the same in every run.
  if (process.env['STILLPOINT_SLOW'] === '1') {
    it('tickets.sh', () => {
      expect(play('tickets.sh')).toEqual([
        '{"sold": "A1", "to": "Ada", "ticket": "c0ff36"}', '{"sold": "B2", "to": "Bob", "ticket": "b31a30"}', '- row C has no price: an exception, and the seat is free as before', '"code":"E_TXN_EXIT"',
        '{"A": "Ada - - -", "B": "- Bob - -", "C": "- - - -"}', '- a savepoint, a mistake, and back', '{"prices": {"A": 0, "B": 20}}', '{"A": "Ada - - -", "B": "- Bob - -", "C": "- - - -"}',
        '- kill -9, and on; the same request with the same key is done once', '{"sold": "A3", "to": "Dan", "ticket": "bed369"}', '{"sold": "A3", "to": "Dan", "ticket": "bed369"}', '{"income": 80}',
      ]);
    });
  }

  it('undo-shell.sh', () => {
    const lines = ['x=1; echo a > f; cd /', 'rm /tmp/f; x=2', 'exit 7', 'ls /tmp; echo $x; cat nothing', 'undo', 'undo', 'ls /tmp; echo $x; pwd', 'undo', 'undo', 'undo', 'exit'];
    expect(play('undo-shell.sh', lines.join('\n'))).toEqual([
      expect.stringContaining('E_TXN_EXIT'), '(has not happened)', '2', "cat: can't open 'nothing': No such file or directory", 'f', '1', '/', 'nothing to undo',
    ]);
  });
});
