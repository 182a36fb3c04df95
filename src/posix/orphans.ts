/**
 * What the end of a process means for its children: a signal if they asked for one, and another parent: the nearest ancestor that takes orphans
 * (PR_SET_CHILD_SUBREAPER), else init, which is outside the machine and never has anything to ask.
 */
import type { Kernel } from './kernel.ts';
import type { Process } from './process.ts';
import { SI, SIGNAL } from './signal-actions.ts';
import { sendSignal } from './signal-delivery.ts';

/** Parent of the first process and of orphans. It is not in the machine. */
export const INIT_PID = 1;

/** `parent` is over. Children that are over already are told to who has them now, or go. */
export function leaveOrphans(kernel: Kernel, parent: Process): void {
  const children = kernel.processes.filter(({ parentPid }) => parentPid === parent.pid); // Adopting may reap.
  if (children.length === 0) return;
  const reaper = reaperAbove(kernel, parent);
  for (const child of children) {
    child.parentPid = reaper?.pid ?? INIT_PID;
    child.exitSignal = SIGNAL.CHLD;
    if (child.isOver) kernel.tellEnd(child);
    else if (child.controls.deathSignal !== 0) {
      sendSignal(kernel, { process: child }, { signal: child.controls.deathSignal, code: SI.USER, pid: parent.pid, uid: parent.files.identity.real.uid, value: 0n, form: 'kill' });
    }
  }
}

function reaperAbove(kernel: Kernel, process: Process): Process | undefined {
  let above = kernel.findProcess(process.parentPid);
  while (above !== undefined && (above.isOver || !above.controls.isSubreaper)) above = kernel.findProcess(above.parentPid);
  return above;
}
