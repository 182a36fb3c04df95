/**
 * The verbs that branch a run's history and compare its points: fork, rollback, checkpoint (names and notes), diff, bisect. The first three take a
 * whole cluster by its name, too.
 */
import type { Command } from 'commander';
import {
  bisectRuns, checkpointCluster, clusterMembers, diffStates, counted, forkCluster, forkFrom, mark, rollback, rollbackCluster, StillpointError, type BranchResult, type ClusterBranch, type DiffPoint, type StateDifference,
} from '../../src/index.ts';
import { StatusLine } from '../progress.ts';
import { KEYS_SAYS, note, say, sayJson, scaled } from '../terminal.ts';
import { collect } from './run.ts';

interface Flags { readonly store?: string; readonly keys?: string; readonly json?: boolean }

export function addBranchCommands(program: Command): void {
  addFork(program);
  addRollback(program);
  addCheckpoint(program);
  addDiff(program);
  addBisect(program);
}

function addFork(program: Command): void {
  program.command('fork').description('a new run that begins where another one is, or was: RUN or RUN@CHECKPOINT').argument('<run>', 'RUN, RUN@NUMBER or RUN@NAME; @0 is before the first instruction')
    .requiredOption('--name <name>', 'name of the new run').option('--bind <channel=file>', 'the host file of a channel of the fork (outputs: FILE.NAME by default)', collect, [])
    .option('--fresh-entropy', 'a seed of its own, journaled, for the random numbers from here on').option('--store <dir>', 'the store').option('--keys <file>', KEYS_SAYS).option('--json', 'facts as JSON')
    .addHelpText('after', `
Examples:
  stillpoint fork sort --name sort-2 && stillpoint resume sort-2
  stillpoint fork game@3 --name other-luck --fresh-entropy
  stillpoint fork words@noon --name words-2 && stillpoint up words.yaml --name words-2 --resume       a whole cluster
History and state are shared with the first run; nothing that one of them does later touches the other.`)
    .action(async (from: string, flags: Flags & { readonly name: string; readonly bind: string[]; readonly freshEntropy?: boolean }) => {
      const [cluster = from, at] = from.split('@');
      if ((await clusterMembers(cluster, flags.store)).length > 0) {
        refuseForClusters({ bind: flags.bind.length > 0, 'fresh-entropy': flags.freshEntropy === true });
        const result = await forkCluster(cluster, { at, name: flags.name, store: flags.store, keys: flags.keys, onNote: note });
        return flags.json === true ? sayJson(result) : say(`${branchText(result, flags.keys)}${copies(result)}`);
      }
      const result = await forkFrom({ from, name: flags.name, store: flags.store, bind: flags.bind, freshEntropy: flags.freshEntropy ?? false });
      if (flags.json === true) return sayJson(result);
      say(`${result.name}: a fork of ${result.from} at ${place(result)}${copies(result)}`);
    });
}

function copies({ files }: { readonly files: readonly string[] }): string {
  return files.map((file) => `\n  ${file}: a copy of the output so far`).join('');
}

function branchText({ cluster, from, checkpoint, nodes }: ClusterBranch, keys: string | undefined): string {
  const place = checkpoint === undefined ? 'where it is now' : checkpoint === '0' ? 'the first instruction' : `checkpoint ${checkpoint}`;
  return cluster === from ? `${cluster}: ${counted(nodes, 'node')} back at ${place}` : `${cluster}: a fork of ${from} at ${place}, ${counted(nodes, 'node')}; go on with up MANIFEST --name ${cluster}${keys === undefined ? '' : ` --keys ${keys}`} --resume`;
}

function refuseForClusters(given: Readonly<Record<string, boolean>>): void {
  for (const [option, isGiven] of Object.entries(given)) if (isGiven) throw new StillpointError('E_USAGE', `option --${option}: it is for one run, not for a whole cluster`);
}

function addRollback(program: Command): void {
  program.command('rollback').description('put a run back to one of its checkpoints; what came after is dropped').argument('<run>', 'name of the run')
    .requiredOption('--to <checkpoint>', 'number or name; 0 is before the first instruction').option('--keep <name>', 'keep where it is now as another run')
    .option('--fresh-entropy', 'a seed of its own, journaled, for the random numbers from here on').option('--store <dir>', 'the store').option('--keys <file>', KEYS_SAYS).option('--json', 'facts as JSON')
    .addHelpText('after', `
Examples:
  stillpoint rollback job --to 3 && stillpoint resume job
  stillpoint rollback job --to before-upgrade --keep job-as-it-was
  stillpoint rollback words --to noon && stillpoint up words.yaml --resume        a whole cluster
The output files are put back when the run is resumed.`)
    .action(async (name: string, flags: Flags & { readonly to: string; readonly keep?: string; readonly freshEntropy?: boolean }) => {
      if ((await clusterMembers(name, flags.store)).length > 0) {
        refuseForClusters({ 'fresh-entropy': flags.freshEntropy === true });
        const result = await rollbackCluster(name, { to: flags.to, keep: flags.keep, store: flags.store, keys: flags.keys, onNote: note });
        for (const host of result.unresolved ?? []) note(`host ${host} has not confirmed: its nodes go back before anything else is done with them`);
        return flags.json === true ? sayJson(result) : say(`${branchText(result, flags.keys)}${flags.keep === undefined ? '' : `; kept as ${flags.keep}`}`);
      }
      const result = await rollback({ name, to: flags.to, keep: flags.keep, store: flags.store, freshEntropy: flags.freshEntropy ?? false });
      if (flags.json === true) return sayJson(result);
      say(`${result.name}: back at ${place(result)}${flags.keep === undefined ? '' : `; kept as ${flags.keep}`}`);
    });
}

