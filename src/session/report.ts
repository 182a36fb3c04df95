/**
 * The report of a session: facts that depend on the run (the same on every host) apart from facts of this host.
 */
import type { ChannelAccount, ChannelSet } from '../channel/index.ts';
import type { Outcome } from '../journal/index.ts';
import type { Isa } from '../isa/index.ts';
import type { RunManifest } from '../manifest/index.ts';
import type { Guest } from '../posix/index.ts';
import type { RunRecord } from '../txn/index.ts';
import type { SessionEnd } from './driver.ts';
import type { KeptHistory } from './keep-history.ts';

export interface Report {
  readonly run: string | undefined;
  readonly program: string;
  readonly arguments: readonly string[];
  readonly outcome: Outcome | { readonly kind: 'stopped'; readonly reason: string };
  readonly instructions: bigint;
  /** Root of the last state; undefined when nothing was recorded or the guest was stopped. */
  readonly root: string | undefined;
  readonly channels: readonly ChannelAccount[];
  readonly journal: { readonly frames: number; readonly link: string } | undefined;
  readonly checkpoints: number;
  /** Where a rule says which checkpoints stay: what it dropped in this session. */
  readonly history?: KeptHistory;
  /** What this host needed; differs from run to run. */
  readonly host: { readonly milliseconds: number; readonly instructionsPerSecond: number; readonly residentBytes: number; readonly translation?: Translation };
}

/** What translating cost in this session and what came of it. */
export interface Translation {
  /** Instructions of the guest that translated code executed, of all in this session: 0 to 1. */
  readonly translatedPart: number;
  readonly units: number;
  readonly modules: number;
  /** Of the modules, those out of the translation cache. */
  readonly keptModules: number;
  readonly unitInstructions: number;
  readonly moduleBytes: number;
  readonly translateMilliseconds: number;
  readonly compileMilliseconds: number;
}

function translationOf({ effort }: Isa, executed: number): Translation | undefined {
  if (effort === undefined) return undefined;
  const { units, modules, keptModules, unitInstructions, moduleBytes, translateMs, compileMs, interpreted } = effort;
  const translatedPart = executed <= 0 ? 0 : Math.round(1000 * Math.max(0, 1 - interpreted / executed)) / 1000;
  return { translatedPart, units, modules, keptModules, unitInstructions, moduleBytes, translateMilliseconds: Math.round(translateMs), compileMilliseconds: Math.round(compileMs) };
}

export function makeReport(parts: {
  readonly manifest: RunManifest; readonly record: RunRecord | undefined; readonly end: SessionEnd; readonly channels: ChannelSet; readonly guest: Guest;
  readonly milliseconds: number; readonly startedAt?: bigint; readonly history?: KeptHistory | undefined;
}): Report {
  const { manifest, record, end, channels, guest } = parts;
  const executed = Number(guest.retired - (parts.startedAt ?? 0n));
  const translation = translationOf(guest.kernel.isa, executed);
  return {
    run: record?.name, program: manifest.programName, arguments: manifest.arguments,
    outcome: end.kind === 'ended' ? end.outcome : { kind: 'stopped', reason: end.reason },
    instructions: guest.retired, root: end.kind === 'ended' ? end.root : undefined, channels: channels.accounts(),
    journal: record === undefined ? undefined : { frames: record.tail.count, link: record.tail.link },
    checkpoints: record?.lastCheckpoint ?? 0, ...(parts.history === undefined ? {} : { history: parts.history }),
    host: { milliseconds: Math.round(parts.milliseconds), instructionsPerSecond: Math.round(executed / Math.max(0.001, parts.milliseconds / 1000)), residentBytes: process.memoryUsage().rss, ...(translation === undefined ? {} : { translation }) },
  };
}
