/**
 * The verbs that look at a store: ls, show, log, checkpoints, rm. They need no ownership and change nothing (rm apart).
 */
import { InvalidArgumentError, type Command } from 'commander';
import { clusterCheckpoints, clusterMembers, counted, describeRun, listRunSummaries, readCheckpoints, readLog, removeAll, type CutFacts, type LogEntry } from '../../src/index.ts';
import { factLines } from '../run-facts.ts';
import { KEYS_SAYS, note, say, sayJson, scaled, table, toJson, when } from '../terminal.ts';

interface Flags { readonly store?: string; readonly keys?: string; readonly json?: boolean }

export function addHistoryCommands(program: Command): void {
  addLs(program);
  addShow(program);
  addLog(program);
  addCheckpoints(program);
  addRm(program);
}

function addLs(program: Command): void {
  program.command('ls').description('list the runs of a store').option('--store <dir>', 'the store').option('--json', 'facts as JSON').option('-q, --quiet', 'names only')
    .option('--filter <fact=text>', 'only runs of which this is so: name, state, end or program; * in the text is anything (repeatable, all must be so)', parseFilter, [])
    .addHelpText('after', '\nExamples:\n  stillpoint ls\n  stillpoint ls --filter state=stopped --filter program=sort*\n  stillpoint rm $(stillpoint ls -q --filter name=try-*)')
    .action(async (flags: Flags & { readonly quiet?: boolean; readonly filter: readonly Filter[] }) => {
      const runs = (await listRunSummaries(flags.store)).filter((run) => flags.filter.every(({ fact, pattern }) => pattern.test(run[fact] ?? '')));
      if (flags.json === true) return sayJson(runs);
      if (flags.quiet === true) return runs.forEach((run) => say(run.name));
      const rows = runs.map((run) => [run.name, run.state, run.outcome ?? '', scaled(Number(run.instructions)), String(run.checkpoints), when(run.createdMs), run.program]);
      say(table(['NAME', 'STATE', 'END', 'INSTRUCTIONS', 'CHECKPOINTS', 'CREATED (UTC)', 'PROGRAM'], rows));
    });
}

interface Filter { readonly fact: 'name' | 'state' | 'outcome' | 'program'; readonly pattern: RegExp }
const FACTS: Readonly<Record<string, Filter['fact']>> = { name: 'name', state: 'state', end: 'outcome', program: 'program' };

function parseFilter(text: string, before: readonly Filter[]): readonly Filter[] {
  const [, key = '', wanted = ''] = /^([a-z]+)=(.*)$/s.exec(text) ?? [];
  const fact = Object.hasOwn(FACTS, key) ? FACTS[key] : undefined;
  if (fact === undefined) throw new InvalidArgumentError('it is name, state, end or program, = and a text.');
  return [...before, { fact, pattern: new RegExp(`^${wanted.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&')).join('.*')}$`, 's') }];
}

function addShow(program: Command): void {
  program.command('show').description('all facts about a run').argument('<run>', 'name of the run').option('--store <dir>', 'the store').option('--json', 'facts as JSON')
    .addHelpText('after', '\nExample:\n  stillpoint show sort')
    .action(async (name: string, flags: Flags) => {
      const facts = await describeRun(name, flags.store);
      if (flags.json === true) return sayJson(facts);
      say(factLines(facts).join('\n'));
    });
}

function addLog(program: Command): void {
  program.command('log').description('the journal of a run, frame by frame').argument('<run>', 'name of the run').option('--store <dir>', 'the store').option('--json', 'facts as JSON')
    .option('--from <frame>', 'the first frame (default: 0)', parseFrame).option('--to <frame>', 'the last frame (default: the last there is)', parseFrame).option('--tail <count>', 'of these the last COUNT', parseFrame)
    .addHelpText('after', '\nExamples:\n  stillpoint log sort\n  stillpoint log sort --tail 20\n  stillpoint log sort --from 100 --to 200')
    .action(async (name: string, flags: Flags & { readonly from?: number; readonly to?: number; readonly tail?: number }) => {
      for await (const entry of partOf(readLog(name, flags.store), flags)) {
        if (flags.json === true) say(toJson(entry, 0));
        else say(`${String(entry.frame).padStart(7)}  ${String(entry.at).padStart(14)}  ${entry.kind.padEnd(10)} ${entry.says}`);
      }
    });
}

/** The entries that are asked for, as they come; at most `tail` of them are held. */
async function* partOf(entries: AsyncIterable<LogEntry>, { from = 0, to = Infinity, tail }: { readonly from?: number; readonly to?: number; readonly tail?: number }): AsyncGenerator<LogEntry> {
  const last: LogEntry[] = [];
  for await (const entry of entries) {
    if (entry.frame < from || entry.frame > to) continue;
    if (tail === undefined) {
      yield entry;
      continue;
    }
    last.push(entry);
    if (last.length > tail) last.shift();
  }
  yield* last;
}

function parseFrame(text: string): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw new InvalidArgumentError('it is a whole number.');
  return Number(text);
}

function addCheckpoints(program: Command): void {
  program.command('checkpoints').description('the checkpoints of a run or a cluster').argument('<run>', 'name of the run or the cluster').option('--store <dir>', 'the store').option('--keys <file>', KEYS_SAYS).option('--json', 'facts as JSON')
    .addHelpText('after', '\nExample:\n  stillpoint checkpoints sort')
    .action(async (name: string, flags: Flags) => {
      if ((await clusterMembers(name, flags.store)).length > 0) {
        const cuts = await clusterCheckpoints(name, { store: flags.store, keys: flags.keys, onNote: note });
        if (flags.json === true) return sayJson(cuts);
        const isAsked = cuts.some(({ broken }) => broken !== undefined);
        const stateOf = ({ broken = [] }: CutFacts): string => (broken.length === 0 ? 'whole' : `broken: ${broken.slice(0, 3).join(' ')}${broken.length > 3 ? ' …' : ''}`);
        return say(table(['NAME', 'TAKEN (UTC)', 'NODES', 'INSTRUCTIONS', ...(isAsked ? ['STATE'] : []), 'NOTE'], cuts.map((cut) => [cut.name, when(cut.createdMs), String(cut.nodes), String(cut.instructions), ...(isAsked ? [stateOf(cut)] : []), cut.note ?? ''])));
      }
      const checkpoints = await readCheckpoints(name, flags.store);
      if (flags.json === true) return sayJson(checkpoints);
      say(table(['NUMBER', 'INSTRUCTIONS', 'TAKEN (UTC)', 'ROOT', 'NAME', 'NOTE'], checkpoints.map((checkpoint) => [String(checkpoint.number), String(checkpoint.at), when(checkpoint.createdMs), checkpoint.root, checkpoint.name ?? '', checkpoint.note ?? ''])));
    });
}

function addRm(program: Command): void {
  program.command('rm').description('remove runs and what only they needed').argument('<runs...>', 'names of runs or clusters').option('--store <dir>', 'the store').option('--keys <file>', KEYS_SAYS)
    .addHelpText('after', '\nExample:\n  stillpoint rm sort\n  stillpoint rm $(stillpoint ls -q)')
    .action(async (names: string[], flags: Flags) => {
      const { removedRecords } = await removeAll(names, { store: flags.store, keys: flags.keys, onNote: note });
      note(`removed ${names.join(', ')} and ${counted(removedRecords, 'record')} that no other run needs`);
    });
}
