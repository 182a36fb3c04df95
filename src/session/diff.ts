/**
 * `diff`: what two points in the history of runs have different: registers by name, threads, descriptors, files by name, memory by mapping and symbol,
 * and whatever else is in their states.
 * Invariants: shared parts are not read; nothing is executed. What this does NOT do: say which of two is right.
 */
import { decodeCanonical, limits, StillpointError, type Canonical } from '../core/index.ts';
import { riscv64 } from '../isa/index.ts';
import { diffSnapshots, openSnapshot, readPages, type Difference, type Root } from '../snapshot/index.ts';
import { openJournal, readCheckpoint, readRun, type CheckpointRecord, type StoreContext } from '../txn/index.ts';
import { withStore } from './context.ts';
import { diffFileTrees, readFileTree, type FileTree } from './diff-files.ts';
import { diffValues, isFields, listOf, membersOf, textOf } from './diff-values.ts';
import { parseReference, resolveCheckpoint } from './run-reference.ts';
import { Symbols } from './symbols.ts';

export interface StateDifference {
  readonly area: 'registers' | 'threads' | 'descriptors' | 'files' | 'memory' | 'state';
  readonly what: string;
  /** Undefined: it is not there. */
  readonly first: string | undefined;
  readonly second: string | undefined;
}
export interface DiffPoint { readonly run: string; readonly checkpoint: number; readonly instructions: bigint; readonly root: string }
export interface DiffResult { readonly first: DiffPoint; readonly second: DiffPoint; readonly isSame: boolean; readonly differences: readonly StateDifference[] }

const { PAGE_BYTES } = limits;
/** Symbols that are named for one mapping. */
const SYMBOLS_SHOWN = 12;

export async function diffStates(first: string, second: string, store: string | undefined): Promise<DiffResult> {
  return withStore(store, 'read-only', async (context) => {
    const points = [first, second].map((text) => findPoint(context, text)) as [Point, Point]; // Two went in.
    const [a, b] = points;
    const differences = a.checkpoint.root === b.checkpoint.root ? [] : [...compare(context, points)];
    return { first: plain(a), second: plain(b), isSame: a.checkpoint.root === b.checkpoint.root, differences };
  });
}

interface Point { readonly run: string; readonly checkpoint: CheckpointRecord; readonly program: () => Uint8Array }

function findPoint(context: StoreContext, text: string): Point {
  const reference = parseReference(text);
  const record = readRun(context, reference.name);
  const number = resolveCheckpoint(context, record, reference.checkpoint);
  if (number === 0) throw new StillpointError('E_CHECKPOINT_UNKNOWN', `run ${record.name} has no state before its first checkpoint`, { data: { run: record.name } });
  const journal = openJournal(context, record);
  return { run: record.name, checkpoint: readCheckpoint(context, record, number), program: () => journal.programBytes(journal.genesis().program) };
}

function plain({ run, checkpoint }: Point): DiffPoint {
  return { run, checkpoint: checkpoint.number, instructions: checkpoint.at, root: checkpoint.root };
}

interface Side { readonly section: (name: string) => Canonical | undefined; readonly files: FileTree }

function readSide({ store, digests }: StoreContext, root: Root): Side {
  const { sections } = openSnapshot(store, root, digests);
  const section = (name: string): Canonical | undefined => {
    const bytes = sections.get(name);
    return bytes === undefined ? undefined : decodeCanonical(bytes);
  };
  return { section, files: readFileTree(section('files')) };
}

function* compare(context: StoreContext, [a, b]: readonly [Point, Point]): Generator<StateDifference> {
  const roots = [a.checkpoint.root, b.checkpoint.root] as const;
  const sides = roots.map((root) => readSide(context, root)) as [Side, Side]; // Two went in.
  const found = [...diffSnapshots(context.store, roots, context.digests)];
  const symbols = new Symbols(a.program());
  yield* processes(sides, symbols);
  yield* files(sides, found);
  yield* memory(context, sides, { found, symbols });
  for (const name of ['kernel', 'channels', 'images']) for (const { path, first, second } of diffValues(name, sides[0].section(name), sides[1].section(name))) yield { area: 'state', what: path, first, second };
}

