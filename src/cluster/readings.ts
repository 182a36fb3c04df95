/**
 * What nodes have read of peers in other stores, as digests that travel: the writer's store executes the writer again and compares.
 *
 *   reader's store: journal ─► blocks of 64 KiB ─► SHA-256 of each ──────► writer's store: what it writes again ─► the same blocks, equal?
 *                                                                          the first block that differs travels back, and is compared byte by byte
 *
 * Invariants: every byte that was read is in exactly one block; nothing beyond what was read is compared. What this does NOT do: execute anything (replay.ts), carry anything (live/).
 */
import type { BlobHash, Digests } from '../core/index.ts';
import type { OutputOperation } from '../channel/index.ts';
import { InputIndex } from '../journal/index.ts';
import { decodeManifest } from '../manifest/index.ts';
import { peersOfRun } from '../session/index.ts';
import { openJournal, readRun, type StoreContext } from '../txn/index.ts';

/** One end of a channel between nodes; `link`: the channel's number in its cluster, the same at all its ends. */
export interface ChannelEnd { readonly run: string; readonly channel: string; readonly link: number; readonly reads: boolean }

/** What one node has read of a channel. */
export interface Reading { readonly run: string; readonly channel: string; readonly link: number; readonly length: number; readonly blocks: readonly BlobHash[] }

/** Where what is written differs from what was read: a block of the writer's, shorter than the reader's when it wrote fewer bytes. */
export interface BlockDifference { readonly writer: string; readonly writes: string; readonly reader: string; readonly reads: string; readonly offset: number; readonly bytes: Uint8Array }

const BLOCK_BYTES = 64 * 1024;

/** Ends of channels between nodes, of runs that this store has. */
export function channelEnds(context: StoreContext, runs: readonly string[]): readonly ChannelEnd[] {
  return runs.flatMap((run) => {
    const record = readRun(context, run);
    const reads = new Map(decodeManifest(openJournal(context, record).genesis().manifest).channels.map((spec) => [spec.name, spec.reads]));
    return [...peersOfRun(record)].map(([channel, { link }]) => ({ run, channel, link, reads: reads.get(channel) === true }));
  });
}

/** What a run has read, by channel. */
export function inputsOf(context: StoreContext, run: string): InputIndex {
  const journal = openJournal(context, readRun(context, run));
  const access = new Map(decodeManifest(journal.genesis().manifest).channels.map((spec) => [spec.name, spec.access]));
  return new InputIndex(journal, (name) => access.get(name) !== 'sequential');
}

/** The bytes of a stream from `from` on, in blocks. */
function* blocksOf(inputs: InputIndex, channel: string, from: number): Generator<Uint8Array> {
  let block = new Uint8Array(BLOCK_BYTES);
  let filled = 0;
  for (const piece of inputs.pieces(channel, from)) {
    const bytes = inputs.bytes(piece).subarray(Math.max(0, from - piece.offset));
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + BLOCK_BYTES - filled);
      block.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < BLOCK_BYTES) continue;
      yield block;
      block = new Uint8Array(BLOCK_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

/** What is read at these ends, which are grouped by their runs. */
export function readingsOf(context: StoreContext, ends: readonly ChannelEnd[]): readonly Reading[] {
  let indexed: { readonly run: string; readonly inputs: InputIndex } | undefined;
  return ends.map(({ run, channel, link }) => {
    if (indexed?.run !== run) indexed = { run, inputs: inputsOf(context, run) };
    const blocks: BlobHash[] = [];
    for (const block of blocksOf(indexed.inputs, channel, 0)) blocks.push(context.digests.sha256(block));
    return { run, channel, link, length: indexed.inputs.stream(channel).length, blocks };
  });
}

/** One block of what a node has read. */
export function blockOf(context: StoreContext, { run, channel }: Pick<ChannelEnd, 'run' | 'channel'>, offset: number): Uint8Array {
  for (const block of blocksOf(inputsOf(context, run), channel, offset)) return block;
  return new Uint8Array(0);
}

/** Sees what a writer writes again. */
export class ReadElsewhere {
  readonly writer: string;
  readonly #writes: string;
  readonly #reading: Reading;
  readonly #digests: Digests;
  readonly #block = new Uint8Array(BLOCK_BYTES);
  #filled = 0;
  /** Bytes that came. */
  position = 0;
  difference: BlockDifference | undefined;

  constructor(digests: Digests, reading: Reading, writer: Pick<ChannelEnd, 'run' | 'channel'>) {
    this.#digests = digests;
    this.#reading = reading;
    this.writer = writer.run;
    this.#writes = writer.channel;
  }

  compare(operation: OutputOperation): void {
    if (operation.kind !== 'write' || operation.channel !== this.#writes) return;
    const { offset, bytes } = operation;
    for (let at = this.position - offset; at < bytes.length && this.position < this.#reading.length;) {
      const part = bytes.subarray(at, at + Math.min(BLOCK_BYTES - this.#filled, this.#reading.length - this.position));
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      this.position += part.length;
      at += part.length;
      if (this.#filled === BLOCK_BYTES || this.position === this.#reading.length) this.#close();
    }
  }

  /** The reader has nothing that the writer did not write. */
  finish(): void {
    if (this.position < this.#reading.length) this.#close();
  }

  #close(): void {
    const offset = this.position - this.#filled;
    const bytes = this.#block.subarray(0, this.#filled);
    this.#filled = 0;
    if (this.#digests.sha256(bytes) === this.#reading.blocks[Math.floor(offset / BLOCK_BYTES)]) return;
    this.difference ??= { writer: this.writer, writes: this.#writes, reader: this.#reading.run, reads: this.#reading.channel, offset, bytes: bytes.slice() };
  }
}
