/** Makers of channels, seeded numbers and a plain driver for the tests of this folder. */
import * as crypto from 'node:crypto';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { limits } from '../../src/core/index.ts';
import { ChannelSet, type Channel, type ChannelSpec, type HostPort } from '../../src/channel/index.ts';
export { random } from '../random.ts';

export const digests = await createNodeDigests();
const UNLIMITED = { gets: null, getBytes: null, puts: null, putBytes: null };

export type Kind = 'seqro' | 'seqwo' | 'ranro' | 'ranrw' | 'append' | 'live';

const SHAPES: Record<Kind, Pick<ChannelSpec, 'access' | 'reads' | 'writes' | 'live' | 'seenAs'>> = {
  seqro: { access: 'sequential', reads: true, writes: false, live: false, seenAs: 'pipe' },
  live: { access: 'sequential', reads: true, writes: false, live: true, seenAs: 'pipe' },
  seqwo: { access: 'sequential', reads: false, writes: true, live: false, seenAs: 'pipe' },
  ranro: { access: 'random', reads: true, writes: false, live: false, seenAs: 'file' },
  ranrw: { access: 'random', reads: true, writes: true, live: false, seenAs: 'file' },
  append: { access: 'append', reads: true, writes: true, live: false, seenAs: 'file' },
};

export function specOf(kind: Kind, options: { readonly name?: string; readonly size?: number; readonly limits?: Partial<ChannelSpec['limits']> } = {}): ChannelSpec {
  const name = options.name ?? 'c';
  return { name, path: `/dev/rw/${name}`, initialSize: options.size ?? 0, limits: { ...UNLIMITED, ...options.limits }, ...SHAPES[kind] };
}

/** A set with one channel. */
export function single(kind: Kind, options: Parameters<typeof specOf>[1] = {}): { readonly set: ChannelSet; readonly channel: Channel } {
  const set = new ChannelSet([specOf(kind, options)], digests);
  return { set, channel: set.get(options.name ?? 'c')! };
}

/** Calls until it does not block, feeding from `content` in one piece per wish. */
export function feed<Result>(channel: Channel, content: Uint8Array, call: () => Result | 'blocked', chunk: () => number = () => limits.CHUNK_BYTES): Result {
  for (;;) {
    const result = call();
    if (result !== 'blocked') return result;
    for (let wanted = channel.wanted; wanted !== undefined; wanted = channel.wanted) {
      const isStream = channel.spec.access === 'sequential';
      const length = isStream ? Math.min(wanted.length, Math.max(1, chunk())) : wanted.length;
      const bytes = content.slice(wanted.offset, wanted.offset + length);
      if (isStream && bytes.length === 0) channel.supplyEnd(wanted.offset);
      else channel.supply(wanted.offset, bytes);
    }
  }
}

/** The same with a port. */
export async function feedFromPort<Result>(channel: Channel, port: HostPort, call: () => Result | 'blocked'): Promise<Result> {
  for (;;) {
    const result = call();
    if (result !== 'blocked') return result;
    for (let wanted = channel.wanted; wanted !== undefined; wanted = channel.wanted) {
      const bytes = await port.read(wanted);
      if (bytes === undefined) channel.supplyEnd(wanted.offset);
      else channel.supply(wanted.offset, bytes);
    }
  }
}

/** Length of an answer with bytes, or the word. */
export function told(answer: Uint8Array | string | number): number | string {
  return typeof answer === 'object' ? answer.length : answer;
}

/** Bytes 0, 1, 2 ... as far as a byte goes, in a pattern whose period is no power of two. */
export function pattern(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8) + seed) % 251);
}

export function sha256(bytes: Uint8Array): string {
  return crypto.createHash('sha256').update(bytes).digest('hex');
}

/** Pages as snapshot would keep them: only non-zero ones, copied. */
export class KeptPages {
  readonly #pages = new Map<string, Map<number, Uint8Array>>();

  capture(set: ChannelSet): void {
    for (const object of set.objects()) {
      const pages = this.#pages.get(object.name) ?? new Map<number, Uint8Array>();
      for (const index of object.dirtyPages()) pages.set(index, object.readPage(index).slice());
      object.markClean();
      this.#pages.set(object.name, pages);
    }
  }

  restored(): readonly { readonly name: string; pages(): Iterable<{ readonly index: number; readonly bytes: Uint8Array }> }[] {
    return [...this.#pages].map(([name, pages]) => {
      const kept = [...pages].filter(([, bytes]) => bytes.some((byte) => byte !== 0)).sort(([a], [b]) => a - b).map(([index, bytes]) => ({ index, bytes: bytes.slice() }));
      return { name, pages: () => kept };
    });
  }
}
