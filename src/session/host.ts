/**
 * Facts of the host that a session needs: time, randomness, who this process is and whether another one still lives.
 * Invariant: none of them reaches a guest but through a journal frame.
 * What this does NOT do: files and channels (channel/live).
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { runId, type RunId } from '../journal/index.ts';
import type { Owner } from '../txn/index.ts';
import type { HostFacts } from './input-feed.ts';

export const hostFacts: HostFacts = {
  now: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n,
  randomBytes: (length) => new Uint8Array(randomBytes(length)),
};

export function monotonicMs(): number {
  return performance.now();
}

export function wallClockMs(): number {
  return Date.now();
}

export function newRunId(): RunId {
  return runId(randomBytes(16).toString('hex'));
}

/** For work that ends with something that keeps what it wrote (txn/leases.ts). */
export function importLease(): { readonly id: RunId; readonly owner: Owner; readonly isAlive: (owner: Owner) => boolean; readonly pause: () => Promise<void> } {
  return { id: newRunId(), owner: thisOwner(), isAlive, pause: () => sleep(25) };
}

/** This process as the owner of a run. */
export function thisOwner(): Owner {
  return { host: hostIdentity(), pid: process.pid, started: startTime(process.pid) ?? 'unknown', token: randomBytes(16).toString('hex') };
}

/** Whether an owner is this process, under whatever token. */
export function isThisProcess({ host, pid, started }: Owner): boolean {
  return pid === process.pid && host === hostIdentity() && started === (startTime(process.pid) ?? 'unknown');
}

/** Whether an owner still runs. One on another host or from another boot: another boot of this host is dead, another host counts as alive. */
export function isAlive(owner: Owner): boolean {
  const [name, boot] = hostIdentity().split('/');
  const [ownerName, ownerBoot] = owner.host.split('/');
  if (name !== ownerName) return true;
  if (boot !== ownerBoot) return false;
  const started = startTime(owner.pid);
  return started !== undefined && started === owner.started;
}

/** Host name and boot: process numbers mean something only within one boot. */
function hostIdentity(): string {
  return `${hostname()}/${readOrUndefined('/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown'}`;
}

/** Start time of a process in clock ticks since boot (proc(5), field 22); undefined when there is none, or it is a zombie. */
function startTime(pid: number): string | undefined {
  const stat = readOrUndefined(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // Not there, or a host without /proc: both mean "unknown".
  }
}
