// A file system with one process and a page of guest memory, without a processor: calls are made by number with plain arguments. Channels
// are stand-ins whose input and quotas a test sets.
import { GuestMemory } from '../../../src/engine/index.ts';
import { BLOCKED, type Call, type CallResult } from '../../../src/posix/call.ts';
import { fileCalls } from '../../../src/posix/calls/file-calls.ts';
import { errnoName } from '../../../src/posix/errno.ts';
import { FileContext, FileSystem, GUEST, makeInitialTree, openChannel, type FileChannel } from '../../../src/posix/files/index.ts';

export const BASE = 0x20000;
const HANDLERS = new Map(fileCalls.map((entry) => [entry.name, entry.handle]));

type Spec = FileChannel['spec'];

/** A channel in memory: `input` is what there is to read, `output` what was written. */
export class FakeChannel implements FileChannel {
  readonly spec: Spec;
  input: number[] = [];
  ended = false;
  output: number[] = [];
  bytes: number[];
  /** Calls that may still move data. */
  quota = Infinity;
  blocks = false;
  asked = 0;
  operations = 0;

  constructor(spec: Partial<Spec> & { readonly name: string; readonly path: string }, content = '') {
    this.spec = { access: 'sequential', reads: true, writes: true, live: false, seenAs: 'pipe', ...spec };
    this.bytes = [...Buffer.from(content)];
  }

  get size(): number { return this.bytes.length; }
  canRead(): boolean { return !this.spec.live || this.input.length > 0 || this.ended; }
  requestInput(): void { this.asked++; }

  #spend(): boolean {
    if (this.operations >= this.quota) return false;
    this.operations++;
    return true;
  }

  read(length: number): Uint8Array | 'blocked' | 'quota' {
    if (this.input.length === 0 && !this.ended) return 'blocked';
    return this.#spend() ? Uint8Array.from(this.input.splice(0, length)) : 'quota';
  }

  readAt(offset: number, length: number): Uint8Array | 'blocked' | 'quota' {
    if (this.blocks) return 'blocked';
    return this.#spend() ? Uint8Array.from(this.bytes.slice(offset, offset + length)) : 'quota';
  }

  write(bytes: Uint8Array): number | 'quota' {
    if (!this.#spend()) return 'quota';
    this.output.push(...bytes);
    if (this.spec.access === 'append') this.bytes.push(...bytes);
    return bytes.length;
  }

  writeAt(offset: number, bytes: Uint8Array): number | 'blocked' | 'quota' {
    if (this.blocks) return 'blocked';
    if (!this.#spend()) return 'quota';
    while (this.bytes.length < offset + bytes.length) this.bytes.push(0);
    this.bytes.splice(offset, bytes.length, ...bytes);
    return bytes.length;
  }

  truncate(size: number): 'ok' | 'blocked' {
    while (this.bytes.length < size) this.bytes.push(0);
    this.bytes.length = size;
    return 'ok';
  }
}

export class FileMachine {
  readonly files: FileSystem;
  readonly context: FileContext;
  readonly memory = new GuestMemory(0x80000);
  readonly signals: number[] = [];
  readonly thread: { retryDeadline: bigint | undefined; moved: number } = { retryDeadline: undefined, moved: 0 };
  hidden = 0n;
  time = 0n;

  constructor(channels: readonly FakeChannel[] = [], restored?: (host: { clock: { now(): bigint }; channels: { get(name: string): FileChannel | undefined } }) => FileSystem) {
    const host = { clock: { now: () => this.time }, channels: { get: (name: string) => channels.find((channel) => channel.spec.name === name) } };
    this.memory.setRights(BASE / 4096, 32, 3);
    if (restored !== undefined) {
      this.files = restored(host);
      this.context = undefined as never; // The test restores it.
      return;
    }
    this.files = new FileSystem(host);
    makeInitialTree(this.files, { channels: channels.map((channel) => channel.spec), user: GUEST });
    this.context = new FileContext(this.files, 2);
    this.context.enterDirectory('/home/guest');
    for (const name of ['stdin', 'stdout', 'stderr']) {
      const openFile = openChannel(this.files, name);
      if (openFile !== undefined) this.context.install(openFile);
    }
    this.files.proc.setProcesses({ threads: () => [], list: () => [2], files: (pid) => (pid === 2 ? this.context : undefined) });
  }

  /** Strings become pointers to NUL-terminated bytes in guest memory. */
  raw(name: string, ...given: (number | string)[]): CallResult {
    let at = BASE + 0x10000;
    const args = given.map((value) => {
      if (typeof value === 'number') return value;
      const bytes = Buffer.from(`${value}\0`, 'latin1');
      this.memory.write(at, bytes);
      at += bytes.length;
      return at - bytes.length;
    });
    const value = (index: number): number => args[index] ?? 0;
    const call = {
      kernel: { files: this.files, processes: [], entropy: { take: (length: number) => new Uint8Array(length).fill(7) }, clock: { hidden: this.hidden }, raise: (_thread: unknown, signal: number) => this.signals.push(signal), lookAgain: () => undefined },
      process: { pid: 2, group: 2, files: this.context, limits: new Map(), memory: this.memory }, thread: this.thread, memory: this.memory,
      int: (index: number) => value(index) | 0, unsigned: (index: number) => value(index) >>> 0, size: value, offset: value,
      wide: (index: number) => BigInt.asUintN(64, BigInt(value(index))),
    } as unknown as Call; // The parts of a call that files use.
    const handle = HANDLERS.get(name);
    if (handle === undefined) throw new Error(`no call ${name}`);
    const result = handle(call);
    if (result !== BLOCKED) { this.thread.retryDeadline = undefined; this.thread.moved = 0; }
    return result;
  }

  /** The result as text: a number, an errno name, or `blocked`. */
  call(name: string, ...given: (number | string)[]): number | string {
    const result = this.raw(name, ...given);
    if (result === BLOCKED) return 'blocked';
    return typeof result === 'number' && result < 0 ? errnoName(result) : Number(result);
  }

  open(path: string, flags: number, mode = 0o644): number | string {
    return this.call('openat', -100, path, flags, mode);
  }

  write(descriptor: number, text: string): number | string {
    return this.call('write', descriptor, text, text.length);
  }

  /** What a read gives: the text, or the errno name or `blocked` in brackets. */
  read(descriptor: number, length: number): string {
    const result = this.call('read', descriptor, BASE, length);
    return typeof result === 'number' ? Buffer.from(this.memory.readable(BASE, result)!).toString('latin1') : `[${result}]`;
  }
}
