/**
 * `stillpoint convert`: other systems' descriptions of clusters as a cluster manifest, on standard output.
 */
import type { Command } from 'commander';
import { convertCluster } from '../../src/index.ts';
import { say } from '../terminal.ts';

export function addConvertCommand(program: Command): void {
  program
    .command('convert')
    .description('print a cluster manifest for ZeroVM manifests (one file for each node) or a job description (JSON, zapp.yaml)')
    .argument('<files...>', 'manifests, or one job description')
    .option('--name <name>', 'name of the cluster')
    .addHelpText('after', `
Examples:
  stillpoint convert node-*.manifest > sort.yaml
  stillpoint convert job.json --name words > words.yaml
What is not the same here stands at the top of the result; what cannot be carried over is an error that names the line.`)
    .action(async (files: string[], flags: { readonly name?: string }) => { say((await convertCluster(files, flags.name)).trimEnd()); });
}
