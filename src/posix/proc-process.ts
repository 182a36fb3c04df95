/**
 * The texts of /proc/PID: what a process and its threads are, made at each read from guest state only.
 * What this does NOT do: times of starts (zero), memory (proc-memory.ts).
 */
import { CLOCK_TICKS } from './boot.ts';
import { executedBy } from './cpu-time.ts';
import { CAPABILITIES, isPrivileged, type IdKind } from './files/identity.ts';
import type { Kernel } from './kernel.ts';
import { PROT } from './memory-map.ts';
import type { Process } from './process.ts';
import { isData, limitOf, RLIMIT, sizeOf } from './resource-limits.ts';
import { SIG_DFL, SIG_IGN, SIGNALS_MAX, bitOf } from './signal-actions.ts';
import { SIGNALS_QUEUED_MAX } from './signal-pending.ts';
import { terminalOfSession } from './terminal-io.ts';
import type { Thread } from './thread.ts';

/** Major number of pseudo-terminals, as tty_nr has it. */
const TERMINAL_DEVICE = 136 * 256;
const PAGE_BYTES = 4096;
/** Bytes that one page of a page table maps. */
const PAGE_TABLE_SPAN = 512 * PAGE_BYTES;
const SECOND = 1_000_000_000n;
const STATES = { R: 'R (running)', S: 'S (sleeping)', T: 'T (stopped)', Z: 'Z (zombie)' } as const;
const NAMES: readonly (readonly [keyof typeof RLIMIT, string, string])[] = [
  ['CPU', 'cpu time', 'seconds'], ['FSIZE', 'file size', 'bytes'], ['DATA', 'data size', 'bytes'], ['STACK', 'stack size', 'bytes'], ['CORE', 'core file size', 'bytes'], ['RSS', 'resident set', 'bytes'],
  ['NPROC', 'processes', 'processes'], ['NOFILE', 'open files', 'files'], ['MEMLOCK', 'locked memory', 'bytes'], ['AS', 'address space', 'bytes'], ['LOCKS', 'file locks', 'locks'], ['SIGPENDING', 'pending signals', 'signals'],
  ['MSGQUEUE', 'msgqueue size', 'bytes'], ['NICE', 'nice priority', ''], ['RTPRIO', 'realtime priority', ''], ['RTTIME', 'realtime timeout', 'us'],
];
const INFINITE = 2n ** 64n - 1n;

export function usedBytes(process: Process): number {
  return process.hasImage ? process.space.accessibleBytes : 0;
}

function stateOf(process: Process, thread: Thread | undefined): keyof typeof STATES {
  if (process.isOver) return 'Z';
  if (process.stopSignal !== 0) return 'T';
  return (thread === undefined ? process.threads : [thread]).some(({ wait }) => wait.kind === 'none') ? 'R' : 'S';
}

/** `thread`: the one of /proc/PID/task/TID. */
export function statText(kernel: Kernel, process: Process, thread?: Thread): string {
  const bytes = usedBytes(process);
  const terminal = terminalOfSession(kernel.files, process.session)?.terminal;
  const head = `${thread?.tid ?? process.pid} (${thread?.name ?? process.name}) ${stateOf(process, thread)} ${process.parentPid} ${process.group} ${process.session}`;
  const control = terminal === undefined ? '0 -1' : `${TERMINAL_DEVICE + terminal.number} ${terminal.foreground}`;
  const ticks = (executed: number): bigint => kernel.clock.shown(BigInt(executed)) * BigInt(CLOCK_TICKS) / SECOND;
  const counters = `0 0 0 0 ${ticks(thread?.executed ?? executedBy(process))} 0 ${ticks(process.childTime)} 0 ${20 + process.nice} ${process.nice} ${process.threads.length} 0 0 ${bytes} ${bytes / PAGE_BYTES}`;
  // What signals are, as numbers of 31 bits: an old form that is still there.
  const sets = [thread?.pending.set ?? process.pending.set, (thread ?? process.threads[0])?.mask ?? 0n, actionSet(process, (handler) => handler === SIG_IGN), actionSet(process, (handler) => handler !== SIG_IGN && handler !== SIG_DFL)];
  const limit = limitOf(kernel, process, RLIMIT.RSS)?.[0] ?? INFINITE;
  const policy = ((thread ?? process.threads[0])?.policy ?? 0) & 0xff;
  return `${head} ${control} 0 ${counters} ${limit}${' 0'.repeat(5)} ${sets.map((set) => set & 0x7fff_ffffn).join(' ')} 0 0 0 ${process.exitSignal} 0 0 ${policy}${' 0'.repeat(11)}\n`;
}

/** The process that the first one and all orphans belong to. It is outside the machine: it has a name, and nothing that can be looked into. */
export const INIT = 1;

/** What /proc/1/NAME holds. */
export function initText(name: string): string {
  switch (name) {
    case 'comm': return 'init\n';
    case 'cmdline': return 'init\0';
    case 'stat': return `1 (init) S 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 0${' 0'.repeat(30)}\n`;
    case 'statm': return '0 0 0 0 0 0 0\n';
    case 'status': return `Name:\tinit\nState:\tS (sleeping)\nTgid:\t1\nPid:\t1\nPPid:\t0\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nThreads:\t1\nSigPnd:\t${hexSet(0n)}\nShdPnd:\t${hexSet(0n)}\nSigBlk:\t${hexSet(0n)}\nSigIgn:\t${hexSet(0n)}\nSigCgt:\t${hexSet(0n)}\n`;
    default: return '';
  }
}