function* processes([first, second]: readonly [Side, Side], symbols: Symbols): Generator<StateDifference> {
  const [mine, theirs] = [membersOf(first.section('processes')), membersOf(second.section('processes'))];
  for (const pid of new Set([...mine.keys(), ...theirs.keys()])) {
    const [a, b] = [mine.get(pid), theirs.get(pid)];
    if (!isFields(a) || !isFields(b)) {
      yield { area: 'threads', what: `process ${pid}`, first: a === undefined ? undefined : 'there', second: b === undefined ? undefined : 'there' };
      continue;
    }
    yield* threads(`process ${pid}`, [a['threads'], b['threads']], symbols);
    yield* descriptors(`process ${pid}`, [describeDescriptors(a, first), describeDescriptors(b, second)]);
    const rest = (fields: typeof a): Canonical => Object.fromEntries(Object.entries(fields).filter(([key]) => key !== 'threads' && key !== 'files'));
    for (const { path, first: one, second: other } of diffValues(`process ${pid}`, rest(a), rest(b))) yield { area: 'state', what: path, first: one, second: other };
  }
}

function* threads(process: string, [first, second]: readonly [Canonical | undefined, Canonical | undefined], symbols: Symbols): Generator<StateDifference> {
  const [mine, theirs] = [membersOf(first), membersOf(second)];
  for (const tid of new Set([...mine.keys(), ...theirs.keys()])) {
    const [a, b] = [mine.get(tid), theirs.get(tid)];
    const what = `${process} thread ${tid}`;
    if (!isFields(a) || !isFields(b)) {
      yield { area: 'threads', what, first: a === undefined ? undefined : 'there', second: b === undefined ? undefined : 'there' };
      continue;
    }
    yield* registers(what, [a['registers'], b['registers']], symbols);
    const rest = (fields: typeof a): Canonical => Object.fromEntries(Object.entries(fields).filter(([key]) => key !== 'registers'));
    for (const { path, first: one, second: other } of diffValues(what, rest(a), rest(b))) yield { area: 'threads', what: path, first: one, second: other };
  }
}

function* registers(thread: string, blocks: readonly [Canonical | undefined, Canonical | undefined], symbols: Symbols): Generator<StateDifference> {
  const [a, b] = blocks;
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array)) return;
  for (const { name, offset, bytes } of riscv64.abi.registers) {
    const [one, other] = [a, b].map((block) => readRegister(block, offset, bytes)) as [bigint, bigint]; // Two went in.
    if (one === other) continue;
    const text = (value: bigint): string => `0x${value.toString(16)}${name === 'pc' ? ` ${symbols.at(Number(value)) ?? ''}`.trimEnd() : ''}`;
    yield { area: 'registers', what: `${thread} ${name}`, first: text(one), second: text(other) };
  }
}

function readRegister(block: Uint8Array, offset: number, bytes: 4 | 8): bigint {
  if (offset + bytes > block.length) return 0n;
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  return bytes === 8 ? view.getBigUint64(offset, true) : BigInt(view.getUint32(offset, true));
}

function describeDescriptors(process: Readonly<Record<string, Canonical>>, { files: { openFiles } }: Side): ReadonlyMap<string, string> {
  const context = process['files'];
  const table = isFields(context) ? listOf(context['descriptors'])[1] : undefined;
  return new Map(listOf(table).map((entry) => {
    const [number, id] = listOf(entry);
    return [textOf(number), openFiles.get(Number(id)) ?? `open file ${textOf(id)}`];
  }));
}

