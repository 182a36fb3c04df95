/**
 * Journal frames as values. format.ts encodes them (msgpackr) into a hash chain; docs/formats/journal.md is the page.
 * `at` is the guest's instruction count when the frame was made: before the next instruction or the re-issued system call.
 */
import type { BlobHash, InstructionCount } from '../core/index.ts';

/** Why a run began: everything its result depends on, besides later input frames. Canonical data of the manifest plus hashes. */
export interface GenesisFrame {
  readonly kind: 'genesis';
  readonly at: InstructionCount;
  /** Canonical bytes of the run manifest (manifest/), which holds args, env, limits, channels, clock, seed. */
  readonly manifest: Uint8Array;
  readonly program: BlobHash;
  /** Name and version of the software that recorded the run. For humans; not compared. */
  readonly recorder: string;
}
/** Bytes that a channel gave to the guest's side. `offset`: position in the stream or file of the first byte. */
export interface InputFrame {
  readonly kind: 'input';
  readonly at: InstructionCount;
  readonly channel: string;
  readonly offset: number;
  readonly length: number;
  /** The bytes themselves up to limits.INLINE_INPUT_BYTES_MAX, else their hash (table blobs). */
  readonly bytes: Uint8Array | BlobHash;
}
/** The stream ended at `offset`. */
export interface EndFrame { readonly kind: 'end'; readonly at: InstructionCount; readonly channel: string; readonly offset: number }
/** Real time read from the host (clock recorded): nanoseconds since 1970. */
export interface ClockFrame { readonly kind: 'clock'; readonly at: InstructionCount; readonly nanoseconds: bigint }
/** Real randomness (entropy recorded). */
export interface EntropyFrame { readonly kind: 'entropy'; readonly at: InstructionCount; readonly bytes: Uint8Array }
/** For the auditor: cumulative position and digest of one output channel when it was released. */
export interface OutputFrame { readonly kind: 'output'; readonly at: InstructionCount; readonly channel: string; readonly position: number; readonly digest: BlobHash }
/** A checkpoint was taken here. */
export interface CheckpointFrame { readonly kind: 'checkpoint'; readonly at: InstructionCount; readonly number: number; readonly root: BlobHash }
/** The host asked the machine to stop here (Ctrl-C): a resumable stop, not an end. */
export interface StopFrame { readonly kind: 'stop'; readonly at: InstructionCount; readonly reason: string }
/** A branch got a seed of its own: the guest's entropy stream begins anew with it, at exactly this count. */
export interface ReseedFrame { readonly kind: 'reseed'; readonly at: InstructionCount; readonly seed: Uint8Array }
/** The guest ended. */
export interface ExitFrame { readonly kind: 'exit'; readonly at: InstructionCount; readonly outcome: Outcome; readonly root: BlobHash }

/** How a run ended, as Linux tells it, or by which cap. */
export type Outcome =
  | { readonly kind: 'exited'; readonly status: number }
  | { readonly kind: 'killed'; readonly signal: number }
  | { readonly kind: 'capped'; readonly cap: string };

export type Frame = GenesisFrame | InputFrame | EndFrame | ClockFrame | EntropyFrame | OutputFrame | CheckpointFrame | StopFrame | ReseedFrame | ExitFrame;
export type FrameKind = Frame['kind'];
