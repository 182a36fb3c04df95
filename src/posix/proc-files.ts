/**
 * The files of /proc that tell of processes, memory and the machine. Bytes are made at each read from guest state only.
 * What this does NOT do: descriptors and working directories (files/proc.ts asks FileContext).
 */
import { limits } from '../core/index.ts';
import { ERRNO } from './errno.ts';
import { NET_FILES } from './loopback.ts';
import type { Kernel } from './kernel.ts';
import { argumentBytes, environmentBytes } from './proc-arguments.ts';
import { locksText } from './proc-locks.ts';
import { mapsText, rollupText, smapsText } from './proc-memory.ts';
import { SOCKET_TABLES } from './proc-net.ts';
import { systemVTexts } from './proc-system-v.ts';
import { INIT, initText, limitsText, scheduledText, statText, statusText, usedBytes } from './proc-process.ts';
import { addSettings } from './proc-settings.ts';
import type { Process } from './process.ts';
import { taskView } from './task-view.ts';
import type { Thread } from './thread.ts';

/** A name of a thread, without its NUL. */
const NAME_BYTES_MAX = 15;

/** Byte string to bytes. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function memoryText(kernel: Kernel): string {
  const total = kernel.account.memoryBytes / 1024;
  const used = kernel.account.usedBytes / 1024;
  const row = (name: string, value: number): string => `${`${name}:`.padEnd(16)}${String(Math.max(0, Math.floor(value))).padStart(8)} kB\n`;
  const zeros = (...names: string[]): string => names.map((name) => row(name, 0)).join('');
  return row('MemTotal', total) + row('MemFree', total - used) + row('MemAvailable', total - used) + zeros('Buffers', 'Cached', 'SwapCached') + row('Active', used) + zeros('Inactive') + row('Active(anon)', used)
    + zeros('Inactive(anon)', 'Active(file)', 'Inactive(file)', 'Unevictable', 'Mlocked', 'SwapTotal', 'SwapFree', 'Dirty', 'Writeback') + row('AnonPages', used)
    + zeros('Mapped', 'Shmem', 'KReclaimable', 'Slab', 'SReclaimable', 'SUnreclaim', 'KernelStack', 'PageTables', 'NFS_Unstable', 'Bounce', 'WritebackTmp') + row('CommitLimit', total) + row('Committed_AS', used)
    + row('VmallocTotal', VMALLOC_KILOBYTES) + zeros('VmallocUsed', 'VmallocChunk', 'Percpu') + ['Total', 'Free', 'Rsvd', 'Surp'].map((name) => `${`HugePages_${name}:`.padEnd(16)}${'0'.padStart(8)}\n`).join('')
    + row('Hugepagesize', 2048) + zeros('Hugetlb');
}

/** Of sv39. */
const VMALLOC_KILOBYTES = 67_108_864;

/** Users and groups are those of the one namespace. */
const OWN_IDS = '         0          0 4294967295\n';
/** Names of the namespaces that there is one of, with the numbers that Linux gives the first ones. */
const NAMESPACES: readonly (readonly [string, string])[] = [
  ['cgroup', 'cgroup:[4026531835]'], ['ipc', 'ipc:[4026531839]'], ['mnt', 'mnt:[4026531841]'], ['net', 'net:[4026531840]'], ['pid', 'pid:[4026531836]'], ['pid_for_children', 'pid:[4026531836]'],
  ['time', 'time:[4026531834]'], ['time_for_children', 'time:[4026531834]'], ['user', 'user:[4026531837]'], ['uts', 'uts:[4026531838]'],
];

/** Files of a process that tell the same of all. */
const CONSTANT: readonly (readonly [string, string])[] = [
  ['autogroup', '/autogroup-1 nice 0\n'], ['cgroup', '0::/\n'], ['coredump_filter', '00000033\n'], ['cpuset', '/\n'], ['gid_map', OWN_IDS], ['io', ['rchar', 'wchar', 'syscr', 'syscw', 'read_bytes', 'write_bytes', 'cancelled_write_bytes'].map((name) => `${name}: 0\n`).join('')], ['loginuid', '4294967295'],
  ['oom_adj', '0\n'], ['oom_score', '0\n'], ['oom_score_adj', '0\n'], ['projid_map', OWN_IDS], ['sessionid', '4294967295'], ['setgroups', 'allow\n'], ['timerslack_ns', '50000\n'], ['uid_map', OWN_IDS], ['wchan', '0'],
];

/** What programs look for in /proc/vmstat and what never happens here: there is no disk, no swap and no second node. */
const VMSTAT_ZEROS = ['nr_dirty', 'nr_writeback', 'pgpgin', 'pgpgout', 'pswpin', 'pswpout', 'pgfault', 'pgmajfault', 'oom_kill'].map((name) => `${name} 0\n`).join('');

/** Seconds with two digits, on the clock that the guest sees. */
function uptimeText({ clock }: Kernel): string {
  const hundredths = clock.mode.kind === 'zero' ? 0n : clock.hidden / 10_000_000n;
  const text = `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, '0')}`;
  return `${text} 0.00\n`;
}

