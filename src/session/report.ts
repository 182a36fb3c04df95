/**
 * The report of a session: facts that depend on the run (the same on every host) apart from facts of this host.
 */
import type { ChannelAccount, ChannelSet } from '../channel/index.ts';
import type { Outcome } from '../journal/index.ts';
import type { RunManifest } from '../manifest/index.ts';
import type { Guest } from '../posix/index.ts';
import type { RunRecord } from '../txn/index.ts';
import type { SessionEnd } from './driver.ts';

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
  /** What this host needed; differs from run to run. */
  readonly host: { readonly milliseconds: number; readonly instructionsPerSecond: number; readonly residentBytes: number };
}

export function makeReport(parts: {
  readonly manifest: RunManifest; readonly record: RunRecord | undefined; readonly end: SessionEnd; readonly channels: ChannelSet; readonly guest: Guest;
  readonly milliseconds: number; readonly startedAt?: bigint;
}): Report {
  const { manifest, record, end, channels, guest } = parts;
  const executed = Number(guest.retired - (parts.startedAt ?? 0n));
  return {
    run: record?.name, program: manifest.programName, arguments: manifest.arguments,
    outcome: end.kind === 'ended' ? end.outcome : { kind: 'stopped', reason: end.reason },
    instructions: guest.retired, root: end.kind === 'ended' ? end.root : undefined, channels: channels.accounts(),
    journal: record === undefined ? undefined : { frames: record.tail.count, link: record.tail.link },
    checkpoints: record?.lastCheckpoint ?? 0,
    host: { milliseconds: Math.round(parts.milliseconds), instructionsPerSecond: Math.round(executed / Math.max(0.001, parts.milliseconds / 1000)), residentBytes: process.memoryUsage().rss },
  };
}
