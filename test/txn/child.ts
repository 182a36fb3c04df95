/**
 * The other process of kill.test.ts: child.ts DIRECTORY OUTPUT FRAMES. Creates or takes over the run `torture`, hashes random input into a
 * file by the protocol of docs/formats/run.md, and goes on until the journal has FRAMES frames. Prints facts a line each, codes for errors.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { StillpointError, type InstructionCount } from '../../src/core/index.ts';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { blobKey, runId } from '../../src/journal/index.ts';
import { openLmdbStore } from '../../src/store/live/lmdb-store.ts';
import { createRun, openRun, recover, type Owner, type OutputPosition, type RunWriter, type StoreContext } from '../../src/txn/index.ts';

const [, , directory = '', output = '', frames = '0'] = process.argv;
const NAME = 'torture';

/** Start time of a process, field 22 of /proc/PID/stat; undefined when it is gone or a zombie. */
function startTime(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
const me: Owner = { host: 'this', pid: process.pid, started: startTime(process.pid)!, token: randomBytes(8).toString('hex') };
const isAlive = ({ pid, started }: Owner): boolean => process.env['TEST_ALL_DEAD'] !== '1' && startTime(pid) === started;

async function open(context: StoreContext): Promise<RunWriter> {
  try {
    return await openRun(context, { name: NAME, owner: me, isAlive });
  } catch (error) {
    if (!(error instanceof StillpointError) || error.code !== 'E_RUN_UNKNOWN') throw error;
    const id = runId(randomBytes(16).toString('hex'));
    return createRun(context, { name: NAME, id, createdMs: Date.now(), bindings: output, owner: me, manifest: new Uint8Array(1), program: new Uint8Array(100_000).fill(7), recorder: 'child' });
  }
}

class Child {
  readonly #context: StoreContext;
  readonly #writer: RunWriter;
  readonly #file = openSync(output, constants.O_RDWR | constants.O_CREAT, 0o600);
  #state = Buffer.alloc(32);
  #taken = 0;
  #written = 0;
  #outbox = Buffer.alloc(0);
  #position: OutputPosition = { synced: 0, delivered: 0, intended: 0 };

  constructor(context: StoreContext, writer: RunWriter) {
    this.#context = context;
    this.#writer = writer;
  }

  async recover(): Promise<void> {
    const recovery = recover(this.#context, this.#writer.record);
    recovery.journal.verify();
    const { checkpoint } = recovery;
    if (checkpoint !== undefined) {
      const bytes = Buffer.from(this.#context.store.get('nodes', blobKey(checkpoint.root))!);
      if (this.#context.digests.sha256(bytes) !== checkpoint.root) throw new Error('a checkpoint without its state');
      this.#state = bytes.subarray(0, 32);
      this.#taken = checkpoint.channels.get('in')!.inputPosition;
      this.#written = checkpoint.channels.get('out')!.outputPosition;
    }
    if (fstatSync(this.#file).size < this.#written) throw new Error('the file lost bytes that a checkpoint relies on');
    ftruncateSync(this.#file, this.#written);
    this.#position = { synced: this.#written, delivered: this.#written, intended: this.#written };
    await this.#commit({ isRewind: true });
    for (const { frame } of recovery.refeed()) if (frame.kind === 'input') this.#step(recovery.journal.inputBytes(frame));
    await this.#release();
  }

  async run(): Promise<void> {
    for (let round = 0; this.#writer.tail.count < Number(frames); round++) {
      const input = randomBytes(round % 7 === 0 ? 5000 : 50);
      this.#writer.append({ kind: 'input', at: BigInt(this.#taken) as InstructionCount, channel: 'in', offset: this.#taken, bytes: input });
      this.#step(input);
      if (round % 3 === 0) await this.#release();
      if (round % 10 === 0) await this.#checkpoint();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await this.#checkpoint();
    const at = BigInt(this.#taken) as InstructionCount;
    await this.#writer.commit({ instructions: at, frames: [{ kind: 'exit', at, outcome: { kind: 'exited', status: 0 }, root: this.#context.digests.sha256(this.#state) }], isLast: true });
    closeSync(this.#file);
  }

  #step(input: Uint8Array): void {
    this.#state = Buffer.from(this.#context.digests.sha256(Buffer.concat([this.#state, input])), 'hex');
    const line = Buffer.from(`${this.#state.toString('hex')}\n`);
    this.#taken += input.length;
    this.#written += line.length;
    this.#outbox = Buffer.concat([this.#outbox, line]);
  }

  async #release(): Promise<void> {
    this.#position = { ...this.#position, intended: this.#written };
    await this.#commit({});
    writeSync(this.#file, this.#outbox, 0, this.#outbox.length, this.#written - this.#outbox.length);
    this.#outbox = Buffer.alloc(0);
    this.#position = { ...this.#position, delivered: this.#written };
  }

  async #checkpoint(): Promise<void> {
    await this.#release();
    fsyncSync(this.#file);
    this.#position = { ...this.#position, synced: this.#written };
    await this.#commit({ isCheckpoint: true });
  }

  async #commit({ isRewind = false, isCheckpoint = false }: { readonly isRewind?: boolean; readonly isCheckpoint?: boolean }): Promise<void> {
    const root = this.#context.digests.sha256(this.#state);
    const channels = new Map([['in', { inputPosition: this.#taken, outputPosition: 0 }], ['out', { inputPosition: 0, outputPosition: this.#written }]]);
    await this.#writer.commit({
      instructions: BigInt(this.#taken) as InstructionCount, outputs: new Map([['out', this.#position]]), isRewind,
      ...(isCheckpoint ? { snapshot: { puts: [{ table: 'nodes' as const, key: blobKey(root), value: new Uint8Array(this.#state) }] }, checkpoint: { root, channels, digests: new Uint8Array(0), createdMs: Date.now() } } : {}),
    });
  }
}

try {
  const context: StoreContext = { store: await openLmdbStore({ directory, mode: 'create' }), digests: await createNodeDigests() };
  const writer = await open(context);
  console.log(`epoch ${writer.epoch}`);
  const child = new Child(context, writer);
  await child.recover();
  console.log('recovered');
  if (process.env['TEST_SLEEP'] === '1') await new Promise((resolve) => process.stdin.once('data', resolve));
  await child.run();
  await context.store.close();
  process.stdin.destroy();
  console.log('done');
} catch (error) {
  if (!(error instanceof StillpointError)) throw error;
  process.stdin.destroy();
  console.log(error.code);
}
