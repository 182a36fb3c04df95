/**
 * A second copy of what a store holds, for `fsck --repair --from`: gives back what a repair would otherwise drop.
 *
 *   page, node, blob        by hash                         frames      where they continue the hash chain
 *   checkpoint, mark, image the row under the same key      run record  the copy's; where the journal here goes on behind it, brought up to that
 *
 * Invariants: content is believed for its hash, frames for the chain; other rows are looked at again by the next pass, and each finding is tried once, so that a
 * copy that is no good ends in the repair without it. What is sound here is never replaced.
 * What this does NOT do: open the copy (session/other-store.ts), find (inspect.ts), drop (repair.ts).
 */
import { orElse, StillpointError, unreachable } from '../core/index.ts';
import { emptyTail, entryKey, framesFromCopy, blobKey, hexOfBytes, isRunId, JournalReader, runKey, type RunId } from '../journal/index.ts';
import { readHash, salvagePack, SnapshotHealer } from '../snapshot/index.ts';
import { ALL_KEYS, type Store, type StoreDelete, type StorePut, type Table } from '../store/index.ts';
import { EPOCH_ANEW, findRun, freeName, idsWithoutRecord } from './found-run.ts';
import type { Finding } from './inspect.ts';
import { takeLostRows, type Known, type LosingTable } from './lost-rows.ts';
import { encodeOwnerRecord, type StoreContext } from './ownership.ts';
import { referencesPut } from './references.ts';
import { decodeRunRecord, encodeRunRecord, nameKey, type RunRecord } from './run-record.ts';
import { readCheckpoint, readRun } from './runs.ts';

export class OtherCopy {
  readonly #context: StoreContext;
  readonly #source: Pick<Store, 'get' | 'range'>;
  readonly #tried = new Set<string>();
  #healer: SnapshotHealer;

  constructor(context: StoreContext, source: Pick<Store, 'get' | 'range'>) {
    this.#context = context;
    this.#source = source;
    this.#healer = this.#newHealer();
  }

  /** Before the findings of another pass: what the last one looked at has changed. */
  beginPass(): void {
    this.#healer = this.#newHealer();
  }

  /** Whether this has not been tried. */
  mayRestore(finding: Finding): boolean {
    return !this.#tried.has(nameOf(finding)) && (finding.remedy.kind !== 'none' || finding.hash !== undefined);
  }

  /** Puts back what the finding is about. Returns a line about it; undefined when the copy does not have it or has been tried. */
  async restore(finding: Finding): Promise<string | undefined> {
    if (!this.mayRestore(finding)) return undefined;
    this.#tried.add(nameOf(finding));
    const blob = this.#blob(finding);
    if (blob !== undefined) return this.#commit([blob], finding);
    const { remedy } = finding;
    switch (remedy.kind) {
      case 'delete': return this.#row(finding, remedy);
      case 'salvage': return this.#pack(finding, remedy.key);
      case 'drop-checkpoint': return this.#checkpoint(finding, remedy);
      case 'cut': return this.#frames(finding, remedy);
      case 'put':
      case 'own-anew':
      case 'note-loss':
      case 'none': return undefined;
      default: return unreachable(remedy);
    }
  }

  /** What a database made anew may miss unnoticed, or have as it was once, of those tables that were broken. Returns lines about it. */
  async takeLostRows(broken: ReadonlySet<Table>, tables: readonly LosingTable[], known: Known): Promise<readonly string[]> {
    const lines: string[] = [];
    for (const table of tables.filter((each) => broken.has(each))) lines.push(...await takeLostRows(this.#context, this.#source, { table, ...known }));
    return lines;
  }

  #newHealer(): SnapshotHealer {
    return new SnapshotHealer({ store: this.#context.store, source: this.#source, digests: this.#context.digests });
  }

  async #commit(puts: readonly StorePut[], { says }: Finding, deletes: readonly StoreDelete[] = []): Promise<string | undefined> {
    if (puts.length === 0) return undefined;
    await this.#context.store.commit({ puts, deletes });
    return `restored from the other copy: ${says}`;
  }

  #blob({ hash, code }: Finding): StorePut | undefined {
    if (hash === undefined || !(code.startsWith('E_BLOB') || code.startsWith('E_PROGRAM'))) return undefined;
    const value = this.#source.get('blobs', blobKey(hash));
    return value === undefined || this.#context.digests.sha256(value) !== hash ? undefined : { table: 'blobs', key: blobKey(hash), value };
  }

  async #row(finding: Finding, { table, key }: { readonly table: Table; readonly key: Uint8Array }): Promise<string | undefined> {
    switch (table) {
      case 'nodes': {
        const value = this.#healer.node(key);
        return value === undefined ? undefined : this.#commit([{ table, key, value }], finding);
      }
      case 'pages': return key.length === 32 ? this.#commit(this.#healer.content(readHash(key)) ?? [], finding) : undefined;
      case 'runs': return this.#run(key);
      case 'marks': return this.#sameRow(finding, this.#context.store.has('checkpoints', key) ? table : 'checkpoints', key); // No rule drops a marked checkpoint.
      case 'meta': return new TextDecoder().decode(key).startsWith('image') ? this.#sameRow(finding, table, key) : undefined;
      // What has no place in this store has none because of a copy.
      case 'blobs': case 'frames': case 'checkpoints': case 'packs': case 'locations': case 'shelves': return undefined;
      case 'owners': return this.#runOf(key);
      default: return unreachable(table);
    }
  }

