/**
 * `stillpoint replay`: execute a recorded run again and compare every output, every checkpoint's root and the end.
 * Exit status: 0 identical, 1 diverged, 125 trouble (a damaged record is trouble, named by its own code).
 */
import type { Command } from 'commander';
import { replayRun, type EngineName, type ReplayResult } from '../../src/index.ts';
import { ProgressLine } from '../progress.ts';
import { say, sayJson } from '../terminal.ts';
import { parseEngine } from './run.ts';

interface ReplayFlags {
  readonly store?: string; readonly from?: string; readonly to?: string; readonly jobs?: string; readonly engine?: EngineName;
  readonly json?: boolean; readonly progress: boolean; readonly outputs: boolean;
}

export function addReplayCommand(program: Command): void {
  program
    .command('replay')
    .description('execute a run again from its journal and compare outputs, roots and end')
    .argument('<run>', 'name of the run')
    .option('--store <dir>', 'the store')
    .option('--from <checkpoint>', 'begin at this checkpoint (its state is trusted)')
    .option('--to <checkpoint>', 'end at this checkpoint')
    .option('--jobs <count>', 'verify that many stretches between checkpoints at once')
    .option('--engine <engine>', 'translate, wasm or interpret (default: translate; the same bits, another speed)', parseEngine)
    .option('--no-outputs', 'do not compare the output files on this host')
    .option('--json', 'facts as JSON')
    .option('--no-progress', 'no progress line')
    .addHelpText('after', `
Examples:
  stillpoint replay sort
  stillpoint replay sort --from 3 --to 5
  stillpoint replay sort --jobs 2
Exit status: 0 identical, 1 diverged, 125 trouble.`)
    .action(async (name: string, flags: ReplayFlags) => {
      const progress = new ProgressLine(`replay ${name}`, flags.progress);
      try {
        const result = await replayRun({ name, store: flags.store, from: flags.from, to: flags.to, jobs: flags.jobs, engine: flags.engine, comparesFiles: flags.outputs }, { onProgress: progress.update });
        progress.end();
        if (flags.json === true) sayJson(result);
        else say(summary(result));
      } finally {
        progress.end();
      }
    });
}

function summary(result: ReplayResult): string {
  const files = result.files.length === 0 ? '' : `, ${result.files.filter((file) => file.state === 'equal').length} of ${result.files.length} output files compared`;
  return `${result.name}: identical. ${result.instructions} instructions, ${result.frames} frames, ${result.outputs} outputs, ${result.checkpoints} checkpoints${files}; root ${result.root ?? 'none'}`;
}