function place({ checkpoint, instructions }: BranchResult): string {
  return checkpoint === 0 ? 'the first instruction' : `checkpoint ${checkpoint}, instruction ${instructions}`;
}

function addCheckpoint(program: Command): void {
  program.command('checkpoint').description('name a checkpoint or write a note on it; gc keeps it then').argument('<run>', 'RUN (its last checkpoint), RUN@NUMBER or RUN@NAME')
    .option('--name <name>', 'a name, unique in the run').option('--note <text>', 'one line').option('--store <dir>', 'the store').option('--keys <file>', KEYS_SAYS).option('--json', 'facts as JSON')
    .addHelpText('after', '\nExamples:\n  stillpoint checkpoint job --name before-upgrade\n  stillpoint checkpoint job@4 --note "after the second pass"\n  stillpoint checkpoint words --name noon        where every node of a cluster is now, running or not')
    .action(async (reference: string, flags: Flags & { readonly name?: string; readonly note?: string }) => {
      if ((await clusterMembers(reference, flags.store)).length > 0) {
        if (flags.name === undefined) throw new StillpointError('E_USAGE', 'give the checkpoint of the cluster a --name');
        const cut = await checkpointCluster(reference, { name: flags.name, note: flags.note, store: flags.store, keys: flags.keys, onNote: note });
        return flags.json === true ? sayJson(cut) : say(`${cut.cluster}@${cut.name}: ${counted(cut.nodes, 'node')}, ${scaled(Number(cut.instructions))} instructions`);
      }
      if (flags.name === undefined && flags.note === undefined) throw new StillpointError('E_USAGE', 'give the checkpoint a --name or a --note; machines take checkpoints by themselves (run --checkpoint-every)');
      const result = await mark(reference, { name: flags.name, note: flags.note }, flags.store);
      if (flags.json === true) return sayJson(result);
      say(`${result.run}@${result.checkpoint}${result.name === undefined ? '' : ` is ${result.name}`}${result.note === undefined ? '' : `: ${result.note}`}`);
    });
}

function addDiff(program: Command): void {
  program.command('diff').description('what two checkpoints have different: registers, threads, descriptors, files, memory').argument('<first>', 'RUN (its last checkpoint), RUN@NUMBER or RUN@NAME').argument('<second>', 'the same')
    .option('--store <dir>', 'the store').option('--json', 'facts as JSON')
    .addHelpText('after', '\nExamples:\n  stillpoint diff job@3 job@4\n  stillpoint diff job job-2\nExit status: 0 the same state, 1 different, 125 trouble.')
    .action(async (first: string, second: string, flags: Flags) => {
      const result = await diffStates(first, second, flags.store);
      process.exitCode = result.isSame ? 0 : 1;
      if (flags.json === true) return sayJson(result);
      say(`${point(result.first)}\n${point(result.second)}`);
      if (result.isSame) say('the same state');
      for (const area of AREAS) {
        const found = result.differences.filter((difference) => difference.area === area);
        if (found.length > 0) say(`\n${area}`);
        for (const { what, first: one, second: other } of found) say(`  ${what}: ${one ?? '(none)'} | ${other ?? '(none)'}`);
      }
    });
}

const AREAS: readonly StateDifference['area'][] = ['registers', 'threads', 'descriptors', 'files', 'memory', 'state'];

function point({ run, checkpoint, instructions, root }: DiffPoint): string {
  return `${run}@${checkpoint}  instruction ${instructions}  root ${root}`;
}

function addBisect(program: Command): void {
  program.command('bisect').description('the first instruction after which two runs of one job differ').argument('<first>', 'name of a run').argument('<second>', 'name of a run of the same job')
    .option('--store <dir>', 'the store').option('--json', 'facts as JSON').option('--no-progress', 'no progress line')
    .addHelpText('after', '\nExample:\n  stillpoint bisect job job-2\nExit status: 0 the same as far as both go, 1 different, 125 trouble. Both are executed again from their journals.')
    .action(async (first: string, second: string, flags: Flags & { readonly progress: boolean }) => {
      const line = new StatusLine('bisect', flags.progress);
      try {
        const result = await bisectRuns(first, second, flags.store, (left) => line.update(`${scaled(Number(left))} instructions left`));
        line.end();
        process.exitCode = result.differsAt === undefined ? 0 : 1;
        if (flags.json === true) return sayJson(result);
        const { common, differsAt, comparedTo } = result;
        say(common.first === 0 ? 'no checkpoint in common' : `the same at ${first}@${common.first} and ${second}@${common.second}, instruction ${common.instructions}`);
        say(differsAt === undefined ? `the same up to instruction ${comparedTo}` : `different from instruction ${differsAt} on; stillpoint log ${first} shows what came in before`);
      } finally {
        line.end();
      }
    });
}
