/**
 * `stillpoint completion SHELL`: a script that lets a shell complete commands, options and names of runs, on standard output.
 */
import { Argument, type Command } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion-scripts.ts';

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print a script with which a shell completes commands, options and names of runs')
    .addArgument(new Argument('<shell>', 'which one').choices(SHELLS))
    .addHelpText('after', `
Examples:
  source <(stillpoint completion bash)                 in ~/.bashrc
  source <(stillpoint completion zsh)                  in ~/.zshrc
  stillpoint completion fish > ~/.config/fish/completions/stillpoint.fish`)
    .action((shell: Shell) => { process.stdout.write(completionScript(program, shell)); });
}
