/**
 * `stillpoint run`: run a program as a deterministic machine and record it. Shares its ending (report, exit status) with `resume`.
 */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { encodeProfile, engineNamed, ENGINES, EXIT, Profile, startRun, type EngineName, type RunRequest, type SessionResult } from '../../src/index.ts';
import { ProgressLine } from '../progress.ts';
import { signalName, statusOfSignal } from '../signal-names.ts';
import { stopOnSignals } from '../stop-signals.ts';
import { checkReport, note, toJson, writeReport, writeText } from '../terminal.ts';

interface RunFlags {
  readonly store?: string; readonly name?: string; readonly ephemeral?: boolean; readonly manifest?: string;
  readonly in: string[]; readonly out: string[]; readonly append: string[]; readonly rw: string[]; readonly live: string[];
  readonly limit: string[]; readonly image: string[]; readonly env: string[]; readonly cwd?: string; readonly workdir?: string; readonly user?: string; readonly entrypoint?: string; readonly clock?: string; readonly entropy?: string; readonly schedule?: string;
  readonly memory?: string; readonly maxInstructions?: string; readonly checkpointEvery?: string; readonly keepCheckpoints?: string; readonly engine?: EngineName;
  readonly report?: string; readonly profile?: string; readonly exportLayer?: string; readonly json?: boolean; readonly progress: boolean;
}

export function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

export function parseEngine(value: string): EngineName {
  const engine = engineNamed(value);
  if (engine === undefined) throw new InvalidArgumentError(`it is one of ${ENGINES.join(', ')}.`);
  return engine;
}

export function addRunCommand(program: Command): void {
  const command = program
    .command('run')
    .description('run a program and record it; an argument @FILE gives the program that file as a channel')
    .argument('[program]', 'a riscv64 Linux program; with an image that says what runs, the first argument of that')
    .argument('[arguments...]', 'its arguments')
    .option('--store <dir>', 'the store (default: $STILLPOINT_STORE, else under $XDG_STATE_HOME)')
    .option('--name <name>', 'name of the run (default: made from the program and a number)')
    .option('--ephemeral', 'keep no record at all')
    .option('--manifest <file>', 'all of this in YAML or JSON; options on the command line win');
  addChannelOptions(command);
  addMachineOptions(command);
  command
    .passThroughOptions()
    .addHelpText('after', `
Examples:
  stillpoint run ./hello.elf
  stillpoint run --name sort --out sorted=sorted.txt ./sort.elf @big.txt -o /dev/out/sorted
  stillpoint run --ephemeral --clock virtual ./bench.elf < input > output
  stillpoint run --image app.tar --user 33:33 --env MODE=test
Sizes take K, M, G; counts take k, M, G; times take ms, s, m, h.`)
    .action(async (path: string | undefined, programArguments: string[], flags: RunFlags) => {
      const profile = prepareFiles(flags);
      const stop = stopOnSignals();
      const progress = new ProgressLine(flags.name ?? 'run', flags.progress);
      try {
        const result = await startRun(toRequest(path, programArguments, flags), { onProgress: progress.update, beforeOutput: progress.end, stopRequested: stop.requested, profile });
        progress.end();
        finish(result, { ...flags, sampled: profile });
      } finally {
        progress.end();
        stop.end();
      }
    });
}

function addChannelOptions(command: Command): void {
  command
    .option('--in <name=file>', 'input channel /dev/in/NAME', collect, [])
    .option('--out <name=file>', 'output channel /dev/out/NAME (created, truncated)', collect, [])
    .option('--append <name=file>', 'channel /dev/rw/NAME that is read anywhere and written at its end', collect, [])
    .option('--rw <name=file>', 'random-access channel /dev/rw/NAME', collect, [])
    .option('--live <name>', 'reads of this channel return what is there', collect, [])
    .option('--limit <channel:limits>', 'caps of a channel: CHANNEL:gets=N,get-bytes=N,puts=N,put-bytes=N', collect, []);
}

