/**
 * `stillpoint replay`: execute a recorded run again and compare every output, every checkpoint's root and the end.
 * Exit status: 0 identical, 1 diverged, 125 trouble (a damaged record is trouble, named by its own code).
 */
import type { Command } from 'commander';
import { clusterMembers, counted, replayCluster, replayRun, StillpointError, type ClusterReplay, type EngineName, type ReplayResult } from '../../src/index.ts';
import { ProgressLine } from '../progress.ts';
import { KEYS_SAYS, note, say, sayJson } from '../terminal.ts';
import { parseEngine } from './run.ts';

interface ReplayFlags {
  readonly store?: string; readonly keys?: string; readonly from?: string; readonly to?: string; readonly jobs?: string; readonly engine?: EngineName;
  readonly json?: boolean; readonly progress: boolean; readonly outputs: boolean;
}

export function addReplayCommand(program: Command): void {
  program
    .command('replay')
    .description('execute a run again from its journal and compare outputs, roots and end')
    .argument('<run>', 'name of the run, or of a cluster: all its nodes, and what they sent each other')
    .option('--store <dir>', 'the store')
    .option('--keys <file>', KEYS_SAYS)
    .option('--from <checkpoint>', 'begin at this checkpoint, number or name (its state is trusted)')
    .option('--to <checkpoint>', 'end at this checkpoint, number or name')
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
  stillpoint replay words              a whole cluster
Exit status: 0 identical, 1 diverged, 125 trouble.`)
    .action(async (name: string, flags: ReplayFlags) => {
      if ((await clusterMembers(name, flags.store)).length > 0) return replayWhole(name, flags);
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

async function replayWhole(cluster: string, flags: ReplayFlags): Promise<void> {
  for (const option of ['from', 'to', 'jobs'] as const) if (flags[option] !== undefined) throw new StillpointError('E_USAGE', `option --${option}: it is for one run, not for a whole cluster`);
  let progress: ProgressLine | undefined;
  try {
    const result = await replayCluster({ cluster, store: flags.store, keys: flags.keys, onNote: note, engine: flags.engine, comparesFiles: flags.outputs }, (node) => {
      progress?.end();
      progress = new ProgressLine(`replay ${node}`, flags.progress);
      return { onProgress: progress.update };
    });
    progress?.end();
    if (flags.json === true) sayJson(result);
    else say(clusterSummary(result));
  } finally {
    progress?.end();
  }
}

function clusterSummary({ cluster, nodes, channels, bytes }: ClusterReplay): string {
  const instructions = nodes.reduce((sum, node) => sum + node.instructions, 0n);
  return `${nodes.map((node) => `${summary(node)}\n`).join('')}${cluster}: identical. ${counted(nodes.length, 'node')}, ${instructions} instructions; ${counted(channels, 'channel')}, ${bytes} bytes equal at both ends`;
}

function summary(result: ReplayResult): string {
  const files = result.files.length === 0 ? '' : `, ${result.files.filter((file) => file.state === 'equal').length} of ${result.files.length} output files compared`;
  return `${result.name}: identical. ${result.instructions} instructions, ${counted(result.frames, 'frame')}, ${counted(result.outputs, 'output')}, ${counted(result.checkpoints, 'checkpoint')}${files}; root ${result.root ?? 'none'}`;
}
