/**
 * `stillpoint cc`: the stock GNU cross compiler with the right flags, so that one word compiles a C program for the machine.
 */
import { spawnSync } from 'node:child_process';
import type { Command } from 'commander';
import { StillpointError } from '../../src/index.ts';

const COMPILER = process.env['STILLPOINT_CC'] ?? 'riscv64-linux-gnu-gcc';
/** Static, plain RV64GC: runs without an image and on every RISC-V Linux machine. */
const FLAGS = ['-static', '-march=rv64gc', '-mabi=lp64d'];

export function addCcCommand(program: Command): void {
  program
    .command('cc')
    .description('compile C for the machine with the stock cross toolchain (all arguments go to gcc)')
    .argument('<arguments...>', 'source files and options of gcc')
    .allowUnknownOption()
    .passThroughOptions()
    .addHelpText('after', '\nExample:\n  stillpoint cc -O2 job.c -o job.elf\n\nAdds: ' + FLAGS.join(' ') + ', and -O2 when no level is given\nAnother compiler: STILLPOINT_CC=...')
    .action((compilerArguments: string[]) => {
      const hasLevel = compilerArguments.some((argument) => argument.startsWith('-O'));
      const result = spawnSync(COMPILER, [...FLAGS, ...(hasLevel ? [] : ['-O2']), ...compilerArguments], { stdio: 'inherit' });
      if (result.error !== undefined) throw new StillpointError('E_TOOL_MISSING', `${COMPILER} is not installed; on Debian: apt-get install gcc-riscv64-linux-gnu libc6-dev-riscv64-cross`, { cause: result.error });
      process.exitCode = result.status ?? 1;
    });
}
