/**
 * `stillpoint resume`: go on with a run after a crash, a stop or a cap.
 */
import type { Command } from 'commander';
import { resumeRun, type EngineName } from '../../src/index.ts';
import { ProgressLine } from '../progress.ts';
import { stopOnSignals } from '../stop-signals.ts';
import { collect, filesBeside, finish, parseEngine, prepareFiles } from './run.ts';

interface ResumeFlags {
  readonly store?: string; readonly maxInstructions?: string; readonly checkpointEvery?: string; readonly keepCheckpoints?: string; readonly engine?: EngineName;
  readonly have: string[]; readonly bind: string[]; readonly exportLayer?: string; readonly report?: string; readonly profile?: string; readonly json?: boolean; readonly progress: boolean;
}

export function addResumeCommand(program: Command): void {
  program
    .command('resume')
    .description('go on with a run after a crash, a stop or a cap; needs no options of the first start')
    .argument('<run>', 'name of the run')
    .option('--store <dir>', 'the store')
    .option('--max-instructions <count>', 'another cap on instructions')
    .option('--checkpoint-every <interval>', 'by time (10s) or by instructions (500M)')
    .option('--keep-checkpoints <rule>', 'another rule for which checkpoints stay: last=N,hourly=N,daily=N, or all')
    .option('--have <channel=bytes>', 'how many bytes of a pipe the reader holds: output goes on exactly there', collect, [])
    .option('--bind <channel=file>', 'the host file of a channel, when it has moved', collect, [])
    .option('--engine <engine>', 'translate, wasm or interpret (default: translate; the same bits, another speed)', parseEngine)
    .option('--export-layer <file>', 'when the program has ended, write what it changed in its files as a tar archive, as run does')
    .option('--profile <file>', 'write where the instructions went from here on, by function: folded stacks, or speedscope JSON for a name in .json')
    .option('--report <file>', 'write facts about the run as JSON')
    .option('--json', 'print the report to stderr when the run ends')
    .option('--no-progress', 'no progress line')
    .addHelpText('after', `
Examples:
  stillpoint resume sort
  stillpoint resume job --have stdout=$(stat -c %s copy.txt) >> copy.txt
Output files are put back to the last checkpoint and written on, so nothing is lost or repeated. A pipe cannot be put
back: without --have it goes on at the last committed position, and the few bytes after it may come twice.`)
    .action(async (name: string, flags: ResumeFlags) => {
      const profile = prepareFiles(flags);
      const stop = stopOnSignals();
      const progress = new ProgressLine(name, flags.progress);
      try {
        const result = await resumeRun({
          name, store: flags.store, maxInstructions: flags.maxInstructions, checkpointEvery: flags.checkpointEvery, keepCheckpoints: flags.keepCheckpoints, have: flags.have, bind: flags.bind, engine: flags.engine, exportLayer: flags.exportLayer, beside: filesBeside(flags),
        }, { onProgress: progress.update, beforeOutput: progress.end, stopRequested: stop.requested, profile });
        progress.end();
        finish(result, { ...flags, sampled: profile });
      } finally {
        progress.end();
        stop.end();
      }
    });
}
