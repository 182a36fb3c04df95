/**
 * What `show` tells of a run, as lines for people: facts one a line, channels and outputs as tables, settings as the options that make them.
 * Invariant: nothing is left out but what is said twice. What this does NOT do: find the facts (session/history.ts); --json has them as they are.
 */
import { oneLine, table, toJson } from './terminal.ts';

type Facts = Readonly<Record<string, unknown>>;
interface Channel {
  readonly name: string; readonly path: string; readonly access: string; readonly reads: boolean; readonly writes: boolean; readonly live: boolean;
  readonly limits: Readonly<Record<string, number | null>>; readonly host?: { readonly kind: string; readonly path?: string };
}
interface Position { readonly delivered: unknown; readonly intended: unknown; readonly synced: unknown }

/** Facts that others say better. */
const SAID_ELSEWHERE: ReadonlySet<string> = new Set(['createdMs']);

/** The lines of all facts about a run. */
export function factLines(facts: Facts): readonly string[] {
  return Object.entries(facts).filter(([key]) => !SAID_ELSEWHERE.has(key)).flatMap(([key, value]) => {
    switch (key) {
      case 'channels': return ['channels:', ...indented(channelTable(value as readonly Channel[]))];
      case 'outputs': return ['outputs:', ...indented(outputTable(value as Readonly<Record<string, Position>>, facts['channels'] as readonly Channel[]))];
      case 'clock': case 'entropy': return [fact(key, setting(value as Facts))];
      default: return Array.isArray(value) ? list(key, value) : [fact(key, text(value))];
    }
  });
}

function fact(key: string, value: string): string {
  return `${key.padEnd(18)} ${value}`;
}

function list(key: string, items: readonly unknown[]): readonly string[] {
  return items.length === 0 ? [] : [`${key}:`, ...items.map((item) => `  ${text(item)}`)];
}

function text(value: unknown): string {
  return typeof value === 'object' && value !== null ? toJson(value, 0) : oneLine(String(value ?? '-'));
}

/** `zero`, `virtual:START`, `recorded`, `seed:N`. */
function setting({ kind, seed, startNanoseconds }: Facts): string {
  if (kind === 'seed') return `seed:${String(seed)}`;
  const start = BigInt((startNanoseconds ?? 0) as bigint);
  return start === 0n ? String(kind) : `${String(kind)}:${(Number(start / 1_000_000n) / 1000).toString()}`;
}

function channelTable(channels: readonly Channel[]): string {
  const rows = channels.map(({ name, path, access, reads, writes, live, limits, host }) => [
    name, path, `${access}${live ? ', live' : ''}`, reads && writes ? 'reads, writes' : reads ? 'reads' : 'writes', limitText(limits), host?.path ?? host?.kind ?? '',
  ]);
  return table(['NAME', 'PATH', 'ACCESS', 'THE PROGRAM', 'LIMITS', 'ON THE HOST'], rows);
}

/** As `--limit` takes them. */
function limitText(limits: Channel['limits']): string {
  return Object.entries(limits).filter(([, limit]) => limit !== null).map(([name, limit]) => `${name === 'getBytes' ? 'get-bytes' : name === 'putBytes' ? 'put-bytes' : name}=${limit}`).join(',');
}

/** Of the channels that are written. */
function outputTable(outputs: Readonly<Record<string, Position>>, channels: readonly Channel[]): string {
  const written = Object.entries(outputs).filter(([name]) => channels.some((channel) => channel.name === name && channel.writes));
  return table(['NAME', 'COMMITTED', 'DELIVERED', 'SYNCED'], written.map(([name, { intended, delivered, synced }]) => [name, String(intended), String(delivered), String(synced)]));
}

function indented(lines: string): readonly string[] {
  return lines.split('\n').map((line) => `  ${line}`);
}