function* descriptors(process: string, [first, second]: readonly [ReadonlyMap<string, string>, ReadonlyMap<string, string>]): Generator<StateDifference> {
  for (const number of new Set([...first.keys(), ...second.keys()])) {
    const [a, b] = [first.get(number), second.get(number)];
    if (a !== b) yield { area: 'descriptors', what: `${process} descriptor ${number}`, first: a, second: b };
  }
}

function* files([first, second]: readonly [Side, Side], found: readonly Difference[]): Generator<StateDifference> {
  const changed = new Set(found.flatMap((difference) => (difference.kind === 'page' ? [difference.object] : difference.kind === 'object' ? [difference.name] : [])));
  const hasOtherContent = (mine: number, theirs: number): boolean => mine !== theirs || changed.has(`file/${mine}`);
  for (const { path, what, first: one, second: other } of diffFileTrees(first.files, second.files, hasOtherContent)) yield { area: 'files', what: `${path}: ${what}`, first: one, second: other };
}

interface Region { readonly name: string; readonly start: number; readonly end: number; pages: number; bytes: number; readonly symbols: Map<string, number> }

function* memory(context: StoreContext, sides: readonly [Side, Side], { found, symbols }: { readonly found: readonly Difference[]; readonly symbols: Symbols }): Generator<StateDifference> {
  const regions = new Map<string, Region>();
  for (const difference of found) {
    if (difference.kind === 'object' && difference.name.startsWith('memory/')) yield { area: 'memory', what: difference.name, first: difference.presence === 'first' ? 'there' : undefined, second: difference.presence === 'second' ? 'there' : undefined };
    if (difference.kind !== 'page' || !difference.object.startsWith('memory/')) continue;
    const place = regionOf(sides, difference);
    const key = `${difference.object} ${place.start}`;
    const region = regions.get(key) ?? { ...place, pages: 0, bytes: 0, symbols: new Map<string, number>() };
    regions.set(key, region);
    countPage(region, { difference, pages: readPages(context.store, context.digests, difference), symbols });
  }
  for (const { name, start, end, pages, bytes, symbols: named } of regions.values()) {
    const shown = [...named].sort(([, a], [, b]) => b - a).slice(0, SYMBOLS_SHOWN).map(([symbol, count]) => `${symbol} (${count})`).join(', ');
    yield { area: 'memory', what: `${name} 0x${start.toString(16)}-0x${end.toString(16)}`, first: `${bytes} bytes on ${pages} pages`, second: shown === '' ? 'differ' : `in ${shown}${named.size > SYMBOLS_SHOWN ? ', …' : ''}` };
  }
}

/** The mapping that holds a page, in the first state or else in the second. */
function regionOf(sides: readonly [Side, Side], { object, address }: Extract<Difference, { kind: 'page' }>): { readonly name: string; readonly start: number; readonly end: number } {
  for (const { section } of sides) {
    const image = membersOf(section('images')).get(object.slice('memory/'.length));
    const space = isFields(image) ? image['space'] : undefined;
    for (const mapping of isFields(space) ? listOf(space['mappings']) : []) {
      if (!isFields(mapping)) continue;
      const [start, end] = [Number(mapping['start']), Number(mapping['end'])];
      if (address < start || address >= end) continue;
      const backing = mapping['backing'];
      const name = isFields(backing) ? textOf(backing['path']) : textOf(mapping['name']);
      return { name: `${object} ${name === '' ? 'anonymous' : name}`, start, end };
    }
  }
  return { name: `${object} unmapped`, start: address, end: address + PAGE_BYTES };
}

function countPage(region: Region, { difference, pages: [a, b], symbols }: { readonly difference: Extract<Difference, { kind: 'page' }>; readonly pages: readonly [Uint8Array, Uint8Array]; readonly symbols: Symbols }): void {
  region.pages++;
  for (let offset = 0; offset < PAGE_BYTES; offset++) {
    if (a[offset] === b[offset]) continue;
    region.bytes++;
    const name = symbols.nameAt(difference.address + offset);
    if (name !== undefined) region.symbols.set(name, (region.symbols.get(name) ?? 0) + 1);
  }
}
