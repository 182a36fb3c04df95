/**
 * The command `stillpoint`: declares the verbs, runs one, turns what it throws into one line and an exit status.
 * Each verb lives in commands/NAME.ts and imports nothing but the public API.
 */
import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { Command, CommanderError, Help, type Option } from 'commander';
import { EXIT, StillpointError, VERSION } from '../src/index.ts';
import { addAgentCommands } from './commands/agent.ts';
import { addBranchCommands } from './commands/branch.ts';
import { addCareCommands } from './commands/care.ts';
import { addCcCommand } from './commands/cc.ts';
import { addClusterCommands } from './commands/cluster.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addConvertCommand } from './commands/convert.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addHistoryCommands } from './commands/history.ts';
import { addImageCommand } from './commands/image.ts';
import { addReplayCommand } from './commands/replay.ts';
import { addResumeCommand } from './commands/resume.ts';
import { addRunCommand } from './commands/run.ts';
import { addServiceCommands } from './commands/service.ts';
import { addTransferCommands } from './commands/transfer.ts';
import { keepIgnored } from './stop-signals.ts';
import { endOnTrouble, reportError } from './terminal.ts';

/** The bytes that this process was started with, and where. */
const COMMAND_LINE = '/proc/self/cmdline';
const ENVIRONMENT = '/proc/self/environ';
const DIRECTORY = '/proc/self/cwd';
/** Variables that name places of the host. */
const PLACE_VARIABLES = ['STILLPOINT_STORE', 'STILLPOINT_TRANSLATIONS', 'XDG_STATE_HOME', 'XDG_CACHE_HOME', 'HOME', 'TMPDIR'] as const;

function buildProgram(): Command {
  const program = new Command('stillpoint');
  program
    .description('Run C/POSIX programs (riscv64 Linux) as deterministic machines: recorded, stopped, resumed, replayed bit for bit.')
    .version(VERSION)
    .enablePositionalOptions()
    .configureHelp({ optionDescription })
    .configureOutput({ outputError: () => {} }) // main() says it, in one line with a code.
    .exitOverride()
    .hook('preAction', (_program, verb) => { checkSurroundings(); checkPlaces(verb); })
    .addHelpText('after', `
Examples:
  stillpoint cc job.c -o job.elf            compile a C program for the machine
  stillpoint run --name job ./job.elf       run and record it
  stillpoint resume job                     go on after a crash or Ctrl-C
  stillpoint replay job                     execute again, compare every output and every root

Exit status of run and resume: the program's own; 128+n when signal n ended it; 124 a cap was reached;
125 trouble of Stillpoint or the host; 126 not an executable we can run; 127 not found.`);
  addRunCommand(program);
  addResumeCommand(program);
  addReplayCommand(program);
  addHistoryCommands(program);
  addClusterCommands(program);
  addAgentCommands(program);
  addConvertCommand(program);
  addBranchCommands(program);
  addServiceCommands(program);
  addCareCommands(program);
  addImageCommand(program);
  addTransferCommands(program);
  addCcCommand(program);
  addDoctorCommand(program);
  addCompletionCommand(program);
  for (const command of program.commands) command.exitOverride();
  return program;
}

/** As commander has it, but for options that may be given several times, whose default it would show as []. */
function optionDescription(this: Help, option: Option): string {
  if (!Array.isArray(option.defaultValue)) return Help.prototype.optionDescription.call(this, option);
  return option.description.includes('repeatable') ? option.description : `${option.description} (repeatable)`;
}

async function main(): Promise<number> {
  process.stdout.on('error', endOnTrouble);
  process.stderr.on('error', () => {}); // Remarks that nobody reads any more: the exit status still tells.
  keepIgnored();
  process.on('SIGUSR1', () => {}); // Node would open its debugger, to every user of the host.
  const program = buildProgram();
  try {
    checkHost();
    const words = process.argv.slice(2);
    const asked = helpWanted(program, words);
    if (asked === undefined) await program.parseAsync(process.argv);
    else asked.outputHelp();
    return process.exitCode === undefined ? EXIT.ok : Number(process.exitCode);
  } catch (error) {
    return error instanceof CommanderError ? endOfParsing(error) : reportError(error);
  }
}

