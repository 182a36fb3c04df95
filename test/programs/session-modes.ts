// The two modes that go through snapshots and journals, all in memory:
//
//   restored   captured into a store at growing counts, thrown away, restored from the store, continued
//   replayed   driven by the session's loop with journal and checkpoints, then verified from the journal alone
//
// Does NOT start processes or touch files (test/torture and test/cli do).
import { randomBytes } from 'node:crypto';
import type { ChannelSet } from '../../src/channel/index.ts';
import { MemoryFile, MemoryInput } from '../../src/channel/live/memory-port.ts';
import { seedFromNumber } from '../../src/core/index.ts';
import { InputIndex, runId, type ClockFrame } from '../../src/journal/index.ts';
import { riscv64 } from '../../src/isa/index.ts';
import { Guest } from '../../src/posix/index.ts';
import { Driver } from '../../src/session/driver.ts';
import { InputFeed } from '../../src/session/input-feed.ts';
import { Outlet } from '../../src/session/outlet.ts';
import { Recording } from '../../src/session/recording.ts';
import { Verifier } from '../../src/session/verifier.ts';
import { openSnapshot, SnapshotWriter, type Root } from '../../src/snapshot/index.ts';
import { MemoryStore } from '../../src/store/index.ts';
import { createRun, readRun, recover } from '../../src/txn/index.ts';
import { bootGuest, describeStop, digests, Feeder, standardChannels, type GuestResult, type RunOptions } from '../posix/process/run-guest.ts';

/** Instructions between two restores: short programs are cut in their start-up, long ones not too often. */
const RESTORE_STEPS = [3000, 20_000, 100_000, 1_000_000, 20_000_000, 500_000_000];
const CHECKPOINT_EVERY = 2_000_000n;

/**
 * Runs in pieces; between two pieces nothing survives but the store, and a page is read when it is needed. `counts`: the instruction counts between
 * the pieces, rising.
 */
export async function runRestored(program: Uint8Array, options: RunOptions, counts?: readonly bigint[]): Promise<GuestResult & { readonly root: string }> {
  const store = new MemoryStore();
  let channels = standardChannels();
  let guest = bootGuest(program, options, channels);
  let snapshots = new SnapshotWriter(store, digests);
  const feeder = new Feeder(options.stdin);
  const outputs = new Map<string, Uint8Array[]>([['stdout', []], ['stderr', []]]);
  const step = counts === undefined ? byLength() : byCount(counts);
  for (let next = step(0n); ;) {
    const stop = guest.run(next);
    for (const operation of channels.takeOutput()) if (operation.kind === 'write') outputs.get(operation.channel)?.push(operation.bytes.slice());
    if (stop.kind === 'blocked') feeder.feed(guest, stop);
    else if (stop.kind === 'budget') {
      const capture = snapshots.capture(guest.state());
      await store.commit({ puts: capture.batch.puts });
      capture.confirm();
      ({ guest, channels, snapshots } = restore(store, capture.root, { channels, options }));
      next = step(guest.retired);
    } else {
      const stdoutBytes = Buffer.concat(outputs.get('stdout')!);
      return { stdout: stdoutBytes.toString('latin1'), stderr: Buffer.concat(outputs.get('stderr')!).toString('latin1'), stdoutBytes, stop, outcome: describeStop(stop), retired: guest.retired, guest, root: snapshots.capture(guest.state()).root };
    }
  }
}

function byLength(): () => number {
  const steps = [...RESTORE_STEPS];
  return () => steps.shift() ?? RESTORE_STEPS.at(-1)!;
}

function byCount(counts: readonly bigint[]): (now: bigint) => number {
  let index = 0;
  return (now) => {
    while (index < counts.length && counts[index]! <= now) index++;
    return Number((counts[index] ?? now + BigInt(RESTORE_STEPS.at(-1)!)) - now);
  };
}

