/**
 * The verbs that move runs between stores: export and import. Both work through a pipe.
 */
import type { Command } from 'commander';
import { counted, exportRun, importRun, type ImportResult } from '../../src/index.ts';
import { StatusLine } from '../progress.ts';
import { note, say, sayJson, scaled } from '../terminal.ts';
import { collect } from './run.ts';

interface Flags { readonly store?: string; readonly json?: boolean; readonly progress: boolean }

export function addTransferCommands(program: Command): void {
  program.command('export').description('write a run, or its history up to a checkpoint, as one file with everything it needs').argument('<run>', 'RUN or RUN@CHECKPOINT').argument('<file>', 'the file; - is standard output')
    .option('--oci', 'an OCI image layout, a directory that registry tools carry')
    .option('--have <run>', 'RUN or RUN@CHECKPOINT that the receiver has: what it holds is left out', collect, []).option('--store <dir>', 'the store').option('--json', 'facts as JSON (on standard error when the file is -)').option('--no-progress', 'no progress line')
    .addHelpText('after', `
Examples:
  stillpoint export job job.stillpoint
  stillpoint export job@before-upgrade - | ssh elsewhere stillpoint import -
  stillpoint export --oci job job.oci
  stillpoint export job-2 - --have job@3 | ssh elsewhere stillpoint import -       job-2: a fork of job, which is there up to 3
A receiver that has job up to checkpoint 3 gets what is new in it:
  stillpoint export job - --have job@3 | ssh elsewhere stillpoint import --update -`)
    .action(async (run: string, file: string, flags: Flags & { readonly have: string[]; readonly oci?: boolean }) => {
      const line = new StatusLine('export', flags.progress);
      try {
        const result = await exportRun({ run, file, isOci: flags.oci, store: flags.store, have: flags.have, onProgress: ({ bytes }) => line.update(`${scaled(bytes)}B`) });
        line.end();
        const text = `${result.run}: ${scaled(result.bytes)}B, ${counted(result.pages, 'page')}, ${counted(result.nodes, 'node')}, ${counted(result.frames, 'frame')}, ${counted(result.checkpoints, 'checkpoint')}`;
        if (file === '-') { if (flags.json === true) process.stderr.write(`${JSON.stringify(result)}\n`); else note(text); }
        else if (flags.json === true) sayJson(result);
        else say(text);
      } finally {
        line.end();
      }
    });
  program.command('import').description('take a run from an exported file or OCI image layout; every byte is checked before anything is visible').argument('<file>', 'the file or layout; - is standard input')
    .option('--name <name>', 'another name than it had').option('--update', 'a run that is here already takes what is new in it').option('--store <dir>', 'the store').option('--json', 'facts as JSON').option('--no-progress', 'no progress line')
    .addHelpText('after', '\nExamples:\n  stillpoint import job.stillpoint\n  stillpoint import --update job.stillpoint\n  stillpoint import - --name theirs < job.stillpoint')
    .action(async (file: string, flags: Flags & { readonly name?: string; readonly update?: boolean }) => {
      const line = new StatusLine('import', flags.progress);
      try {
        const result = await importRun({ file, store: flags.store, name: flags.name, isUpdate: flags.update, onProgress: ({ bytes }) => line.update(`${scaled(bytes)}B`) });
        line.end();
        if (flags.json === true) return sayJson(result);
        say(`${result.name}: ${cameOf(result)}, ${scaled(result.bytes)}B, ${counted(result.frames, 'frame')}, ${result.checkpoint === undefined ? 'no checkpoint' : `up to checkpoint ${result.checkpoint}`}`);
      } finally {
        line.end();
      }
    });
}

function cameOf({ added }: ImportResult): string {
  if (added === undefined) return 'imported';
  return added.frames + added.checkpoints + added.marks === 0 ? 'nothing new' : `updated, ${counted(added.frames, 'frame')} and ${counted(added.checkpoints, 'checkpoint')} came`;
}