/** When the machine started, on the clock that the guest sees; 0 where only the host knows. */
function bootSeconds({ clock: { mode } }: Kernel): bigint {
  return mode.kind === 'virtual' ? mode.start / 1_000_000_000n : 0n;
}

/** A thread may name any of its own process (Linux comm_write): what is too long is cut, and all of it counts as written. */
function renameThread(kernel: Kernel, { pid, tid, bytes }: { readonly pid: number; readonly tid: number; readonly bytes: Uint8Array }): number {
  const { process } = kernel.current;
  const thread = process.threads.find((each) => each.tid === (tid === 0 ? pid : tid));
  if (process.pid !== pid || thread === undefined) return -ERRNO.EINVAL;
  const end = bytes.indexOf(0);
  thread.name = String.fromCharCode(...bytes.subarray(0, Math.min(NAME_BYTES_MAX, end < 0 ? bytes.length : end)));
  return bytes.length;
}

/** Registers everything; the same for a booted and a restored machine. */
export function registerProcessFiles(kernel: Kernel): void {
  const { files } = kernel;
  files.tasks = taskView(kernel);
  files.proc.setProcesses({
    list: () => [INIT, ...kernel.processes.map(({ pid }) => pid)],
    threads: (pid) => (pid === INIT ? [INIT] : kernel.findProcess(pid)?.threads.map(({ tid }) => tid) ?? []),
    files: (pid) => kernel.findProcess(pid)?.files,
  });
  const ofProcess = (name: string, make: (process: Process, thread: Thread | undefined) => Uint8Array): void => {
    files.registerProvider(`/proc/[pid]/${name}`, (pid, tid) => {
      const process = kernel.findProcess(pid);
      if (pid === INIT) return bytesOf(initText(name));
      return process === undefined ? new Uint8Array(0) : make(process, process.threads.find((thread) => thread.tid === tid));
    });
  };
  const text = (name: string, make: (process: Process, thread: Thread | undefined) => string): void => ofProcess(name, (process, thread) => bytesOf(make(process, thread)));
  files.registerLink('/proc/thread-self', () => `${kernel.current.process.pid}/task/${kernel.current.tid}`);
  files.registerLink('/proc/[pid]/exe', (pid) => kernel.findProcess(pid)?.programPath);
  ofProcess('auxv', (process) => (process.hasImage ? process.image.auxiliary : new Uint8Array(0)));
  ofProcess('cmdline', argumentBytes);
  text('comm', (process, thread) => `${thread?.name ?? process.name}\n`);
  files.proc.registerWriter('/proc/[pid]/comm', (pid, tid, bytes) => renameThread(kernel, { pid, tid, bytes }));
  ofProcess('environ', environmentBytes);
  text('limits', (process) => limitsText(kernel, process));
  text('personality', ({ controls }) => `${controls.personality.toString(16).padStart(8, '0')}\n`);
  text('maps', mapsText);
  text('schedstat', (process, thread) => scheduledText(kernel, process, thread));
  text('smaps', smapsText);
  text('smaps_rollup', rollupText);
  text('stat', (process, thread) => statText(kernel, process, thread));
  text('statm', (process) => `${usedBytes(process) / 4096} ${usedBytes(process) / 4096} 0 0 0 ${usedBytes(process) / 4096} 0\n`);
  text('status', (process, thread) => statusText(process, thread));
  files.registerLink('/proc/net', () => 'self/net');
  for (const [name, target] of NAMESPACES) files.registerLink(`/proc/[pid]/ns/${name}`, () => target);
  for (const [name, make] of SOCKET_TABLES) text(`net/${name}`, () => make(files));
  for (const [name, content] of [...CONSTANT, ...NET_FILES.map(([name, content]) => [`net/${name}`, content] as const)]) text(name, () => content);
  const machine = (path: string, make: () => string): void => files.registerProvider(path, () => bytesOf(make()));
  machine('/proc/cpuinfo', () => `processor\t: 0\nhart\t\t: 0\nisa\t\t: ${kernel.isa.name}\nmmu\t\t: sv39\n\n`);
  machine('/proc/vmstat', () => `nr_free_pages ${Math.max(0, Math.floor((kernel.account.memoryBytes - kernel.account.usedBytes) / limits.PAGE_BYTES))}\n${VMSTAT_ZEROS}`);
  machine('/proc/loadavg', () => '0.00 0.00 0.00 1/1 1\n');
  machine('/proc/meminfo', () => memoryText(kernel));
  machine('/proc/stat', () => `cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nintr 0\nctxt 0\nbtime ${bootSeconds(kernel)}\nprocesses ${kernel.nextId - 1}\nprocs_running 1\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`);
  machine('/proc/uptime', () => uptimeText(kernel));
  machine('/proc/version', () => 'Linux version 6.1.0-stillpoint\n');
  machine('/proc/locks', () => locksText(kernel));
  for (const [name, make] of systemVTexts(kernel)) machine(`/proc/sysvipc/${name}`, make);
  addSettings(kernel, machine);
}
