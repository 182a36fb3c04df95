/**
 * `stillpoint image`: named images of a store, in docker's words.
 */
import type { Command } from 'commander';
import { exportRunLayer, importImage, listNamedImages, removeImages, type NamedImage } from '../../src/index.ts';
import { note, say, sayJson, scaled, table, when } from '../terminal.ts';

interface Flags { readonly store?: string; readonly json?: boolean }

/** Text of a stranger for one line of a terminal. */
function shown(text: string): string {
  const plain = text.replace(/\p{C}/gu, '?');
  return plain.length > 60 ? `${plain.slice(0, 59)}…` : plain;
}

/** What `run --image NAME` runs: entry point and command, quoted as a shell would want them. */
function runsOf({ config }: NamedImage): string {
  const words = [...config?.entrypoint ?? [], ...config?.command ?? []];
  return words.length === 0 ? '-' : shown(words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' '));
}

function userOf({ config }: NamedImage): string {
  return config === undefined ? 'guest' : config.user === '' ? 'root' : shown(config.user);
}

export function addImageCommand(program: Command): void {
  const image = program.command('image').description('named images: what lies below the files of a machine (run --image NAME)')
    .addHelpText('after', '\nExample:\n  stillpoint image import debian debian.tar\n  stillpoint run --image debian cat /etc/os-release\n  stillpoint image ls');
  image.command('import').description('import a tar archive (also gzip), a directory, an OCI image layout or what docker save writes, under a name')
    .argument('<name>', 'name of the image').argument('<source>', 'file or directory').option('--store <dir>', 'the store').option('--json', 'facts as JSON')
    .addHelpText('after', '\nExample:\n  stillpoint image import debian debian.tar\n  stillpoint run --image debian cat /etc/os-release')
    .action(async (name: string, source: string, flags: Flags) => {
      const record = await importImage({ name, source, store: flags.store });
      if (flags.json === true) sayJson(record);
      else note(`${name}: ${record.inodes} files and directories, ${scaled(record.bytes)}B, ${record.digest.slice(0, 16)}`);
    });
  image.command('ls').description('list the named images of a store').option('--store <dir>', 'the store').option('--json', 'facts as JSON').option('-q, --quiet', 'names only')
    .addHelpText('after', '\nExample:\n  stillpoint image ls')
    .action(async (flags: Flags & { readonly quiet?: boolean }) => {
      const images = await listNamedImages(flags.store);
      if (flags.json === true) return sayJson(images);
      if (flags.quiet === true) return images.forEach(({ name }) => say(name));
      const rows = images.map((record) => [record.name, record.digest.slice(0, 16), String(record.inodes), `${scaled(record.bytes)}B`, when(record.createdMs), userOf(record), runsOf(record), record.source]);
      say(table(['NAME', 'DIGEST', 'FILES', 'SIZE', 'CREATED (UTC)', 'USER', 'RUNS', 'SOURCE'], rows));
    });
  image.command('rm').description('take names away; runs keep what they need, stillpoint gc removes the rest').argument('<names...>', 'names of images').option('--store <dir>', 'the store')
    .addHelpText('after', '\nExample:\n  stillpoint image rm debian')
    .action(async (names: string[], flags: Flags) => {
      await removeImages(names, flags.store);
      note(`removed ${names.join(', ')}; stillpoint gc removes what nothing needs any more`);
    });
  image.command('export').description('write what a run changed in its files as a tar archive, for run --image BASE --image FILE')
    .argument('<run[@checkpoint]>', 'the run, at its last checkpoint when none is named').argument('<file>', 'the archive; - is standard output').option('--store <dir>', 'the store')
    .addHelpText('after', '\nExamples:\n  stillpoint image export build@2 changes.tar\n  stillpoint image export build - | tar x tmp/result')
    .action(async (run: string, file: string, flags: Flags) => exportRunLayer({ run, file, store: flags.store }));
  for (const command of image.commands) command.exitOverride();
}
