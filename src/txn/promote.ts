/**
 * Promotion: of several continuations of a run one takes its place.
 *
 *   before   bank ── 1 ── 2 ── 3          after    bank   = what try-b was
 *                    └ try-a  └ try-b              (kept: what bank was, when a name for it was given; else it is gone)
 *
 * Invariants: one commit, all or nothing; neither run is owned by a living process; ids, frames, checkpoints and marks stay with their run, only names move.
 * What this does NOT do: move output files: each run's stay where its bindings say (`files`: the caller renames them, session/output-moves.ts).
 */
import { StillpointError } from '../core/index.ts';
import { allEntriesRange, runKey } from '../journal/index.ts';
import type { StoreDelete, StoreExpectation, StorePut } from '../store/index.ts';
import { decodeOwnerRecord, owned, type IsAlive, type StoreContext } from './ownership.ts';
import { answerDeletes } from './answers.ts';
import { lossesDelete } from './losses.ts';
import { movesDelete, movesPut, type OutputMove } from './output-moves.ts';
import { preparedDelete } from './prepared.ts';
import { REFERENCES_KEY } from './references.ts';
import { encodeRunRecord, nameKey, type RunRecord } from './run-record.ts';
import { readStoredRun } from './runs.ts';

export interface PromoteRequest {
  /** The continuation that stays. */
  readonly branch: string;
  /** The run whose place it takes; default: the one that it was branched from. */
  readonly onto?: string | undefined;
  /** A name under which the replaced run stays. */
  readonly keep?: string | undefined;
  readonly isAlive: IsAlive;
  /** Output files that change hands: renamed by the caller after this. */
  readonly files?: { readonly moves: readonly OutputMove[]; readonly bindings: string; readonly keptBindings: string } | undefined;
  /** Unique. */
  readonly token: string;
}

/** The promoted run under its new name. Throws E_RUN_UNKNOWN, E_RUN_EXISTS, E_RUN_OWNED, E_USAGE; then nothing has changed. */
export async function promoteRun(context: StoreContext, { branch, onto, keep, isAlive, token, files }: PromoteRequest): Promise<RunRecord> {
  const { store, digests } = context;
  const next = readStoredRun(context, branch);
  const name = onto ?? next.record.parent?.name;
  if (name === undefined) throw new StillpointError('E_USAGE', `run ${branch} is no branch of another; say whose place it takes with --onto RUN`, { data: { run: branch } });
  if (name === branch) throw new StillpointError('E_USAGE', `run ${branch} cannot take its own place`, { data: { run: branch } });
  const old = readStoredRun(context, name);
  if (onto === undefined && old.record.id !== next.record.parent?.id) throw new StillpointError('E_USAGE', `the run named ${name} is not the one that ${branch} was branched from; if it is meant, say --onto ${name}`, { data: { run: name } });
  const record: RunRecord = { ...next.record, name, ...(files === undefined ? {} : { bindings: files.bindings }) };
  const expect: StoreExpectation[] = [{ table: 'runs', key: nameKey(branch), value: next.bytes }, { table: 'runs', key: nameKey(name), value: old.bytes }, free(context, next.record, isAlive), free(context, old.record, isAlive)];
  // Collectors walk the runs by name: one that is at work must look again.
  const puts: StorePut[] = [{ table: 'runs', key: nameKey(name), value: encodeRunRecord(digests, record) }, { table: 'meta', key: REFERENCES_KEY, value: new TextEncoder().encode(`promote ${token}`) }];
  const deletes: StoreDelete[] = [{ table: 'runs', key: nameKey(branch) }];
  if (files !== undefined && files.moves.length > 0) puts.push(movesPut(context, record.id, files.moves));
  if (keep === undefined) deletes.push(...rowsOf(context, old.record));
  else {
    if (store.has('runs', nameKey(keep))) throw new StillpointError('E_RUN_EXISTS', `the store holds a run named ${keep} already; choose another name or remove it`, { data: { run: keep } });
    expect.push({ table: 'runs', key: nameKey(keep), value: undefined });
    puts.push({ table: 'runs', key: nameKey(keep), value: encodeRunRecord(digests, { ...old.record, name: keep, ...(files === undefined ? {} : { bindings: files.keptBindings }) }) });
  }
  if (await store.commit({ expect, deletes, puts }) === 'done') return record;
  throw new StillpointError('E_RUN_OWNED', `run ${branch} or ${name} changed while it was promoted; try again`, { data: { run: branch } });
}

/** Expects that nobody has taken the run since it was looked at. */
function free({ store, digests }: StoreContext, { id, name }: RunRecord, isAlive: IsAlive): StoreExpectation {
  const value = store.get('owners', runKey(id));
  const owner = value === undefined ? undefined : decodeOwnerRecord(digests, id, value).owner;
  if (owner !== undefined && isAlive(owner)) throw owned(name, owner);
  return { table: 'owners', key: runKey(id), value };
}

function rowsOf(context: StoreContext, { id }: RunRecord): readonly StoreDelete[] {
  const { store } = context;
  const rows = (['frames', 'checkpoints', 'marks'] as const).flatMap((table) => [...store.range(table, allEntriesRange(id))].map(({ key }): StoreDelete => ({ table, key })));
  return [{ table: 'owners', key: runKey(id) }, preparedDelete(id), movesDelete(id), lossesDelete(id), ...answerDeletes(context, id), ...rows];
}
