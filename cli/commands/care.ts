/**
 * The verbs that look after a store: gc, fsck, stats.
 * fsck looks from a child process: LMDB's own pages have no check sums, and damage in them can end a process with a signal.
 */
import { spawn } from 'node:child_process';
import { InvalidArgumentError, type Command } from 'commander';
import { checkStore, collectStore, counted, storeStats, StillpointError, type FsckFinding, type FsckResult } from '../../src/index.ts';
import { say, sayJson, scaled, table } from '../terminal.ts';
import { StatusLine } from '../progress.ts';

interface Flags { readonly store?: string; readonly json?: boolean; readonly progress: boolean }

export function addCareCommands(program: Command): void {
  addGc(program);
  addFsck(program);
  addStats(program);
}

function parseCount(value: string): number {
  if (!/^[0-9]{1,6}$/.test(value)) throw new InvalidArgumentError('it is a whole number.');
  return Number(value);
}

function addGc(program: Command): void {
  program.command('gc').description('delete what no run needs; with --keep-…, drop checkpoints first').argument('[runs...]', 'runs whose checkpoints are thinned out (default: all)')
    .option('--keep-last <n>', 'keep the youngest N checkpoints of each run', parseCount).option('--keep-hourly <n>', 'keep the youngest of each of the last N hours that have any', parseCount)
    .option('--keep-daily <n>', 'the same by days', parseCount).option('--store <dir>', 'the store').option('--json', 'facts as JSON').option('--no-progress', 'no progress line')
    .addHelpText('after', `
Examples:
  stillpoint gc
  stillpoint gc --keep-last 10 --keep-hourly 24 --keep-daily 30
A checkpoint with a name or a note, and the last one of a run, always stay. Machines may go on running meanwhile.`)
    .action(async (runs: string[], flags: Flags & { readonly keepLast?: number; readonly keepHourly?: number; readonly keepDaily?: number }) => {
      const rule = { last: flags.keepLast, hourly: flags.keepHourly, daily: flags.keepDaily };
      const hasRule = Object.values(rule).some((value) => value !== undefined);
      if (runs.length > 0 && !hasRule) throw new StillpointError('E_USAGE', 'naming runs says whose checkpoints are thinned out; give a rule, too (--keep-last N)');
      const line = new StatusLine('gc', flags.progress);
      try {
        const result = await collectStore({ store: flags.store, runs, rule: hasRule ? rule : undefined, onProgress: ({ phase, reached, deleted }) => line.update(`${phase}  ${scaled(reached)} pages needed  ${scaled(deleted)} records deleted`) });
        line.end();
        if (flags.json === true) return sayJson(result);
        say(`${counted(result.checkpoints, 'checkpoint')} dropped; ${counted(result.pages, 'page')}, ${counted(result.packs, 'pack')}, ${counted(result.nodes, 'node')}, ${counted(result.blobs, 'blob')} deleted${result.orphans === 0 ? '' : `, ${counted(result.orphans, 'record')} of no run`}; the store takes ${scaled(result.fileBytes)}B`);
      } finally {
        line.end();
      }
    });
}

/** Lines that differ in hashes only; --json has all. */
const ALIKE_MAX = 5;
/** Set in the child that does the work. */
const CHILD_FLAG = 'STILLPOINT_FSCK_CHILD';

function addFsck(program: Command): void {
  program.command('fsck').description('check every record of a store; exit status 0 sound, 1 damaged').option('--repair', 'drop what cannot be trusted and say what was lost').option('--from <copy>', 'take what is damaged from another store or an exported run (with --repair)')
    .option('--store <dir>', 'the store').option('--json', 'facts as JSON').option('--no-progress', 'no progress line')
    .addHelpText('after', `
Examples:
  stillpoint fsck
  stillpoint fsck --repair
  stillpoint fsck --repair --from /backup/store
Exit status: 0 sound (with --repair: sound now), 1 damage that is still there, 125 trouble.
A repair keeps what is whole. --from takes content by its hash and frames by their chain, so the copy need not be trusted. A damaged journal ends before the damage; a run goes on from its last sound checkpoint.`)
    .action(async (flags: Flags & { readonly repair?: boolean; readonly from?: string }) => {
      process.exitCode = process.env[CHILD_FLAG] === undefined ? await inChild() : await fsck(flags);
    });
}

