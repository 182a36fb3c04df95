/**
 * System V interprocess communication as state: segments of memory, sets of semaphores, queues of messages.
 * Invariants: an id names one object for ever; a segment's bytes are a file without a name, which lives while the segment is not removed or a
 * process has it mapped; times are seconds of the clock that the guest sees. A machine that never used it has no state of it.
 * What this does NOT do: check rights or arguments (calls/system-v*.ts), map (AddressSpace).
 */
import { StillpointError, type Canonical, type Undo } from '../core/index.ts';
import type { FileSystem } from './files/index.ts';
import type { Process } from './process.ts';

/** struct ipc_perm without its id. */
export interface Permission { key: number; uid: number; gid: number; readonly cuid: number; readonly cgid: number; mode: number }
interface Owned { readonly id: number; readonly permission: Permission; ctime: number }

export interface Segment extends Owned { readonly ino: number; readonly size: number; isRemoved: boolean; readonly creator: number; lastPid: number; atime: number; dtime: number }
export interface Semaphore { value: number; pid: number }
export interface SemaphoreSet extends Owned { readonly semaphores: readonly Semaphore[]; otime: number }
export interface Message { readonly type: bigint; readonly bytes: Uint8Array }
export interface MessageQueue extends Owned { readonly messages: Message[]; bytesMax: number; stime: number; rtime: number; sender: number; receiver: number }

/** What SEM_UNDO owes: added to the values when the process ends. */
interface Debt { readonly pid: number; readonly set: number; readonly amounts: number[] }

/** How often a segment is mapped: once for each place it was attached at, in each memory. */
export function attachments(processes: readonly Process[], { ino }: Segment): number {
  const images = new Set(processes.flatMap((process) => (process.hasImage ? [process.image] : [])));
  let count = 0;
  for (const { space } of images) for (const { backing } of space.map.mappings) if (backing?.key === ino && backing.offset === 0) count++;
  return count;
}

export class SystemV {
  readonly segments = new Map<number, Segment>();
  readonly sets = new Map<number, SemaphoreSet>();
  readonly queues = new Map<number, MessageQueue>();
  debts: Debt[] = [];
  nextId = 0;

  takeId(): number {
    return this.nextId++;
  }

  /** The debts of a process to a set; made when they are not there. */
  debtOf(pid: number, set: SemaphoreSet): number[] {
    const known = this.debts.find((debt) => debt.pid === pid && debt.set === set.id);
    if (known !== undefined) return known.amounts;
    const amounts = set.semaphores.map(() => 0);
    this.debts.push({ pid, set: set.id, amounts });
    return amounts;
  }

  /** The set is gone, or its values were set outright. */
  forgive(set: number, index?: number): void {
    if (index === undefined) this.debts = this.debts.filter((debt) => debt.set !== set);
    else for (const debt of this.debts) if (debt.set === set) debt.amounts[index] = 0;
  }

  endProcess(pid: number): void {
    for (const debt of this.debts.filter((one) => one.pid === pid)) {
      this.sets.get(debt.set)?.semaphores.forEach((semaphore, index) => {
        const amount = debt.amounts[index]!;
        if (amount === 0) return;
        semaphore.value = Math.max(0, semaphore.value + amount);
        semaphore.pid = pid;
      });
    }
    this.debts = this.debts.filter((one) => one.pid !== pid);
  }

  mark(): Undo {
    const kept = this.state();
    return () => { if (kept !== undefined || this.nextId !== 0) this.#load(kept); };
  }

  /** Undefined: never used. */
  state(): Canonical | undefined {
    if (this.nextId === 0) return undefined;
    const permission = ({ key, uid, gid, cuid, cgid, mode }: Permission): Canonical => [key, uid, gid, cuid, cgid, mode];
    return {
      nextId: this.nextId,
      segments: [...this.segments.values()].map((one) => [one.id, permission(one.permission), one.ctime, one.ino, one.size, one.isRemoved, one.creator, one.lastPid, one.atime, one.dtime]),
      sets: [...this.sets.values()].map((one) => [one.id, permission(one.permission), one.ctime, one.semaphores.map(({ value, pid }) => [value, pid]), one.otime]),
      queues: [...this.queues.values()].map((one) => [one.id, permission(one.permission), one.ctime, one.messages.map(({ type, bytes }) => [type, bytes]), one.bytesMax, one.stime, one.rtime, one.sender, one.receiver]),
      debts: this.debts.map(({ pid, set, amounts }) => [pid, set, [...amounts]]),
    };
  }

  /** From state(), whose hash was verified; the files of segments are retained. Throws StillpointError E_STATE_FORMAT. */
  restore(state: Canonical | undefined, files: FileSystem): void {
    this.#load(state);
    for (const { ino, isRemoved } of this.segments.values()) {
      const inode = files.find(ino);
      if (inode !== undefined && !isRemoved) files.retain(inode);
      else if (!isRemoved) throw new StillpointError('E_STATE_FORMAT', 'the state of the machine has a segment without its bytes');
    }
  }

  #load(state: Canonical | undefined): void {
    // The shape is the one that state() gives.
    type Common = readonly [number, readonly [number, number, number, number, number, number], number];
    const record = (state ?? { nextId: 0, segments: [], sets: [], queues: [], debts: [] }) as unknown as {
      readonly nextId: number; readonly segments: readonly (readonly [...Common, number, number, boolean, number, number, number, number])[]; readonly sets: readonly (readonly [...Common, readonly (readonly [number, number])[], number])[];
      readonly queues: readonly (readonly [...Common, readonly (readonly [bigint, Uint8Array])[], number, number, number, number, number])[]; readonly debts: readonly (readonly [number, number, readonly number[]])[];
    };
    const owned = ([id, [key, uid, gid, cuid, cgid, mode], ctime]: Common): Owned => ({ id, permission: { key, uid, gid, cuid, cgid, mode }, ctime });
    this.nextId = record.nextId;
    this.segments.clear();
    this.sets.clear();
    this.queues.clear();
    for (const [id, permission, ctime, ino, size, isRemoved, creator, lastPid, atime, dtime] of record.segments) this.segments.set(id, { ...owned([id, permission, ctime]), ino, size, isRemoved, creator, lastPid, atime, dtime });
    for (const [id, permission, ctime, semaphores, otime] of record.sets) this.sets.set(id, { ...owned([id, permission, ctime]), semaphores: semaphores.map(([value, pid]) => ({ value, pid })), otime });
    for (const [id, permission, ctime, messages, bytesMax, stime, rtime, sender, receiver] of record.queues) {
      this.queues.set(id, { ...owned([id, permission, ctime]), messages: messages.map(([type, bytes]) => ({ type, bytes })), bytesMax, stime, rtime, sender, receiver });
    }
    this.debts = record.debts.map(([pid, set, amounts]) => ({ pid, set, amounts: [...amounts] }));
  }
}
