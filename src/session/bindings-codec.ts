/**
 * Host bindings as the text that a run record keeps, so that resume needs no options: JSON of the bound files and streams.
 * Invariant: decode(encode(x)) = x; foreign text is E_STORE_CORRUPT. What this does NOT do: open anything.
 */
import { StillpointError } from '../core/index.ts';
import type { CheckpointInterval, HostBinding, HostBindings, KeepRule, RunManifest, StandardStream } from '../manifest/index.ts';

/** A regular file behind a standard stream: what the shell's redirection opened. */
export interface StandardFile {
  readonly path: string;
  readonly device: string;
  readonly inode: string;
  /** File offset of stream position 0. */
  readonly base: number;
}

export interface SavedBindings extends HostBindings {
  /** `--checkpoint-every` of the first start, for a resume that says nothing. */
  readonly checkpointEvery?: CheckpointInterval;
  /** `--keep-checkpoints`, in the same way. */
  readonly keepCheckpoints?: KeepRule;
  readonly standardFiles: ReadonlyMap<StandardStream, StandardFile>;
}

const STREAMS: readonly string[] = ['stdin', 'stdout', 'stderr'];

export function encodeBindings(bindings: SavedBindings): string {
  return JSON.stringify({ program: bindings.program, channels: Object.fromEntries(bindings.channels), standardFiles: Object.fromEntries(bindings.standardFiles), checkpointEvery: encodeInterval(bindings.checkpointEvery), keepCheckpoints: bindings.keepCheckpoints });
}

/** For a run whose bindings are lost: the channels it has, and files that only `--bind` can name. */
export function lostBindings({ channels }: RunManifest): string {
  const binding = (name: string): HostBinding => (STREAMS.includes(name) ? { kind: 'standard', stream: name as StandardStream } : { kind: 'file', path: '' }); // One of the list.
  return encodeBindings({ program: '', channels: new Map(channels.map(({ name }) => [name, binding(name)])), standardFiles: new Map() });
}

export function decodeBindings(text: string, run: string): SavedBindings {
  const fail = (cause?: unknown): StillpointError => new StillpointError('E_STORE_CORRUPT', `the host bindings of run ${run} cannot be decoded`, { cause, data: { run } });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fail(cause);
  }
  if (!isRecord(value) || typeof value['program'] !== 'string') throw fail();
  const channels = mapOf(value['channels'], isBinding);
  const standardFiles = mapOf(value['standardFiles'], isStandardFile);
  if (channels === undefined || standardFiles === undefined || [...standardFiles.keys()].some((stream) => !STREAMS.includes(stream))) throw fail();
  const checkpointEvery = decodeInterval(value['checkpointEvery'], fail);
  const keepCheckpoints = decodeKeepRule(value['keepCheckpoints'], fail);
  const files = standardFiles as ReadonlyMap<StandardStream, StandardFile>; // The keys were checked above.
  return { program: value['program'], channels, standardFiles: files, ...(checkpointEvery === undefined ? {} : { checkpointEvery }), ...(keepCheckpoints === undefined ? {} : { keepCheckpoints }) };
}

/** Instructions as text: they may exceed what JSON's numbers hold. */
function encodeInterval(interval: CheckpointInterval | undefined): unknown {
  if (interval === undefined) return null;
  return interval.kind === 'time' ? interval : { kind: interval.kind, count: String(interval.count) };
}

function decodeInterval(value: unknown, fail: () => StillpointError): CheckpointInterval | undefined {
  if (value === null || value === undefined) return undefined;
  if (isRecord(value) && value['kind'] === 'time' && Number.isSafeInteger(value['milliseconds'])) return { kind: 'time', milliseconds: Number(value['milliseconds']) };
  if (isRecord(value) && value['kind'] === 'instructions' && /^[1-9][0-9]{0,18}$/.test(String(value['count']))) return { kind: 'instructions', count: BigInt(String(value['count'])) };
  throw fail();
}

function decodeKeepRule(value: unknown, fail: () => StillpointError): KeepRule | undefined {
  if (value === undefined) return undefined;
  if (!isRecord(value) || !Object.entries(value).every(([key, count]) => ['last', 'hourly', 'daily'].includes(key) && Number.isSafeInteger(count) && Number(count) >= 0)) throw fail();
  return value; // Its fields were looked at.
}

function mapOf<T>(value: unknown, isItem: (item: unknown) => item is T): ReadonlyMap<string, T> | undefined {
  if (!isRecord(value)) return undefined;
  const map = new Map<string, T>();
  for (const [name, item] of Object.entries(value)) {
    if (!isItem(item)) return undefined;
    map.set(name, item);
  }
  return map;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isStandardFile(value: unknown): value is StandardFile {
  return isRecord(value) && typeof value['path'] === 'string' && typeof value['device'] === 'string' && typeof value['inode'] === 'string' && Number.isSafeInteger(value['base']);
}

function isBinding(value: unknown): value is HostBinding {
  if (!isRecord(value)) return false;
  if (value['kind'] === 'file') return typeof value['path'] === 'string';
  if (value['kind'] === 'peer') return Number.isSafeInteger(value['link']) && typeof value['peer'] === 'string' && (value['isSpread'] === undefined || typeof value['isSpread'] === 'boolean');
  if (value['kind'] === 'standard') return STREAMS.includes(String(value['stream']));
  return value['kind'] === 'empty';
}