function restore(store: MemoryStore, root: Root, from: { readonly channels: ChannelSet; readonly options: RunOptions }): { readonly guest: Guest; readonly channels: ChannelSet; readonly snapshots: SnapshotWriter } {
  const channels = standardChannels();
  const guest = Guest.restore(openSnapshot(store, root, digests), {
    isa: from.options.isa ?? riscv64, channels, clock: from.options.clock ?? { kind: 'zero' }, entropy: from.options.entropy ?? { kind: 'seed', seed: seedFromNumber(1n) }, image: from.options.image, isLazy: true,
  });
  channels.restoreDigests(from.channels.saveDigests());
  const snapshots = new SnapshotWriter(store, digests);
  snapshots.adopt(root);
  return { guest, channels, snapshots };
}

/** Records, then replays from the journal, by `replaying` if it is given; throws when the replay differs anywhere. The recorded run's result comes back. */
export async function runReplayed(program: Uint8Array, options: RunOptions, replaying = options.isa ?? riscv64): Promise<GuestResult & { readonly root: string }> {
  const context = { store: new MemoryStore(), digests };
  const channels = standardChannels();
  const guest = bootGuest(program, options, channels);
  const stdin = typeof options.stdin === 'string' ? new TextEncoder().encode(options.stdin) : options.stdin ?? new Uint8Array(0);
  const sinks = { stdout: new MemoryFile('sequential'), stderr: new MemoryFile('sequential') };
  const ports = new Map(Object.entries({ stdin: new MemoryInput(stdin), ...sinks }));
  const writer = await createRun(context, {
    name: 'job', id: runId(randomBytes(16).toString('hex')), createdMs: 0, bindings: '', owner: { host: 'here', pid: 1, started: '0', token: 't' }, manifest: new Uint8Array(1), program, recorder: 'test',
  });
  const recording = new Recording({ writer, snapshots: new SnapshotWriter(context.store, digests), channels, wallClock: () => 0 });
  const host = { now: () => 1_700_000_000_000_000_000n, randomBytes: (length: number) => new Uint8Array(length).fill(0x5a) };
  const feed = new InputFeed({ live: { ports, host, append: recording.append } });
  const outlet = new Outlet({ channels, ports, recording, forgetful: new Set() });
  const driver = new Driver({ guest, channels, ports, feed, outlet, recording, policy: { kind: 'instructions', count: CHECKPOINT_EVERY }, maxInstructions: undefined, hooks: {}, monotonicMs: () => performance.now() });
  const end = await driver.drive();
  if (end.kind !== 'ended' || end.outcome.kind === 'capped') throw new Error(`the recorded run ended with ${JSON.stringify(end)}`);
  await replay(context, program, { ...options, isa: replaying });
  const stop = { kind: 'ended', outcome: end.outcome } as const;
  return { stdout: Buffer.from(sinks.stdout.bytes).toString('latin1'), stderr: Buffer.from(sinks.stderr.bytes).toString('latin1'), stdoutBytes: sinks.stdout.bytes, stop, outcome: describeStop(stop), retired: guest.retired, guest, root: end.root ?? 'none' };
}

async function replay(context: { readonly store: MemoryStore; readonly digests: typeof digests }, program: Uint8Array, options: RunOptions): Promise<void> {
  const recovery = recover(context, readRun(context, 'job'), { checkpoint: 'genesis' });
  const channels = standardChannels();
  const guest = bootGuest(program, options, channels);
  const inputs = new InputIndex(recovery.journal, () => false);
  const facts = [...recovery.refeed()].map(({ frame }) => frame).filter((frame): frame is ClockFrame => frame.kind === 'clock' || frame.kind === 'entropy');
  const feed = new InputFeed({ past: { inputs, facts: facts[Symbol.iterator](), isStrict: true } });
  const verified = await new Verifier({ guest, channels, feed, snapshots: new SnapshotWriter(context.store, digests) }).verify(recovery.refeed());
  if (verified.exits !== 1) throw new Error('the replay saw no end');
}
