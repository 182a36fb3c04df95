/**
 * The command `stillpoint`: declares the verbs, runs one, turns what it throws into one line and an exit status.
 * Each verb lives in commands/NAME.ts and imports nothing but the public API.
 */
import { Command, CommanderError } from 'commander';
import { EXIT, StillpointError, VERSION } from '../src/index.ts';
import { addAgentCommands } from './commands/agent.ts';
import { addBranchCommands } from './commands/branch.ts';
import { addCareCommands } from './commands/care.ts';
import { addCcCommand } from './commands/cc.ts';
import { addClusterCommands } from './commands/cluster.ts';
import { addConvertCommand } from './commands/convert.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addHistoryCommands } from './commands/history.ts';
import { addImageCommand } from './commands/image.ts';
import { addReplayCommand } from './commands/replay.ts';
import { addResumeCommand } from './commands/resume.ts';
import { addRunCommand } from './commands/run.ts';
import { addServiceCommands } from './commands/service.ts';
import { addTransferCommands } from './commands/transfer.ts';
import { reportError } from './terminal.ts';

function buildProgram(): Command {
  const program = new Command('stillpoint');
  program
    .description('Run C/POSIX programs (riscv64 Linux) as deterministic machines: recorded, stopped, resumed, replayed bit for bit.')
    .version(VERSION)
    .enablePositionalOptions()
    .configureOutput({ outputError: () => {} }) // main() says it, in one line with a code.
    .exitOverride()
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
  for (const command of program.commands) command.exitOverride();
  return program;
}

async function main(): Promise<number> {
  process.stdout.on('error', endOnClosedPipe);
  process.stderr.on('error', () => {}); // Remarks that nobody reads any more: the exit status still tells.
  try {
    await buildProgram().parseAsync(process.argv);
    return process.exitCode === undefined ? EXIT.ok : Number(process.exitCode);
  } catch (error) {
    return error instanceof CommanderError ? endOfParsing(error) : reportError(error);
  }
}

/** Help that was asked for has been printed, and so has the help of a command line without a verb; everything else is a mistake to name. */
function endOfParsing(error: CommanderError): number {
  if (error.exitCode === 0) return EXIT.ok;
  if (error.code === 'commander.help') return EXIT.usage;
  const what = error.message.replace(/^error: /, '').replace(/\.$/, '');
  return reportError(new StillpointError('E_USAGE', `${what}; stillpoint --help shows the commands, stillpoint COMMAND --help its options`, { cause: error }));
}

/** Facts that nobody reads any more: end as a program killed by SIGPIPE would. A guest's standard output has a listener of its own. */
function endOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (process.stdout.listenerCount('error') > 1) return;
  if (error.code === 'EPIPE') process.exit(128 + 13);
  throw error;
}

void main().then((status) => { process.exitCode = status; });