/** Runs this very command again in a child and lives longer than it. */
async function inChild(): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], { stdio: ['inherit', 'inherit', process.stderr.isTTY === true ? 'inherit' : 'pipe'], env: { ...process.env, [CHILD_FLAG]: '1' } });
  let remarks = '';
  child.stderr?.on('data', (bytes: Buffer) => { remarks += bytes.toString(); });
  const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, killed) => resolve([code, killed]));
  });
  process.stderr.write(ownLines(remarks));
  if (signal === 'SIGSEGV' || signal === 'SIGBUS' || signal === 'SIGABRT' || signal === 'SIGILL') {
    throw new StillpointError('E_STORE_CORRUPT', `the database's own pages are damaged: reading them ended a process with ${signal}; restore the store from a copy, or import exported runs into a new one`);
  }
  return signal === null ? status ?? 1 : 128 + (signal === 'SIGINT' ? 2 : 15);
}

/** What we said; the database prints words of its own about its pages, and of a full disk without an end of the line. */
function ownLines(text: string): string {
  return text.split('\n').flatMap((line) => /stillpoint: .*/.exec(line) ?? []).map((line) => `${line}\n`).join('');
}

async function fsck(flags: Flags & { readonly repair?: boolean; readonly from?: string }): Promise<number> {
  const line = new StatusLine('fsck', flags.progress);
  let result: FsckResult;
  try {
    result = await checkStore({ store: flags.store, repairs: flags.repair ?? false, from: flags.from, onProgress: ({ pass, bytes }) => line.update(`pass ${pass}  ${scaled(bytes)}B checked`) });
  } finally {
    line.end();
  }
  if (flags.json === true) sayJson(result);
  else tell(result, flags.repair ?? false);
  return result.isSound ? 0 : 1;
}

/** Of lines that differ in hashes only, the first few: a pack that is lost has thousands of pages behind it. */
function brief(lines: readonly string[]): readonly string[] {
  const groups = new Map<string, number>();
  const kindOf = (line: string): string => line.replace(/[0-9a-f]{64}/g, '#');
  const kept = lines.filter((line) => {
    const seen = (groups.get(kindOf(line)) ?? 0) + 1;
    groups.set(kindOf(line), seen);
    return seen <= ALIKE_MAX;
  });
  const more = [...groups].filter(([, count]) => count > ALIKE_MAX).map(([kind, count]) => `${count - ALIKE_MAX} more: ${kind}`);
  return [...kept, ...more];
}

function tell({ findings, repairs, losses, remaining, runs, frames, checkpoints, bytes, isSound }: FsckResult, isRepair: boolean): void {
  const list = (items: readonly FsckFinding[]): void => brief(items.map(({ code, says }) => `${code}: ${says}`)).forEach((line) => say(line));
  list(findings);
  for (const line of brief(repairs.map((lost) => `repaired: ${lost}`))) say(line);
  if (!isRepair) for (const line of losses) say(`known: ${line}`);
  if (isRepair && findings.length > 0) list(remaining.map((finding) => ({ ...finding, says: `still: ${finding.says}` })));
  const sums = `${counted(runs, 'run')}, ${counted(checkpoints, 'checkpoint')}, ${counted(frames, 'frame')}, ${scaled(bytes)}B checked`;
  say(isSound ? `${sums}: ${findings.length === 0 ? 'sound' : 'sound now'}` : `${sums}: ${counted(remaining.length, 'finding')}${isRepair ? ' that no repair can mend' : '; stillpoint fsck --repair drops what cannot be trusted'}`);
}

function addStats(program: Command): void {
  program.command('stats').description('where the bytes of a store are, what is shared, and what translated code is kept').option('--store <dir>', 'the store').option('--json', 'facts as JSON')
    .addHelpText('after', '\nExample:\n  stillpoint stats')
    .action(async (flags: { readonly store?: string; readonly json?: boolean }) => {
      const stats = await storeStats(flags.store);
      if (flags.json === true) return sayJson(stats);
      const { stored, needed, unshared } = stats.pages;
      say(table(['TABLE', 'ENTRIES', 'BYTES'], stats.tables.map(({ table: name, entries, bytes }) => [name, String(entries), String(bytes)])));
      say(`file ${scaled(stats.fileBytes)}B; ${stored} pages stored, ${needed} needed by runs (gc frees ${stored - needed}), ${unshared} if nothing were shared between runs\n`);
      say(table(['RUN', 'CHECKPOINTS', 'FRAMES', 'PAGE BYTES', 'ITS OWN'], stats.runs.map((run) => [run.name, String(run.checkpoints), String(run.frames), String(run.pageBytes), String(run.ownPageBytes)])));
      const { translations } = stats;
      if (translations === undefined) return;
      const { programs, units, instructions, codeBytes, machineCodeBytes, fileBytes, milliseconds } = translations;
      say(`translations of ${programs} programs: ${units} units of ${instructions} instructions, ${scaled(codeBytes)}B of code made in ${(milliseconds / 1000).toFixed(1)} s, ${scaled(machineCodeBytes)}B of machine code; ${scaled(fileBytes)}B in ${translations.directory}`);
    });
}