  async #sameRow(finding: Finding, table: Table, key: Uint8Array): Promise<string | undefined> {
    const value = this.#source.get(table, key);
    const here = this.#context.store.get(table, key);
    return value === undefined || (here !== undefined && hexOfBytes(here) === hexOfBytes(value)) ? undefined : this.#commit([{ table, key, value }], finding);
  }

  /** The record of a run that has lost it; undefined when the copy does not know the run. */
  async restoreRun(id: RunId): Promise<string | undefined> {
    for (const { key, value } of this.#source.range('runs', ALL_KEYS)) {
      const record = this.#runRecord(key, value);
      if (record?.id === id) return this.#asRun(record);
    }
    return undefined;
  }

  /** A run of which only the owner record is left: what it was called is told by the copy. */
  async #runOf(owner: Uint8Array): Promise<string | undefined> {
    const id = hexOfBytes(owner);
    return isRunId(id) && idsWithoutRecord(this.#context).includes(id) ? this.restoreRun(id) : undefined;
  }

  #runRecord(key: Uint8Array, bytes: Uint8Array): RunRecord | undefined {
    return orElse(undefined, () => decodeRunRecord(this.#context.digests, new TextDecoder().decode(key), bytes));
  }

  /** The record that was under this key, unless another run had the name. */
  async #run(key: Uint8Array): Promise<string | undefined> {
    const bytes = this.#source.get('runs', key);
    const record = bytes === undefined ? undefined : this.#runRecord(key, bytes);
    return record === undefined || !idsWithoutRecord(this.#context, { hasOwner: false }).includes(record.id) ? undefined : this.#asRun(record);
  }

  /** A run whose record is lost gets the copy's. Where its journal here is another or a longer one, that counts, and the copy says the rest. */
  async #asRun(copied: RunRecord): Promise<string | undefined> {
    const { store, digests } = this.#context;
    const older: RunRecord = { ...copied, name: this.#freeName(copied.name), status: copied.status === 'running' ? 'stopped' : copied.status };
    // With what the journal misses in its middle, it may go on behind that.
    const frames = framesFromCopy({ store, source: this.#source, digests }, { run: older.id, from: emptyTail(digests, older.id), count: older.tail.count });
    if (frames.length > 0) await store.commit({ puts: frames });
    const found = await findRun(this.#context, { id: older.id, older, frames: this.#source });
    if (found !== undefined) return found;
    const puts: StorePut[] = [{ table: 'runs', key: nameKey(older.name), value: encodeRunRecord(digests, older) }, referencesPut(older, 1)];
    if (!store.has('owners', runKey(older.id))) puts.push({ table: 'owners', key: runKey(older.id), value: encodeOwnerRecord(digests, older.id, { epoch: EPOCH_ANEW, owner: undefined }) });
    await store.commit({ puts });
    return `restored from the other copy: the record of run ${older.name} (id ${older.id})`;
  }

  /** The name, unless a run here has it that can be read. */
  #freeName(name: string): string {
    const key = nameKey(name);
    const here = this.#context.store.get('runs', key);
    return here === undefined || this.#runRecord(key, here) === undefined ? name : freeName(this.#context, name);
  }

  /** What is sound of a damaged pack into a new one, the rest from the copy. */
  async #pack(finding: Finding, key: Uint8Array): Promise<string | undefined> {
    const { puts, lost } = salvagePack(this.#context.store, this.#context.digests, key);
    const found = lost.flatMap((hash) => this.#healer.content(hash) ?? []);
    if (found.length === 0 || lost.some((hash) => !found.some((put) => put.table === 'pages' && readHash(put.key) === hash))) return undefined; // The rest is looked for under the roots.
    return this.#commit([...puts, ...found], finding, [{ table: 'packs', key }]);
  }

  async #checkpoint(finding: Finding, { name, number }: { readonly name: string; readonly number: number }): Promise<string | undefined> {
    const record = readRun(this.#context, name);
    const before = this.#healer.taken;
    let root;
    try {
      ({ root } = readCheckpoint(this.#context, record, number));
    } catch (error) {
      if (!(error instanceof StillpointError)) throw error;
      const said = await this.#sameRow(finding, 'checkpoints', entryKey(record.id, number));
      if (said !== undefined) this.#tried.delete(nameOf(finding)); // Now its pages may be missed.
      return said;
    }
    const batches = this.#healer.heal(root);
    for (let batch = batches.next(); ; batch = batches.next()) {
      // Nothing was missing: the record itself may be that of another checkpoint.
      if (batch.done === true) return this.#healer.taken === before ? this.#sameRow(finding, 'checkpoints', entryKey(record.id, number)) : `restored from the other copy: ${this.#healer.taken - before} pages and nodes of checkpoint ${number} of run ${name}`;
      await this.#context.store.commit({ puts: batch.value });
    }
  }

  async #frames(finding: Finding, { name, frame }: { readonly name: string; readonly frame: number }): Promise<string | undefined> {
    const { store, digests } = this.#context;
    const { id, tail } = readRun(this.#context, name);
    if (frame >= tail.count) return undefined;
    const from = frame === 0 ? emptyTail(digests, id) : new JournalReader(this.#context, { run: id, tail }).tailAfter(frame);
    const puts = framesFromCopy({ store, source: this.#source, digests }, { run: id, from, count: tail.count });
    return this.#commit(puts, finding);
  }
}

function nameOf({ remedy, hash }: Finding): string {
  switch (remedy.kind) {
    case 'delete':
    case 'put': return `${remedy.kind} ${remedy.table} ${hexOfBytes(remedy.key)}`;
    case 'salvage': return `salvage ${hexOfBytes(remedy.key)}`;
    case 'cut': return `cut ${remedy.name} ${remedy.frame} ${hash ?? ''}`;
    case 'drop-checkpoint': return `checkpoint ${remedy.name} ${remedy.number}`;
    case 'own-anew': return `owner ${remedy.run}`;
    case 'note-loss':
    case 'none': return `blob ${hash ?? ''}`;
    default: return unreachable(remedy);
  }
}
