/**
 * `fsck`: every record of a store against its hash, its form and what it should belong to; on request, what cannot be trusted is dropped.
 * A repair may have another copy to take from: what that holds soundly is put back in place of being dropped.
 * Invariants: checking changes nothing and needs no ownership; a repair refuses while a run is being executed. What was lost is said line by line.
 * LMDB's own pages come first: while one is damaged nothing else is believed, and a repair makes the file anew from what can be reached.
 * What this does NOT do: find damage of pages that are free. The command line looks from a child process all the same.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { orElse, StillpointError, type ErrorCode } from '../core/index.ts';
import { createNodeDigests } from '../core/live/digest.ts';
import type { GenesisFrame } from '../journal/index.ts';
import { decodeManifest } from '../manifest/index.ts';
import { settleLists, SnapshotChecker, type BadRecord } from '../snapshot/index.ts';
import { META_KEY, storeId, type Store } from '../store/index.ts';
import { asCollector, findRun, idsWithoutRecord, inspectStore, OtherCopy, putBack, readRun, repair, runNames, StaleRows, stateOfRun, tableOf, type Finding, type Inspection, type Remedy, type StoreContext } from '../txn/index.ts';
import type { PageCheck, PageTrouble } from '../store/live/lmdb-check.ts';
import { cutError, DATA_FILE } from '../store/live/lmdb-files.ts';
import { rebuildStore, type Rebuilt } from '../store/live/lmdb-rebuild.ts';
import { lookAtPages } from '../store/live/lmdb-store.ts';
import { lostBindings } from './bindings-codec.ts';
import { defaultStoreDirectory, withStore } from './context.ts';
import { isAlive, monotonicMs, thisOwner } from './host.ts';
import { restoreFromHost } from './host-copies.ts';
import { blobsOfImage, imageOfRun } from './image-store.ts';
import { withOtherCopy, type OtherStore } from './other-store.ts';

export interface FsckRequest {
  readonly store?: string | undefined;
  readonly repairs: boolean;
  /** A repair's other copy: a store's directory or an exported run. */
  readonly from?: string | undefined;
  readonly onProgress?: ((progress: { readonly pass: number; readonly bytes: number }) => void) | undefined;
}
export interface FsckFinding { readonly code: ErrorCode; readonly says: string; readonly run: string | undefined }
export interface FsckResult {
  readonly isSound: boolean;
  /** What was wrong when the check began. */
  readonly findings: readonly FsckFinding[];
  /** What a repair did and what it lost. */
  readonly repairs: readonly string[];
  /** What repairs have given up before: no damage any more, but said each time. */
  readonly losses: readonly string[];
  /** What is still wrong after a repair. */
  readonly remaining: readonly FsckFinding[];
  readonly runs: number;
  readonly frames: number;
  readonly checkpoints: number;
  readonly bytes: number;
}

/** Each pass repairs what the one before laid open; more are not needed by any damage that we know. */
const PASSES_MAX = 8;
const BREATH_EVERY_MS = 50;

export async function checkStore(request: FsckRequest): Promise<FsckResult> {
  const { from, store } = request;
  if (from !== undefined && !request.repairs) throw new StillpointError('E_USAGE', 'option --from goes with --repair');
  const directory = store ?? defaultStoreDirectory();
  const pages = existsSync(directory) ? await lookAtStore(directory, request) : [];
  if (pages.length > 0 && !request.repairs) return { ...NOTHING, isSound: false, findings: pages, remaining: pages };
  const check = (copy?: OtherStore): Promise<FsckResult> => (pages.length > 0 ? repairPages(directory, request, copy) : checkRecords(request, copy?.store));
  return from === undefined ? check() : withOtherCopy({ path: from, store }, check);
}

/** What is wrong with the database below the records. Throws when it is not known to be a store. */
async function lookAtStore(directory: string, { repairs }: FsckRequest): Promise<readonly FsckFinding[]> {
  try {
    const { troubles, cut } = await lookAtPages(directory);
    return [...cut === undefined ? [] : [cutFinding(directory, cut)], ...troubles.map(pageFinding)];
  } catch (error) {
    // A repair finds out whether a file with such a header has records of ours.
    const isDamage = error instanceof StillpointError && (error.code === 'E_STORE_CORRUPT' || (repairs && error.code === 'E_STORE_FOREIGN' && statSync(join(directory, DATA_FILE), { throwIfNoEntry: false })?.isFile() === true));
    if (!isDamage) throw error;
    return [{ code: error.code, says: error.message, run: undefined }];
  }
}

