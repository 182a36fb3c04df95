/**
 * Processes as files see them (files/tasks.ts): for descriptors that tell of signals and processes, and for terminals.
 */
import type { Tasks } from './files/tasks.ts';
import type { Kernel } from './kernel.ts';
import { SI } from './signal-actions.ts';
import { sendSignal, takeSignal } from './signal-delivery.ts';
import type { SignalInfo } from './signal-pending.ts';

function ofKernel(signal: number): SignalInfo {
  return { signal, code: SI.KERNEL, pid: 0, uid: 0, value: 0n, form: 'kill' };
}

export function taskView(kernel: Kernel): Tasks {
  return {
    pendingSignals: () => kernel.current.pending.set | kernel.current.process.pending.set,
    takeSignal: (set) => {
      for (const pending of [kernel.current.pending, kernel.current.process.pending]) {
        const signal = pending.next(~set);
        if (signal !== 0) return takeSignal(kernel.current.process, pending, signal);
      }
      return undefined;
    },
    isReaped: (pid) => kernel.findProcess(pid) === undefined,
    isOver: (pid) => kernel.findProcess(pid)?.isOver ?? true,
    sessionOf: (pid) => kernel.findProcess(pid)?.session ?? 0,
    groupOf: (pid) => kernel.findProcess(pid)?.group ?? 0,
    signalGroup: (group, signal) => {
      for (const process of kernel.livingInGroup(group)) sendSignal(kernel, { process }, ofKernel(signal));
    },
    signalLeader: (session, signal) => {
      const process = kernel.findProcess(session);
      if (process !== undefined && process.session === session && !process.isOver) sendSignal(kernel, { process }, ofKernel(signal));
    },
  };
}