function addMachineOptions(command: Command): void {
  command
    .option('--image <source[:mount]>', 'a named image, tar archive, directory or OCI layout below the files of the machine (repeatable, the last on top); PROGRAM is then looked up there first', collect, [])
    .option('-e, --env <key=value>', 'environment of the program', collect, [])
    .option('-w, --workdir <dir>', 'working directory inside the machine (also --cwd)')
    .addOption(new Option('--cwd <dir>').hideHelp())
    .option('-u, --user <user>', 'who the program runs as: UID, UID:GID, or names of the image (default: what the image says, else guest)')
    .option('--entrypoint <program>', 'goes before program and arguments, instead of what the image says; empty for nothing')
    .option('--clock <clock>', 'zero, virtual[:START] or recorded (default: zero)')
    .option('--entropy <source>', 'seed:N or recorded (default: seed:0)')
    .option('--schedule <seed>', 'seed:N: another order of threads and processes, the same in every run')
    .option('--memory <size>', 'memory of the machine (default: 1G)')
    .option('--max-instructions <count>', 'cap on instructions (exit status 124)')
    .option('--checkpoint-every <interval>', 'by time (10s) or by instructions (500M) (default: 10s)')
    .option('--keep-checkpoints <rule>', 'which checkpoints stay while the run goes on: last=N,hourly=N,daily=N (default: all); as gc --keep-…, without being asked')
    .option('--engine <engine>', 'translate, wasm or interpret (default: translate; the same bits, another speed)', parseEngine)
    .option('--export-layer <file>', 'when the program has ended, write what it changed in its files as a tar archive (for --image)')
    .option('--profile <file>', 'write where the instructions went, by function: folded stacks, or speedscope JSON for a name in .json')
    .option('--report <file>', 'write facts about the run as JSON')
    .option('--json', 'print the report to stderr when the run ends')
    .option('--no-progress', 'no progress line');
}

function toRequest(path: string | undefined, programArguments: readonly string[], flags: RunFlags): RunRequest {
  return {
    program: path, arguments: programArguments, store: flags.store, name: flags.name, isEphemeral: flags.ephemeral ?? false, manifestFile: flags.manifest,
    in: flags.in, out: flags.out, append: flags.append, rw: flags.rw, live: flags.live, limit: flags.limit, image: flags.image, environment: flags.env,
    workingDirectory: flags.workdir ?? flags.cwd, user: flags.user, entrypoint: flags.entrypoint, clock: flags.clock, entropy: flags.entropy, schedule: flags.schedule, memory: flags.memory, maxInstructions: flags.maxInstructions,
    checkpointEvery: flags.checkpointEvery, keepCheckpoints: flags.keepCheckpoints, engine: flags.engine, exportLayer: flags.exportLayer, beside: filesBeside(flags),
  };
}

/** What finish() writes. */
export function filesBeside({ report, profile }: { readonly report?: string; readonly profile?: string }): RunRequest['beside'] {
  return { report, profile };
}

/** Asks before the work begins whether the files beside the run can be written; the profile to be filled when one was asked for. */
export function prepareFiles(flags: { readonly report?: string; readonly profile?: string }): Profile | undefined {
  for (const file of [flags.report, flags.profile]) if (file !== undefined) checkReport(file);
  return flags.profile === undefined ? undefined : new Profile();
}

/** What can be done behind a cap: more instructions help a recorded run, and nothing helps threads that wait for each other. */
function wayOn(cap: string, name: string | undefined): string {
  if (cap === 'deadlock') return ' (every thread waits for what cannot come)';
  return cap === 'instructions' && name !== undefined ? `; go on with a higher one: stillpoint resume ${name} --max-instructions N` : '';
}

/** Profile, report, remark and exit status of a session. */
export function finish(result: SessionResult, flags: { readonly report?: string; readonly json?: boolean; readonly profile?: string; readonly sampled: Profile | undefined }): void {
  if (flags.profile !== undefined && flags.sampled !== undefined) writeText(flags.profile, encodeProfile(flags.sampled.stacks(), { file: flags.profile, title: result.report.program }));
  if (flags.report !== undefined) writeReport(flags.report, result.report);
  if (flags.json === true) process.stderr.write(`${toJson(result.report)}\n`);
  const { end, name } = result;
  const { history } = result.report;
  const remark = flags.json === true ? () => {} : note; // The report has it.
  if (history?.trouble !== undefined) remark(`checkpoints were dropped by the rule, but the store could not be tidied (${history.trouble.code}: ${history.trouble.says})`);
  if (end.kind === 'stopped') {
    if (name !== undefined) remark(`stopped (${end.reason}); go on with: stillpoint resume ${name}`);
    process.exitCode = statusOfSignal(end.reason);
  } else if (end.outcome.kind === 'capped') {
    remark(`a cap was reached: ${end.outcome.cap}${wayOn(end.outcome.cap, name)}`);
    process.exitCode = EXIT.cap;
  } else if (end.outcome.kind === 'exited') {
    process.exitCode = end.outcome.status;
  } else {
    const { signal } = end.outcome;
    remark(`the program was ended by signal ${signal} (${signalName(signal)}) at instruction ${result.report.instructions}`);
    process.exitCode = 128 + signal;
  }
}
