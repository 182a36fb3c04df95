/**
 * The verbs of clusters: plan shows what a cluster manifest would run, up runs it, pipe runs a line of programs; cluster-process is what `up` starts.
 */
import { createReadStream, createWriteStream, fstatSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { InvalidArgumentError, type Command } from 'commander';
import { counted, hostTrouble, missingPrograms, readClusterPlan, readPipePlan, runClusterProcess, standardInput, standardInputFile, temporaryDirectory, upCluster, type ClusterPlan, type PlannedNode, type UpRequest, type UpResult } from '../../src/index.ts';
import { statusDetails, statusText } from '../cluster-status.ts';
import { StatusLine } from '../progress.ts';
import { statusOfSignal } from '../signal-names.ts';
import { stopOnSignals } from '../stop-signals.ts';
import { note, say, sayJson, scaled, table, toJson, writeReport } from '../terminal.ts';
import { collect } from './run.ts';

interface UpFlags { readonly store?: string; readonly name?: string; readonly processes?: number; readonly resume?: boolean; readonly bind: string[]; readonly report?: string; readonly ephemeral?: boolean; readonly keys?: string; readonly json?: boolean; readonly progress: boolean; readonly logs: boolean }
interface PipeFlags { readonly image: string[]; readonly store?: string; readonly name?: string; readonly in?: string; readonly out?: string; readonly processes?: number; readonly progress: boolean }

interface PlanFlags { readonly json?: boolean; readonly processes?: number }

export function addClusterCommands(program: Command): void {
  addPlan(program);
  addUp(program);
  addPipe(program);
  program.command('cluster-process', { hidden: true }).description('a process of a cluster; started by up').argument('<cluster>', 'for whoever lists processes').argument('<number>', 'of the process, as plan shows it').action(() => runClusterProcess());
}

function addUp(program: Command): void {
  program
    .command('up')
    .description('run a cluster: many machines with channels between them')
    .argument('<file>', 'the cluster manifest (YAML or JSON)')
    .option('--store <dir>', 'the store')
    .option('--resume', 'go on with a cluster that was stopped')
    .option('--bind <node:channel=file>', 'with --resume, where a file lies now; /OLD/DIR=NEW/DIR for all that lie below a directory', collect, [])
    .option('--name <name>', 'another name of the cluster')
    .option('--processes <n>', 'another number of processes', parseProcesses)
    .option('--keys <file>', 'the key file that the agents of other hosts have, too')
    .option('--ephemeral', 'keep nothing: no journals, no checkpoints; a killed process ends the cluster')
    .option('--report <file>', 'write the reports of all nodes as JSON')
    .option('--json', 'print the reports of all nodes as JSON when the cluster ends, stops or fails')
    .option('--no-logs', 'do not show what the nodes print')
    .option('--no-progress', 'do not show nodes and channels on a terminal')
    .addHelpText('after', `
Examples:
  stillpoint up words.yaml
  stillpoint up words.yaml --resume        after Ctrl-C, a power cut, or when the coordinator was killed
  stillpoint up words.yaml --resume --bind /home/a/words=. --bind map-0:text=/data/part-0.txt       the files have moved
A node is the run CLUSTER.GROUP-I: show, log and replay work on it, without its peers.
A killed process is started again; a node that fails ends the cluster. Exit status: 0 when all nodes ended with 0.`)
    .action(async (file: string, flags: UpFlags) => {
      const plan = await readClusterPlan({ file, processes: flags.processes, name: flags.name, isForRun: true, store: flags.store, isEphemeral: flags.ephemeral });
      const tell = (result: UpResult): void => {
        const report = reportOf(plan, result);
        if (flags.report !== undefined) writeReport(flags.report, report);
        if (flags.json === true) say(toJson(report));
      };
      const result = await drive(plan, { store: flags.store, keys: flags.keys, isResume: flags.resume === true, bind: flags.bind, progress: flags.progress, logs: flags.logs, linesTo: flags.json === true ? process.stderr : process.stdout, onFailed: tell });
      tell(result);
      const given = (['name', 'store', 'keys'] as const).map((option) => (flags[option] === undefined ? '' : ` --${option} ${flags[option]}`)).join('');
      finish(plan, result, plan.isEphemeral ? undefined : `stillpoint up ${file}${given} --resume`);
    });
}

function addPipe(program: Command): void {
  program
    .command('pipe')
    .description("run a line of programs, the standard output of each being the next one's input")
    .argument('<stages...>', "'PROGRAM ARG…' for each")
    .option('--store <dir>', 'the store')
    .option('--name <name>', 'keep the runs under this name (default: keep nothing)')
    .option('--image <source[:mount]>', 'an image below the files of every stage (repeatable, the last on top): a name of the store, or a path with a slash; programs without a slash are looked up there', collect, [])
    .option('--in <file>', "the first program's standard input (default: this command's)")
    .option('--out <file>', "the last program's standard output (default: this command's, when all have ended)")
    .option('--processes <n>', 'number of processes (default: one for each processor)', parseProcesses)
    .option('--no-progress', 'no progress line')
    .addHelpText('after', `
Examples:
  stillpoint pipe 'gen.elf 1000' 'sort.elf -n' 'uniq.elf -c' > counts
  stillpoint pipe --image ./debian.tar 'grep -v ^#' 'sort -u' < hosts`)
    .action(async (stages: string[], flags: PipeFlags) => {
      const directory = temporaryDirectory();
      process.once('exit', () => { rmSync(directory, { recursive: true, force: true }); }); // Also when nobody reads our output any more.
      await runPipe(stages, flags, directory);
    });
}

async function runPipe(stages: readonly string[], flags: PipeFlags, directory: string): Promise<void> {
  const name = flags.name ?? 'pipe';
  const { store } = flags;
  const logs = flags.name === undefined ? join(directory, 'logs') : `${name}.logs`;
  const input = flags.in ?? await ownInput(directory);
  const output = flags.out ?? join(directory, 'output');
  const plan = await readPipePlan({ stages, images: flags.image, name, logs, input, output, processes: flags.processes, store, isEphemeral: flags.name === undefined });
  const result = await drive(plan, { store, isResume: false, progress: flags.progress, logs: true, linesTo: process.stderr });
  if (flags.out === undefined) await sayFile(output);
  if (result.kind === 'stopped') finish(plan, result, undefined);
}

/** However large it is. A reader that goes away ends the process (main.ts). */
async function sayFile(path: string): Promise<void> {
  for await (const bytes of createReadStream(path)) if (!process.stdout.write(bytes)) await new Promise((resolve) => { process.stdout.once('drain', resolve); });
}

/** Standard input as a file that a machine can read again: the file it is, or all that is to come of it. */
async function ownInput(directory: string): Promise<string | undefined> {
  const whole = standardInputFile();
  if (whole !== undefined) return whole;
  if (fstatSync(0).isCharacterDevice()) return undefined;
  const path = join(directory, 'input');
  await pipeline(standardInput(), createWriteStream(path)).catch((cause: unknown) => { throw hostTrouble(`standard input cannot be kept in ${path}`, cause); });
  return path;
}

/** Runs a plan with progress and logs; Ctrl-C stops it at a resumable point. */
async function drive(plan: ClusterPlan, how: { readonly store: string | undefined; readonly keys?: string | undefined; readonly isResume: boolean; readonly bind?: readonly string[]; readonly progress: boolean; readonly logs: boolean; readonly linesTo: NodeJS.WriteStream; readonly onFailed?: UpRequest['onFailed'] }): Promise<UpResult> {
  const stop = stopOnSignals();
  const line = new StatusLine(plan.name, how.progress);
  const request: UpRequest = {
    plan, store: how.store, keys: how.keys, isResume: how.isResume, bind: how.bind, entry: [process.argv[1]!, 'cluster-process'], stopRequested: stop.requested, onFailed: how.onFailed,
    onStatus: (status) => { line.update(() => statusText(status), (linesMax) => statusDetails(plan, status, linesMax)); },
    onNote: note,
    onLine: (node, stream, text) => {
      if (!how.logs) return;
      line.end();
      (stream === 'err' ? process.stderr : how.linesTo).write(`${node} | ${text}\n`);
    },
  };
  try {
    return await upCluster(request);
  } finally {
    line.end();
    stop.end();
  }
}

function reportOf(plan: ClusterPlan, { kind, reason, status, counters, milliseconds }: UpResult): object {
  const dropped: Record<string, number> = {};
  for (const counter of counters) for (const [what, count] of Object.entries(counter.dropped)) dropped[what] = (dropped[what] ?? 0) + count;
  const sum = (pick: (counter: UpResult['counters'][number]) => number): number => counters.reduce((total, counter) => total + pick(counter), 0);
  const envelopes = { sent: sum((counter) => counter.sent), received: sum((counter) => counter.received), bytesSent: sum((counter) => counter.bytesSent), bytesReceived: sum((counter) => counter.bytesReceived), dropped };
  return { cluster: plan.name, kind, reason, restarts: status.restarts, dissents: status.dissents, milliseconds, envelopes, nodes: status.nodes.map(({ name, state, instructions, root, report }) => ({ node: name, state, instructions, root, ...report })) };
}

function finish(plan: ClusterPlan, { kind, reason, status, milliseconds }: UpResult, goOn: string | undefined): void {
  for (const { node, what } of status.dissents) note(`replica ${node} was outvoted: ${what}`);
  if (kind === 'stopped') {
    note(`cluster ${plan.name} stopped (${reason})${goOn === undefined ? '' : `; go on with: ${goOn}`}`);
    process.exitCode = statusOfSignal(reason);
    return;
  }
  const instructions = status.nodes.reduce((total, node) => total + Number(node.instructions), 0);
  note(`cluster ${plan.name}: ${counted(status.nodes.length, 'node')} ended, ${scaled(instructions)} instructions, ${counted(status.restarts, 'restart')}, ${(milliseconds / 1000).toFixed(1)} s`);
}

function parseProcesses(value: string): number {
  const count = Number(value);
  if (!/^[0-9]{1,3}$/.test(value) || count < 1) throw new InvalidArgumentError('it is a number of processes.');
  return count;
}

function addPlan(program: Command): void {
  program
    .command('plan')
    .description('show what a cluster manifest would run, without running it')
    .argument('<file>', 'the cluster manifest (YAML or JSON)')
    .option('--processes <n>', 'another number of processes', parseProcesses)
    .option('--json', 'facts as JSON')
    .addHelpText('after', '\nExample:\n  stillpoint plan sort.yaml')
    .action(async (file: string, flags: PlanFlags) => {
      const plan = await readClusterPlan({ file, processes: flags.processes });
      if (flags.json === true) sayJson(planFacts(plan));
      else sayPlan(plan);
      for (const [program, nodes] of missingPrograms(plan)) note(`there is no program ${program} yet (${nodes[0]}${nodes.length > 1 ? ` and ${nodes.length - 1} more` : ''})`);
    });
}

/** The plan with maps as objects. */
function planFacts(plan: ClusterPlan): object {
  return { ...plan, nodes: plan.nodes.map((node) => ({ ...node, bindings: { program: node.bindings.program, channels: Object.fromEntries(node.bindings.channels) } })) };
}

function sayPlan(plan: ClusterPlan): void {
  const security = plan.isEncrypted ? `${plan.transport}, encrypted` : plan.transport;
  say(`cluster ${plan.name}: ${counted(plan.nodes.length, 'node')} in ${counted(plan.processes, 'process')}, ${counted(plan.links.length, 'channel')} (${security}), logs in ${plan.logs}`);
  const isPlaced = plan.hosts.length > 0;
  say(table(['NODE', ...(isPlaced ? ['HOST'] : []), 'PROCESS', 'PROGRAM', 'READS', 'WRITES', 'ARGUMENTS'], plan.nodes.map((node) => [
    node.name, ...(isPlaced ? [node.host ?? 'local'] : []), String(node.process), node.manifest.programName, channelsOf(node, true), channelsOf(node, false), node.manifest.arguments.slice(1).join(' '),
  ])));
}

/** Peers by group, `map 0-19`, and files by name. */
function channelsOf(node: PlannedNode, reads: boolean): string {
  const groups = new Map<string, number[]>();
  const files: string[] = [];
  for (const spec of node.manifest.channels.filter((channel) => channel.reads === reads && !/^std(in|out|err)$/.test(channel.name))) {
    const [, group, index] = /^(?:in|out)\/(.*)-([0-9]+)$/.exec(spec.name) ?? [];
    if (group === undefined) files.push(spec.name);
    else groups.set(group, [...(groups.get(group) ?? []), Number(index)]);
  }
  return [...[...groups].map(([group, indices]) => `${group}-${ranges(indices)}`), ...files].join(' ');
}

/** 0 1 2 5 → `0..2,5`. */
function ranges(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const found: [number, number][] = [];
  for (const number of sorted) {
    const last = found.at(-1);
    if (last !== undefined && last[1] + 1 === number) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? String(first) : `${first}..${last}`)).join(',');
}