function hexSet(set: bigint): string {
  return set.toString(16).padStart(16, '0');
}

function actionSet(process: Process, holds: (handler: number) => boolean): bigint {
  let set = 0n;
  for (let signal = 1; signal <= SIGNALS_MAX; signal++) if (holds(process.actions.get(signal).handler)) set |= bitOf(signal);
  return set;
}

/** What is mapped with rights is resident; page tables are counted as Linux needs them for that much. Nothing is locked, pinned or swapped. */
function memoryRows(process: Process): readonly (readonly [string, string | number])[] {
  const row = (name: string, bytes: number): readonly [string, string] => [name, `${String(Math.floor(bytes / 1024)).padStart(8)} kB`];
  const { mappings } = process.space.map;
  const used = usedBytes(process);
  const file = sizeOf(mappings.filter(({ isShared, protection }) => isShared && protection !== 0));
  const size = sizeOf(mappings);
  return [
    row('VmPeak', size), row('VmSize', size), row('VmLck', 0), row('VmPin', 0), row('VmHWM', used), row('VmRSS', used), row('RssAnon', used - file), row('RssFile', file), row('RssShmem', 0), row('VmData', sizeOf(mappings.filter(isData))),
    row('VmStk', sizeOf(mappings.filter(({ name }) => name === '[stack]'))), row('VmExe', sizeOf(mappings.filter(({ protection }) => (protection & PROT.execute) !== 0))), row('VmLib', 0),
    row('VmPTE', Math.ceil(used / PAGE_TABLE_SPAN) * PAGE_BYTES), row('VmSwap', 0), row('HugetlbPages', 0), ['CoreDumping', 0], ['THP_enabled', 0],
  ];
}

export function statusText(process: Process, thread: Thread | undefined = process.threads[0]): string {
  const { identity, umask, descriptors } = process.files;
  const ids = (kind: IdKind): string => [identity.real, identity.effective, identity.saved, identity.file].map((pair) => pair[kind]).join('\t');
  const capabilities = isPrivileged(identity) ? CAPABILITIES : 0n;
  const rows: readonly (readonly [string, string | number])[] = [
    ['Name', thread?.name ?? process.name], ['Umask', umask.toString(8).padStart(4, '0')], ['State', STATES[stateOf(process, thread)]], ['Tgid', process.pid], ['Ngid', 0], ['Pid', thread?.tid ?? process.pid],
    ['PPid', process.parentPid], ['TracerPid', 0], ['Uid', ids('uid')], ['Gid', ids('gid')], ['FDSize', Math.max(64, (descriptors.numbers().at(-1) ?? 0) + 1)], ['Groups', `${identity.groups.join(' ')} `],
    ['NStgid', process.pid], ['NSpid', thread?.tid ?? process.pid], ['NSpgid', process.group], ['NSsid', process.session], ...(process.hasImage ? memoryRows(process) : []), ['Threads', process.threads.length],
    ['SigQ', `${process.pending.count}/${SIGNALS_QUEUED_MAX}`], ['SigPnd', hexSet(thread?.pending.set ?? 0n)], ['ShdPnd', hexSet(process.pending.set)], ['SigBlk', hexSet(thread?.mask ?? 0n)],
    ['SigIgn', hexSet(actionSet(process, (handler) => handler === SIG_IGN))], ['SigCgt', hexSet(actionSet(process, (handler) => handler !== SIG_IGN && handler !== SIG_DFL))],
    ['CapInh', hexSet(0n)], ['CapPrm', hexSet(capabilities)], ['CapEff', hexSet(capabilities)], ['CapBnd', hexSet(capabilities)], ['CapAmb', hexSet(0n)], ['NoNewPrivs', Number(process.controls.hasNoNewPrivileges)], ['Seccomp', 0], ['Seccomp_filters', 0],
    ['Speculation_Store_Bypass', 'unknown'], ['SpeculationIndirectBranch', 'unknown'], ['Cpus_allowed', 1], ['Cpus_allowed_list', 0], ['Mems_allowed', 1], ['Mems_allowed_list', 0],
    ['voluntary_ctxt_switches', 0], ['nonvoluntary_ctxt_switches', 0],
  ];
  return rows.map(([name, value]) => `${name}:\t${value}\n`).join('');
}

export function limitsText(kernel: Kernel, process: Process): string {
  const column = (value: bigint): string => (value === INFINITE ? 'unlimited' : value.toString()).padEnd(21);
  const rows = NAMES.map(([resource, name, unit]) => {
    const [soft, hard] = limitOf(kernel, process, RLIMIT[resource]) ?? [INFINITE, INFINITE];
    return `${`Max ${name}`.padEnd(26)}${column(soft)}${column(hard)}${unit.padEnd(10)}\n`;
  });
  return `${'Limit'.padEnd(26)}${'Soft Limit'.padEnd(21)}${'Hard Limit'.padEnd(21)}${'Units'.padEnd(10)}\n${rows.join('')}`;
}

/** Nanoseconds on the processor, nanoseconds of waiting for it, and how often it was given. */
export function scheduledText(kernel: Kernel, process: Process, thread?: Thread): string {
  return `${kernel.clock.shown(BigInt(thread?.executed ?? executedBy(process)))} 0 1\n`;
}