/** Makes the database anew; then its records are checked, and repaired as far as they were lost. */
async function repairPages(directory: string, request: FsckRequest, copy: OtherStore | undefined): Promise<FsckResult> {
  const digests = await createNodeDigests();
  const rebuilt = await rebuildStore(directory, (key, value) => tableOf({ digests }, key, value));
  const { records, loose, troubles } = rebuilt;
  const found = await withStore(request.store, 'existing', (context) => findRuns(context, rebuilt, copy));
  const rest = await checkRecords(request, copy?.store);
  const byThemselves = loose.length === 0 ? '' : `, ${loose.length} of which lay in pages that nothing leads to any more`;
  return { ...rest, findings: [...troubles.map(pageFinding), ...rest.findings], repairs: [`the database was made anew from the ${records} records that could be reached${byThemselves}`, ...found, ...rest.repairs] };
}

/** Run records from pages by themselves may be older than the journals, or of runs that were removed; and journals may have lost theirs, which another copy may know. Before and after, what else only that has. */
async function findRuns(context: StoreContext, { loose, broken, format }: Rebuilt, source: OtherStore | undefined): Promise<readonly string[]> {
  const copy = source === undefined ? undefined : new OtherCopy(context, source.store);
  const stale = new StaleRows(context, loose, source === undefined ? undefined : { rows: source.store, transaction: isOfSameFile(format, source.store) ? source.transaction : undefined });
  await stale.dropGone(broken);
  const known = { runs: stale.certainRuns(), isOlder: stale.isOlder.bind(stale) };
  const lines: (string | undefined)[] = [...await copy?.takeLostRows(broken, ['checkpoints', 'marks'], known) ?? []];
  for (const id of await stale.dropOlderRuns()) lines.push(await copy?.restoreRun(id));
  for (const { key } of loose.filter(({ table }) => table === 'runs')) {
    if (!context.store.has('runs', key)) continue;
    const older = readRun(context, new TextDecoder().decode(key));
    lines.push(await findRun(context, { id: older.id, older }));
  }
  // A table that is whole knows every run.
  const lost = broken.has('runs') ? idsWithoutRecord(context, { hasOwner: !broken.has('owners') }) : [];
  for (const id of lost) lines.push(await copy?.restoreRun(id) ?? await findRun(context, { id, bindingsOf: bindingsForLost }));
  lines.push(...await copy?.takeLostRows(broken, ['meta'], known) ?? []);
  return lines.filter((line) => line !== undefined);
}

/** Whether a copy was made of the file that was broken: then both count their transactions from the same beginning. */
function isOfSameFile(format: Uint8Array | undefined, copy: Store): boolean {
  const there = storeId(copy.get('meta', META_KEY));
  return there !== undefined && there === storeId(format);
}

function cutFinding(directory: string, cut: NonNullable<PageCheck['cut']>): FsckFinding {
  const { code, message } = cutError(join(directory, DATA_FILE), cut);
  return { code, says: message, run: undefined };
}

function pageFinding({ page, table, says }: PageTrouble): FsckFinding {
  return { code: 'E_STORE_CORRUPT', says: `page ${page} of the database (${table}) ${says}`, run: undefined };
}

function checkRecords(request: FsckRequest, copy: Store | undefined): Promise<FsckResult> {
  return withStore(request.store, request.repairs ? 'existing' : 'read-only', (context) => checkOpenStore(context, { ...request, copy }));
}

const bindingsForLost = ({ manifest }: GenesisFrame): string => lostBindings(decodeManifest(manifest));

const NOTHING = { repairs: [], losses: [], runs: 0, frames: 0, checkpoints: 0, bytes: 0 } as const;

type OpenRequest = Omit<FsckRequest, 'store' | 'from'> & { readonly copy?: Pick<Store, 'get' | 'range'> | undefined };

/** The same for a store that is open. */
export async function checkOpenStore(context: StoreContext, request: OpenRequest): Promise<FsckResult> {
  if (!request.repairs) return result(await look(context, request, 1), [], undefined);
  return asCollector(context, { owner: thisOwner(), isAlive }, async () => {
    refuseWhileRunning(context);
    const first = await look(context, request, 1);
    const copy = request.copy === undefined ? undefined : new OtherCopy(context, request.copy);
    const repairs: string[] = [];
    let last = first;
    if (first.findings.length > 0) {
      await settleLists(context.store, context.digests); // What is wrong with a pack is then wrong with its pages, not with a list.
      last = await look(context, request, 1);
      repairs.push(...settled(first, last));
    }
    for (let pass = 2; pass <= PASSES_MAX && last.findings.some((finding) => isMendable(finding) || copy?.mayRestore(finding) === true); pass++) {
      // What this store still has itself needs no copy.
      const known = await putBack(context, last.findings);
      const restored = copy === undefined || known.length > 0 ? [] : await restore(copy, last.findings);
      const fromHost = known.length + restored.length > 0 ? [] : await restoreFromHost(context, last.findings);
      repairs.push(...known, ...restored, ...fromHost);
      if (known.length + restored.length + fromHost.length === 0) repairs.push(...await mend(context, last.findings));
      last = await look(context, request, pass);
    }
    return result(first, repairs, last);
  });
}

