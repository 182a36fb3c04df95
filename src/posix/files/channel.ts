/**
 * What files need of a channel: the guest side of src/channel's Channel, as a shape, so that tests can stand in for it.
 * 'quota' is a cap of the declaration (EDQUOT), 'blocked' means that the session must bring something first.
 */
export interface FileChannel {
  readonly spec: {
    readonly name: string;
    readonly path: string;
    readonly access: 'sequential' | 'random' | 'append';
    readonly reads: boolean;
    readonly writes: boolean;
    readonly live: boolean;
    readonly seenAs: 'pipe' | 'character' | 'file';
  };
  /** Bytes of a random or append channel now. */
  readonly size: number;
  /** Data or the end is there without waiting. */
  canRead(): boolean;
  /** Live input only: asks the session for input although nobody reads yet (poll). */
  requestInput(): void;
  read(length: number): Uint8Array | 'blocked' | 'quota';
  readAt(offset: number, length: number): Uint8Array | 'blocked' | 'quota';
  write(bytes: Uint8Array): number | 'blocked' | 'quota';
  writeAt(offset: number, bytes: Uint8Array): number | 'blocked' | 'quota';
  truncate(size: number): 'ok' | 'blocked' | 'quota';
}

export interface ChannelSource { get(name: string): FileChannel | undefined }
