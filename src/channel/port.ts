/**
 * The two sides of a channel.
 *
 *   guest side                      Channel (pure state)                        host side
 *   read/write/seek  <-->  counts, quotas, pending input, outbox  <--session-->  HostPort (live/*: file, pipe, terminal, memory)
 *
 * The guest side never waits: it answers data, 'blocked' (with `wanted` telling what is missing) or an error number.
 * The session moves bytes: it asks the host (or the journal) for what is wanted, supplies it, and releases the outbox after commit.
 */
import type { BlockHashes } from './block-hashes.ts';

/** What a blocked channel needs next. Sequential: `length` more bytes at stream position `offset` (live: any). Random: the chunk at `offset`. */
export interface Wanted { readonly offset: number; readonly length: number }

/** Memory of output, of which all that lies in it is used: whoever goes on needing it behind write() says so before that resolves, and later that he does not. */
export interface Lease { hold(): void; release(): void }

/** One output operation, in order. `hashes`: of the stream's blocks, as far as they are known. `lease`: for those who would else copy the bytes, when they are most of what lies in their memory. */
export type OutputOperation =
  | { readonly kind: 'write'; readonly channel: string; readonly offset: number; readonly bytes: Uint8Array; readonly hashes?: BlockHashes; readonly lease?: Lease }
  | { readonly kind: 'truncate'; readonly channel: string; readonly size: number };

/** Facts about one direction for the report. `sha256`: of its bytes; of a channel whose digest goes by blocks, SHA-256 of the XXH64s of its blocks (block-digest.ts). */
export interface DirectionAccount { readonly operations: number; readonly bytes: number; readonly sha256: string }

/** The host side of one channel. Errors are StillpointError E_CHANNEL_* (or E_DISK_FULL); nothing else is thrown. */
export interface HostPort {
  /**
   * Sequential: the next bytes of the stream, at least 1 and at most `length` (of a peer that is no message channel: or what else is there); undefined at its end. Random: exactly the bytes of the file in
   * [offset, offset + length) clipped to its size.
   */
  read(wanted: Wanted): Promise<Uint8Array | undefined>;
  /** Performs output operations in order; resolves when the host has taken all bytes (not: on disk), which are somebody else's from then on, but for those under a lease that is held. Back-pressure is its waiting. */
  write(operations: readonly OutputOperation[]): Promise<void>;
  /** Makes all that was written durable, as far as the sink can (fsync for files, nothing for pipes). */
  sync(): Promise<void>;
  /**
   * Puts the sink back to the state at output position `position` of a recovered run: truncates a sequential or append file to its base plus
   * position; nothing for random (writes are idempotent). Returns the position from which output must be written again: equal to
   * `position` for files, and for a pipe the position its reader is known to hold.
   */
  rewind(position: number): Promise<number>;
  close(): Promise<void>;

  // What only a peer (another machine) cares about:

  /** The peer itself knows what it holds: output need not be recorded before it leaves, as long as it follows from what is durable. */
  readonly keepsPosition?: boolean;
  /** What read() gives is never changed by anybody: it need not be copied to be kept. */
  readonly givesAway?: boolean;
  /** Hashes of the blocks of what read() gives, as far as they are known. */
  readonly hashes?: BlockHashes | undefined;
  /** As read(), when bytes are there already; undefined when they must be waited for. */
  readNow?(wanted: Wanted): Uint8Array | undefined;
  /** Input up to stream position `position` is durable here: it will never be asked for again. */
  acknowledge?(position: number): void;
  /** Whether the peer waits, or soon will, for input to be made durable. */
  readonly wantsCommit?: boolean;
  /** The guest has ended, durably: it reads no more. */
  discard?(): void;
  /** The guest has ended: nothing comes after what was written. Resolves to true when the peer has it all durably, to false when it was stopped. */
  finish?(): Promise<boolean>;
}