/** A list knows where a page is whose record was wrong: settled, it puts that right. */
function settled(before: Inspection, after: Inspection): readonly string[] {
  const left = new Set(after.findings.map(({ says }) => says));
  return before.findings.flatMap(({ remedy, says }) => (remedy.kind === 'put' && !left.has(says) ? [`mended: ${says}`] : []));
}

interface Look extends Inspection { readonly bytes: number }

async function look(context: StoreContext, { onProgress }: OpenRequest, pass: number): Promise<Look> {
  let bytes = 0;
  let rested = monotonicMs();
  const breathe = async (more: number): Promise<void> => {
    bytes += more;
    onProgress?.({ pass, bytes });
    if (monotonicMs() - rested < BREATH_EVERY_MS) return;
    await sleep(0);
    rested = monotonicMs();
  };
  const snapshots = new SnapshotChecker(context.store, context.digests);
  const asFinding = (record: BadRecord): Finding => ({ code: record.code, says: record.says, remedy: remedyOf(record) });
  const records = (await snapshots.records({ breathe })).map(asFinding);
  const inspection = await inspectStore(context, { snapshots, breathe, images: { ofRun: imageOfRun, blobs: (image) => blobsOfImage(context, image) } });
  return { ...inspection, findings: [...records, ...snapshots.lostLocations().map(asFinding), ...inspection.findings], bytes };
}

function remedyOf({ table, key, value }: BadRecord): Remedy {
  if (value !== undefined) return { kind: 'put', table, key, value };
  return table === 'packs' ? { kind: 'salvage', key } : { kind: 'delete', table, key };
}

function isMendable({ remedy }: Finding): boolean {
  return remedy.kind !== 'none';
}

/** What the copy can give back, before anything is dropped: packs first, because what lies in them is then where it belongs. */
async function restore(copy: OtherCopy, findings: readonly Finding[]): Promise<readonly string[]> {
  const isOfPack = ({ remedy }: Finding): boolean => remedy.kind === 'salvage';
  const lines: string[] = [];
  copy.beginPass();
  for (const finding of [...findings.filter(isOfPack), ...findings.filter((other) => !isOfPack(other))]) {
    const line = await copy.restore(finding);
    if (line !== undefined) lines.push(line);
  }
  return lines;
}

/** Content first, alone: what hangs on it is judged when it has been mended. Run records before owners without one: they know a name. One remedy a run and pass: each changes what the next would be about. */
async function mend(context: StoreContext, findings: readonly Finding[]): Promise<readonly string[]> {
  const content = findings.filter(({ remedy }) => remedy.kind === 'salvage' || remedy.kind === 'own-anew' || (remedy.kind === 'delete' && remedy.table !== 'runs' && remedy.table !== 'owners'));
  const chosen = content.length > 0 ? content : oneForEachRun(findings.filter(isMendable));
  const lost: string[] = [];
  for (const finding of chosen) {
    const line = await repair(context, finding, { bindingsOf: bindingsForLost });
    if (line !== undefined) lost.push(line);
  }
  return lost;
}

/** Checkpoints may all go at once; a cut comes alone, the deepest first. */
function oneForEachRun(findings: readonly Finding[]): readonly Finding[] {
  const byRun = new Map<string | undefined, Finding[]>();
  for (const finding of findings) byRun.set(finding.run, [...byRun.get(finding.run) ?? [], finding]);
  return [...byRun.values()].flatMap((group) => {
    const cuts = group.flatMap((finding) => (finding.remedy.kind === 'cut' ? [{ finding, frame: finding.remedy.frame }] : [])).sort((a, b) => a.frame - b.frame);
    return cuts[0] === undefined ? group : [cuts[0].finding];
  });
}

/** A run whose record or owner cannot be read is what the repair is about; its writers' commits fail anyway. */
function refuseWhileRunning(context: StoreContext): void {
  for (const name of runNames(context)) {
    if (isRunning(context, name)) throw new StillpointError('E_RUN_OWNED', `run ${name} is being executed; a repair needs the store for itself`, { data: { run: name } });
  }
}

function isRunning(context: StoreContext, name: string): boolean {
  return orElse(false, () => stateOfRun(context, readRun(context, name), isAlive) === 'running');
}

function result(first: Look, repairs: readonly string[], last: Look | undefined): FsckResult {
  const plain = (findings: readonly Finding[]): readonly FsckFinding[] => findings.map(({ code, says, run }) => ({ code, says, run }));
  const remaining = last === undefined ? first.findings : last.findings;
  const { losses, runs, frames, checkpoints, bytes } = last ?? first;
  return { isSound: remaining.length === 0, findings: plain(first.findings), repairs, losses, remaining: plain(remaining), runs, frames, checkpoints, bytes };
}
