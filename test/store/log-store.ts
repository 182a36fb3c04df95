/**
 * A store on a disk that tears writes: an append-only log of checked records over the memory twin. What was appended and not synced may be lost, or
 * only its first bytes may be there when the process starts again. For tests of everything that claims to survive that.
 */
import { createHash } from 'node:crypto';
import { MemoryStore, type Store, type StoreBatch } from '../../src/store/index.ts';

/** What happens around a commit; a crash may take place in either. */
export interface LogStoreHooks {
  /** The record is appended, not synced. */
  readonly beforeSync?: () => Promise<void>;
  /** The record is on disk, nobody was told. */
  readonly afterSync?: () => Promise<void>;
  /** A broken disk: it says that it has what it has not. */
  readonly isLazy?: boolean;
}
/** How much of what was not synced the disk has. */
export type Tear = 'lost' | 'first byte' | 'half' | 'all but one byte' | 'whole';
export const TEARS: readonly Tear[] = ['lost', 'first byte', 'half', 'all but one byte', 'whole'];

const CHECK_BYTES = 32;
const HEAD_BYTES = 4 + CHECK_BYTES;

export class LogStore implements Store {
  readonly #memory: MemoryStore;
  readonly #hooks: LogStoreHooks;
  #log: Buffer;
  #synced: number;

  private constructor(memory: MemoryStore, log: Buffer, hooks: LogStoreHooks) {
    this.#memory = memory;
    this.#log = log;
    this.#synced = log.length;
    this.#hooks = hooks;
  }

  /** Reads records until one is torn; the rest is cut off. */
  static async open(log: Buffer, hooks: LogStoreHooks = {}): Promise<LogStore> {
    const memory = new MemoryStore();
    let offset = 0;
    for (let record = recordAt(log, offset); record !== undefined; record = recordAt(log, offset)) {
      await memory.commit(record.batch);
      offset = record.end;
    }
    return new LogStore(memory, log.subarray(0, offset), hooks);
  }

  /** What a process that starts after a crash of this one finds. */
  crash(tear: Tear): Buffer {
    const loose = this.#log.length - this.#synced;
    const kept = { lost: 0, 'first byte': Math.min(1, loose), half: loose >>> 1, 'all but one byte': Math.max(0, loose - 1), whole: loose }[tear];
    return Buffer.from(this.#log.subarray(0, this.#synced + kept));
  }

  get: Store['get'] = (table, key) => this.#memory.get(table, key);
  has: Store['has'] = (table, key) => this.#memory.has(table, key);
  range: Store['range'] = (table, bounds) => this.#memory.range(table, bounds);
  usage: Store['usage'] = () => this.#memory.usage();
  close: Store['close'] = () => this.#memory.close();

  async commit(batch: StoreBatch): Promise<'done' | 'conflict'> {
    if (await this.#memory.commit(batch) === 'conflict') return 'conflict'; // Applied at once: one process writes, and only its own reads see it early.
    this.#log = Buffer.concat([this.#log, encodeBatch(batch)]);
    const end = this.#log.length;
    await this.#hooks.beforeSync?.();
    if (this.#hooks.isLazy !== true || this.#synced === 0) this.#synced = Math.max(this.#synced, end);
    await this.#hooks.afterSync?.();
    return 'done';
  }
}

function encodeBatch({ deletes = [], puts = [] }: StoreBatch): Buffer {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const body = Buffer.from(JSON.stringify([deletes.map(({ table, key }) => [table, hex(key)]), puts.map(({ table, key, value }) => [table, hex(key), hex(value)])]));
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  return Buffer.concat([head, createHash('sha256').update(body).digest(), body]);
}

function recordAt(log: Buffer, offset: number): { readonly batch: StoreBatch; readonly end: number } | undefined {
  if (log.length < offset + HEAD_BYTES) return undefined;
  const end = offset + HEAD_BYTES + log.readUInt32LE(offset);
  const body = log.subarray(offset + HEAD_BYTES, end);
  const isWhole = end <= log.length && createHash('sha256').update(body).digest().equals(log.subarray(offset + 4, offset + HEAD_BYTES));
  if (!isWhole) return undefined;
  const [deletes, puts] = JSON.parse(body.toString()) as [[string, string][], [string, string, string][]];
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
  const batch = { deletes: deletes.map(([table, key]) => ({ table, key: bytes(key) })), puts: puts.map(([table, key, value]) => ({ table, key: bytes(key), value: bytes(value) })) };
  return { batch: batch as StoreBatch, end };
}
