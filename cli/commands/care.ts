/**
 * The verbs that look after a store: gc.
 */
import { InvalidArgumentError, type Command } from 'commander';
import { collectStore, StillpointError } from '../../src/index.ts';
import { say, sayJson, scaled } from '../terminal.ts';
import { StatusLine } from '../progress.ts';

interface Flags { readonly store?: string; readonly json?: boolean; readonly progress: boolean }

export function addCareCommands(program: Command): void {
  addGc(program);
}

function parseCount(value: string): number {
  if (!/^[0-9]{1,6}$/.test(value)) throw new InvalidArgumentError('it is a whole number.');
  return Number(value);
}

function addGc(program: Command): void {
  program.command('gc').description('delete what no run needs; with --keep-…, drop checkpoints first').argument('[runs...]', 'runs whose checkpoints are thinned out (default: all)')
    .option('--keep-last <n>', 'keep the youngest N checkpoints of each run', parseCount).option('--keep-hourly <n>', 'keep the youngest of each of the last N hours that have any', parseCount)
    .option('--keep-daily <n>', 'the same by days', parseCount).option('--store <dir>', 'the store').option('--json', 'facts as JSON').option('--no-progress', 'no progress line')
    .addHelpText('after', `
Examples:
  stillpoint gc
  stillpoint gc --keep-last 10 --keep-hourly 24 --keep-daily 30
A checkpoint with a name or a note, and the last one of a run, always stay. Machines may go on running meanwhile.`)
    .action(async (runs: string[], flags: Flags & { readonly keepLast?: number; readonly keepHourly?: number; readonly keepDaily?: number }) => {
      const rule = { last: flags.keepLast, hourly: flags.keepHourly, daily: flags.keepDaily };
      const hasRule = Object.values(rule).some((value) => value !== undefined);
      if (runs.length > 0 && !hasRule) throw new StillpointError('E_USAGE', 'naming runs says whose checkpoints are thinned out; give a rule, too (--keep-last N)');
      const line = new StatusLine('gc', flags.progress);
      try {
        const result = await collectStore({ store: flags.store, runs, rule: hasRule ? rule : undefined, onProgress: ({ phase, reached, deleted }) => line.update(`${phase}  ${scaled(reached)} pages needed  ${scaled(deleted)} records deleted`) });
        line.end();
        if (flags.json === true) return sayJson(result);
        say(`${result.checkpoints} checkpoints dropped; ${result.pages} pages, ${result.packs} packs, ${result.nodes} nodes, ${result.blobs} blobs deleted${result.orphans === 0 ? '' : `, ${result.orphans} records of no run`}; the store takes ${scaled(result.fileBytes)}B`);
      } finally {
        line.end();
      }
    });
}