/** Options that name a place of the host, as their help shows them. */
const PLACE = /<(dir|file|path|copy)>$/;

/** Arguments that do, by their names. */
const PLACES: readonly string[] = ['file', 'files', 'source'];

/** An empty name of a file or directory is a variable of the shell that was not set: it must not mean the current directory. Throws E_USAGE. */
function checkPlaces(verb: Command): void {
  const empty = verb.options.find((option) => PLACE.test(option.flags) && verb.opts()[option.attributeName()] === '');
  if (empty !== undefined) throw new StillpointError('E_USAGE', `option ${empty.long}: it names nothing`);
  const argument = verb.registeredArguments.find((one, index) => PLACES.includes(one.name()) && [verb.processedArgs[index] as unknown].flat().includes(''));
  if (argument !== undefined) throw new StillpointError('E_USAGE', `argument ${argument.name()}: it names nothing`);
}

/** Names that are not UTF-8 text reach nobody as they are: a path that begins with one would be that of another file. Throws E_HOST_FILE, E_USAGE. */
function checkSurroundings(): void {
  if (!existsSync(DIRECTORY) || !existsSync(ENVIRONMENT)) return;
  if (!isUtf8(readlinkSync(DIRECTORY, { encoding: 'buffer' }))) throw new StillpointError('E_HOST_FILE', 'the name of the current directory is not UTF-8 text, and paths begin in it; go to another one, or rename it');
  const replaced = PLACE_VARIABLES.filter((name) => process.env[name]?.includes('\uFFFD') === true);
  if (replaced.length === 0) return;
  const isOf = (entry: string): boolean => replaced.some((name) => entry.startsWith(`${name}=`));
  const bad = readFileSync(ENVIRONMENT, 'latin1').split('\0').find((entry) => isOf(entry) && !isUtf8(Buffer.from(entry, 'latin1')));
  if (bad !== undefined) throw new StillpointError('E_USAGE', `$${bad.slice(0, bad.indexOf('='))} is not UTF-8 text; rename what it names`);
}

/** What no verb could make good. Throws E_UNSUPPORTED, E_USAGE. */
function checkHost(): void {
  if (typeof WebAssembly === 'undefined') throw new StillpointError('E_UNSUPPORTED', 'this Node was told to do without WebAssembly; take --jitless out of NODE_OPTIONS');
  // Node has replaced what is not UTF-8: the program would get another argument, the host another file.
  if (!process.argv.some((argument) => argument.includes('\uFFFD')) || !existsSync(COMMAND_LINE)) return;
  if (!isUtf8(readFileSync(COMMAND_LINE))) throw new StillpointError('E_USAGE', 'an argument is not UTF-8 text; give the program such bytes through a file or a channel, and rename such a file');
}

/** The command whose help is asked for by `help NAME…` or `GROUP help NAME`; undefined when none is. Commander knows one name, and prints all there is for a wrong one. Throws E_USAGE. */
function helpWanted(command: Command, [first, ...more]: readonly string[]): Command | undefined {
  const named = (group: Command, name: string | undefined): Command | undefined => group.commands.find((one) => one.name() === name);
  if (first !== 'help') {
    const group = named(command, first);
    return group === undefined || group.commands.length === 0 ? undefined : helpWanted(group, more);
  }
  let found = command;
  for (const name of more) {
    if (name === 'help' || name.startsWith('-')) break;
    const next = named(found, name);
    if (next === undefined) throw new StillpointError('E_USAGE', `unknown command '${name}'; stillpoint --help shows the commands`);
    found = next;
  }
  return found;
}

/** Help that was asked for has been printed, and so has the help of a command line without a verb; everything else is a mistake to name. */
function endOfParsing(error: CommanderError): number {
  if (error.exitCode === 0) return EXIT.ok;
  if (error.code === 'commander.help') return EXIT.usage;
  const what = error.message.replace(/^error: /, '').replace(/\.$/, '').replace(/^option '(--[a-z-]+).*?' argument ('.*') is invalid\. /s, 'option $1: $2: ');
  return reportError(new StillpointError('E_USAGE', `${what}; stillpoint --help shows the commands, stillpoint COMMAND --help its options`, { cause: error }));
}

void main().then((status) => { process.exitCode = status; });
