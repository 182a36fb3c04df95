/**
 * The loop: runs the guest in slices, feeds what it waits for, releases its output, takes checkpoints, and ends with an outcome.
 *
 *   run(slice) ─► budget    housekeeping: progress, release, checkpoint, stop request
 *             ├─► blocked   housekeeping, release output that the world may wait for, then fetch the input
 *             └─► ended     release, settle, final commit
 *
 * Invariants: the guest never runs while something is awaited; a state is captured before the input that it waits for is supplied, so that
 * the state at an instruction count is one; wall time decides only when the host does its bookkeeping, never what the
 * guest sees. What this does NOT do: open anything (run.ts, resume.ts), verify (replay.ts).
 */
import { instructionCount, limits, type InstructionCount } from '../core/index.ts';
import type { Channel, ChannelSet, HostPort } from '../channel/index.ts';
import type { Outcome, ReseedFrame } from '../journal/index.ts';
import type { Guest, GuestStop } from '../posix/index.ts';
import type { InputFeed } from './input-feed.ts';
import type { Outlet } from './outlet.ts';
import type { Profile } from './profile.ts';
import type { Recording } from './recording.ts';

/** When to take checkpoints. */
export type CheckpointPolicy = { readonly kind: 'time'; readonly milliseconds: number } | { readonly kind: 'instructions'; readonly count: bigint } | { readonly kind: 'none' };

export interface Progress {
  readonly instructions: bigint;
  /** Instruction count where this session began. */
  readonly startedAt: bigint;
  readonly checkpoints: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

/** How the outside world watches and stops a session. */
export interface SessionHooks {
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called before output of the guest reaches the host. */
  readonly beforeOutput?: (() => void) | undefined;
  /** Asked between slices; a text stops the session at a resumable point. */
  readonly stopRequested?: (() => string | undefined) | undefined;
  /** Samples where the guest's instructions go. Cannot be noticed by the guest. */
  readonly profile?: Profile | undefined;
}

export type SessionEnd = { readonly kind: 'ended'; readonly outcome: Outcome; readonly root: string | undefined } | { readonly kind: 'stopped'; readonly reason: string };

export interface DriverParts {
  readonly guest: Guest;
  readonly channels: ChannelSet;
  readonly feed: InputFeed;
  readonly outlet: Outlet;
  /** Host sides of all channels. */
  readonly ports: ReadonlyMap<string, HostPort>;
  readonly recording: Recording | undefined;
  readonly policy: CheckpointPolicy;
  readonly maxInstructions: bigint | undefined;
  readonly hooks: SessionHooks;
  /** Seeds of branches on the way to the end of the journal, in order. */
  readonly reseeds?: readonly ReseedFrame[];
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

/** Wall time of one slice: short enough for progress and Ctrl-C, long enough that the loop costs nothing. */
const SLICE_MS = 20;
const SLICE_MIN = 100_000;
const SLICE_MAX = 500_000_000;
/** How long a guest is fed without housekeeping. */
const LOOK_INTERVAL_MS = 5;
/** Output waits at most this long for company before it is released. */
const RELEASE_INTERVAL_MS = 50;
/** As much leaves at once for peers when nothing need be committed for it: it is still in the processor's cache, and they can begin. */
const PEER_RELEASE_BYTES = 1024 * 1024;

export class Driver {
  readonly #parts: DriverParts;
  readonly #startedAt: bigint;
  readonly #writesToPeers: boolean;
  readonly #reseeds: ReseedFrame[];
  #sliceSize = 1_000_000;
  #lastRelease: number;
  #lastCheckpointMs: number;
  #lastCheckpointAt: bigint;

  constructor(parts: DriverParts) {
    this.#parts = parts;
    this.#startedAt = parts.guest.retired;
    this.#writesToPeers = [...parts.ports.values()].some(({ keepsPosition }) => keepsPosition === true);
    this.#reseeds = [...parts.reseeds ?? []];
    this.#lastRelease = parts.monotonicMs();
    this.#lastCheckpointMs = this.#lastRelease;
    this.#lastCheckpointAt = parts.guest.retired;
  }

  /** Drives the guest to its end, a cap or a stop. Throws StillpointError on host trouble; the run is then resumable from its last commit. */
  async drive(): Promise<SessionEnd> {
    try {
      return await this.#driveToEnd();
    } catch (error) {
      this.#parts.outlet.close();
      throw error;
    }
  }

  async #driveToEnd(): Promise<SessionEnd> {
    for (;;) {
      const stop = this.#runSlice();
      const outcome = this.#outcomeOf(stop);
      if (outcome !== undefined) return this.#end(outcome);
      if (this.#hurries(stop)) continue;
      await this.#housekeeping();
      const reason = this.#parts.hooks.stopRequested?.();
      if (reason !== undefined) return this.#stop(reason);
      if (stop.kind === 'blocked') await this.#satisfy(stop);
    }
  }

  get #at(): InstructionCount {
    return instructionCount(this.#parts.guest.retired);
  }

