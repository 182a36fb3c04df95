/**
 * A channel as declared before the start of a machine. The declaration is part of the run's identity; host paths are not (they live in
 * the manifest's host part). Scenarios 3 and 4 of the ancestor (docs/quirks.md) fix the rules.
 */

export type ChannelAccess =
  /** Bytes come in order, from a pipe, terminal or file; no seeking. */
  | 'sequential'
  /** Reads and writes at offsets; has a size. */
  | 'random'
  /** Reads at offsets; writes always go to the end. */
  | 'append';

export interface ChannelLimits {
  /** Numbers of read and write calls that moved or could have moved data, and their bytes; Infinity-free: null is unlimited. */
  readonly gets: number | null;
  readonly getBytes: number | null;
  readonly puts: number | null;
  readonly putBytes: number | null;
}

export interface ChannelSpec {
  /** Name in reports and limits: `stdin`, `stdout`, `stderr`, the NAME of --in/--out/--append/--rw, `in/PEER` or `out/PEER`. Unique. */
  readonly name: string;
  /** Where the guest finds it: `/dev/stdin`, `/dev/in/NAME`, `/dev/out/NAME`, `/dev/rw/NAME`. Unique. */
  readonly path: string;
  readonly access: ChannelAccess;
  readonly reads: boolean;
  readonly writes: boolean;
  /**
   * One read returns what is there (terminal, --live, a message from a peer) instead of the full length. On output to a peer: each write is one
   * message, of at most limits.CHUNK_BYTES (a longer one is taken in part). Sequential only.
   */
  readonly live: boolean;
  /** What stat() shows. Sequential channels are pipes (or characters for a terminal), random ones regular files. */
  readonly seenAs: 'pipe' | 'character' | 'file';
  /** Size in bytes at the start, for random and append channels (an input of the run); 0 otherwise. */
  readonly initialSize: number;
  readonly limits: ChannelLimits;
  /** What its digest is: SHA-256 of the XXH64s of its blocks (a channel to a peer). Not there: SHA-256 of its bytes. */
  readonly digest?: 'blocks';
}

const STANDARD_NAMES: readonly string[] = ['stdin', 'stdout', 'stderr'];

/** The order of channels in manifests, states and reports: stdin, stdout, stderr, then by name (code units). */
export function compareChannelNames(a: string, b: string): number {
  const rank = standardRank(a) - standardRank(b);
  if (rank !== 0) return rank;
  return a < b ? -1 : a > b ? 1 : 0;
}

function standardRank(name: string): number {
  const index = STANDARD_NAMES.indexOf(name);
  return index < 0 ? STANDARD_NAMES.length : index;
}