  #runSlice(): GuestStop {
    const { guest, monotonicMs, hooks } = this.#parts;
    guest.outputStop = this.#releaseBytes;
    while (this.#reseeds[0]?.at === guest.retired) guest.reseed(this.#reseeds.shift()!.seed);
    const budget = this.#budget();
    if (budget === 0) return { kind: 'budget' };
    const before = guest.retired;
    const sampleAt = hooks.profile?.nextAfter(before);
    const started = monotonicMs();
    const stop = guest.run(budget);
    this.#adaptSlice(Number(guest.retired - before), monotonicMs() - started);
    if (guest.retired === sampleAt) hooks.profile?.take(guest);
    return stop;
  }

  /** Instructions until the next thing that must happen at an exact count; 0 when that is now. */
  #budget(): number {
    const { guest, policy, maxInstructions, recording, hooks } = this.#parts;
    let budget = BigInt(this.#sliceSize);
    const within = (target: bigint): void => {
      const left = target - guest.retired;
      if (left < budget) budget = left > 0n ? left : 0n;
    };
    if (hooks.profile !== undefined) within(hooks.profile.nextAfter(guest.retired));
    if (maxInstructions !== undefined) within(maxInstructions);
    if (this.#reseeds[0] !== undefined) within(this.#reseeds[0].at);
    // A guest that catches up takes no checkpoints: one that began before the last one passes places where it would.
    if (recording !== undefined && policy.kind === 'instructions' && !recording.isCatchingUp(this.#at)) within(this.#lastCheckpointAt + policy.count);
    return Number(budget);
  }

  /** How much output is held back at most. */
  get #releaseBytes(): number {
    const { recording, outlet } = this.#parts;
    return this.#writesToPeers && recording?.hasPending !== true && recording?.isBusy !== true && outlet.underWay === undefined ? PEER_RELEASE_BYTES : limits.OUTBOX_BYTES_MAX;
  }

  #adaptSlice(executed: number, milliseconds: number): void {
    if (executed < this.#sliceSize / 2 || milliseconds <= 0) return;
    const fitting = (executed / milliseconds) * SLICE_MS;
    this.#sliceSize = Math.round(Math.min(SLICE_MAX, Math.max(SLICE_MIN, fitting)));
  }

  #outcomeOf(stop: GuestStop): Outcome | undefined {
    if (stop.kind === 'ended') return stop.outcome;
    if (stop.kind === 'capped') return { kind: 'capped', cap: stop.cap };
    const { maxInstructions, guest } = this.#parts;
    return maxInstructions !== undefined && guest.retired >= maxInstructions ? { kind: 'capped', cap: 'instructions' } : undefined;
  }

  /** Small messages come by the thousand: what is there already is fed without a look at everything else, for a while. */
  #hurries(stop: GuestStop): boolean {
    const { feed, policy, monotonicMs } = this.#parts;
    if (stop.kind !== 'blocked' || stop.needsClock || stop.needsEntropy > 0 || policy.kind === 'instructions') return false;
    if (this.#isCommitDue || monotonicMs() - this.#lastLook >= LOOK_INTERVAL_MS) return false;
    return feed.supplyNow(stop.channels, this.#at);
  }

  async #satisfy(stop: Extract<GuestStop, { kind: 'blocked' }>): Promise<void> {
    const { feed, guest } = this.#parts;
    if (stop.channels.length > 0 && !feed.supplyNow(stop.channels, this.#at)) await this.#waitForInput(stop.channels);
    if (stop.needsClock) guest.supplyClock(feed.clock(this.#at));
    if (stop.needsEntropy > 0) guest.supplyEntropy(feed.entropy(stop.needsEntropy, this.#at));
  }

  /** Gives out first what the world may wait for. The end of a release that is under way ends the wait, too: then the next one can begin. */
  async #waitForInput(blocked: readonly Channel[]): Promise<void> {
    const { channels, feed, outlet, hooks } = this.#parts;
    if (channels.hasOutput && feed.needsHost(blocked) && outlet.underWay === undefined) await this.#release();
    await feed.supply(blocked, this.#at, { stopRequested: hooks.stopRequested, until: outlet.underWay });
  }

  async #housekeeping(): Promise<void> {
    const { hooks, monotonicMs, recording, outlet } = this.#parts;
    const now = this.#lastLook = monotonicMs();
    recording?.mustBeWell();
    outlet.mustBeWell();
    if (this.#isCommitDue || this.#isOutputDue(now)) await this.#release();
    if (this.#isCheckpointDue(now)) await this.#checkpoint();
    hooks.onProgress?.(this.progress());
    if (now - this.#lastYield >= SLICE_MS) await this.#yieldToHost(now);
  }

  /** Whether the journal should be made durable, whatever the guest has written; while a release is under way only when the guest must not go on before that is over. */
  get #isCommitDue(): boolean {
    const { feed, recording, outlet } = this.#parts;
    if (outlet.underWay !== undefined) return recording?.isBrimming === true;
    return recording?.isFull === true || feed.wantsCommit || feed.hasIdled;
  }

  #isOutputDue(now: number): boolean {
    const { channels, recording, outlet } = this.#parts;
    if (!channels.hasOutput) return false;
    if (outlet.underWay !== undefined) return channels.pendingBytes >= limits.OUTBOX_BYTES_MAX;
    // While a checkpoint is under way a release would wait for it, and the guest with it: better a little later.
    if (recording?.isBusy === true && channels.pendingBytes < limits.OUTBOX_BYTES_MAX / 2) return false;
    return now - this.#lastRelease >= RELEASE_INTERVAL_MS || channels.pendingBytes >= this.#releaseBytes;
  }

  #lastYield = 0;
  #lastLook = 0;

  /** Lets the host's event loop run: signals, other sessions. */
  async #yieldToHost(now: number): Promise<void> {
    this.#lastYield = now;
    await new Promise<void>((resolve) => { setImmediate(resolve); });
  }

  progress(): Progress {
    const { guest, recording, feed, outlet } = this.#parts;
    return { instructions: guest.retired, startedAt: this.#startedAt, checkpoints: recording?.checkpoints ?? 0, inputBytes: feed.fetchedBytes, outputBytes: outlet.deliveredBytes };
  }

  #isCheckpointDue(now: number): boolean {
    const { policy, recording, guest } = this.#parts;
    if (recording === undefined || recording.isCatchingUp(this.#at)) return false;
    if (policy.kind === 'time') return !recording.isBusy && now - this.#lastCheckpointMs >= policy.milliseconds && guest.retired > this.#lastCheckpointAt;
    return policy.kind === 'instructions' && guest.retired >= this.#lastCheckpointAt + policy.count;
  }

  /** Makes the journal durable and gives out the outbox. Where commits happen beside the guest it need not wait for one. */
  async #release(): Promise<void> {
    const { channels, hooks, outlet, recording, feed, monotonicMs } = this.#parts;
    if (channels.hasOutput) hooks.beforeOutput?.();
    const mayRunOn = recording?.isBeside === true && recording.hasPending;
    await outlet.begin(this.#at, feed.mark());
    if (!mayRunOn) await outlet.idle();
    this.#lastRelease = monotonicMs();
  }

  /** The same until everything has left. */
  async #releaseAll(): Promise<void> {
    await this.#release();
    await this.#parts.outlet.idle();
  }

  /** Takes a checkpoint; where captures happen beside the guest it is under way when this resolves. */
  async #checkpoint(): Promise<void> {
    const { outlet, recording, guest, monotonicMs } = this.#parts;
    await this.#releaseAll();
    await outlet.settle(this.#at);
    await recording!.begin(this.#at, guest.state(), outlet.positions);
    this.#lastCheckpointAt = guest.retired;
    this.#lastCheckpointMs = monotonicMs();
  }

  async #end(outcome: Outcome): Promise<SessionEnd> {
    const { outlet, recording, guest } = this.#parts;
    await this.#releaseAll();
    await outlet.settle(this.#at);
    const reason = await this.#partWithPeers();
    if (reason !== undefined) return this.#stopAtEnd(reason);
    const root = await recording?.end(this.#at, { outcome, state: guest.state(), outputs: outlet.positions });
    return { kind: 'ended', outcome, root };
  }

  /**
   * Peers are told that nothing is read any more and where the output ends, and are waited for until they hold it durably: an end that is recorded
   * owes nobody anything. A text: a stop was asked for meanwhile.
   */
  async #partWithPeers(): Promise<string | undefined> {
    const { ports, hooks } = this.#parts;
    for (const port of ports.values()) port.discard?.();
    const finishing = [...ports.values()].flatMap((port) => (port.finish === undefined ? [] : [port.finish()]));
    if (finishing.length === 0) return undefined;
    hooks.onProgress?.(this.progress());
    const isAll = (await Promise.all(finishing)).every((isDone) => isDone);
    return isAll ? undefined : hooks.stopRequested?.() ?? 'stopped while a peer still had to read';
  }

  /** The guest is over but its peers do not have everything: the run stays open, its next life makes the rest again from the last checkpoint. */
  async #stopAtEnd(reason: string): Promise<SessionEnd> {
    const { outlet, recording } = this.#parts;
    await recording?.stop(this.#at, { reason, outputs: outlet.positions });
    return { kind: 'stopped', reason };
  }

  /** A stop from outside: a checkpoint where possible, so that the resume has nothing to repeat. */
  async #stop(reason: string): Promise<SessionEnd> {
    const { outlet, recording } = this.#parts;
    if (recording === undefined) {
      await this.#releaseAll();
      return { kind: 'stopped', reason };
    }
    if (recording.isCatchingUp(this.#at)) await this.#releaseAll();
    else await this.#checkpoint();
    await recording.stop(this.#at, { reason, outputs: outlet.positions });
    return { kind: 'stopped', reason };
  }
}
