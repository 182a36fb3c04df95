/**
 * The files of /proc that tell of processes, memory and the machine. Bytes are made at each read from guest state only.
 * What this does NOT do: descriptors and working directories (files/proc.ts asks FileContext).
 */
import { limits } from '../core/index.ts';
import { QUEUE_SETTINGS } from './files/queues.ts';
import { NET_FILES } from './loopback.ts';
import { TASKS_MAX, type Kernel } from './kernel.ts';
import { argumentBytes, environmentBytes } from './proc-arguments.ts';
import { INIT, initText, limitsText, mapsText, statText, statusText, usedBytes } from './proc-process.ts';
import type { Process } from './process.ts';
import { taskView } from './task-view.ts';
import type { Thread } from './thread.ts';

/** Byte string to bytes. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function memoryText(kernel: Kernel): string {
  const total = kernel.account.memoryBytes / 1024;
  const used = kernel.account.usedBytes / 1024;
  const row = (name: string, value: number): string => `${`${name}:`.padEnd(16)}${String(Math.max(0, Math.floor(value))).padStart(8)} kB\n`;
  return row('MemTotal', total) + row('MemFree', total - used) + row('MemAvailable', total - used) + row('Buffers', 0) + row('Cached', 0)
    + row('SwapTotal', 0) + row('SwapFree', 0);
}

/** Files of a process that tell the same of all. */
const CONSTANT: readonly (readonly [string, string])[] = [
  ['cgroup', '0::/\n'], ['io', ['rchar', 'wchar', 'syscr', 'syscw', 'read_bytes', 'write_bytes', 'cancelled_write_bytes'].map((name) => `${name}: 0\n`).join('')], ['loginuid', '4294967295'],
  ['oom_adj', '0\n'], ['oom_score', '0\n'], ['oom_score_adj', '0\n'], ['personality', '00000000\n'], ['sessionid', '4294967295'], ['timerslack_ns', '50000\n'], ['wchan', '0'],
];

/** What programs look for in /proc/vmstat and what never happens here: there is no disk, no swap and no second node. */
const VMSTAT_ZEROS = ['nr_dirty', 'nr_writeback', 'pgpgin', 'pgpgout', 'pswpin', 'pswpout', 'pgfault', 'pgmajfault', 'oom_kill'].map((name) => `${name} 0\n`).join('');

/** Seconds with two digits, on the clock that the guest sees. */
function uptimeText({ clock }: Kernel): string {
  const hundredths = clock.mode.kind === 'zero' ? 0n : clock.hidden / 10_000_000n;
  const text = `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, '0')}`;
  return `${text} 0.00\n`;
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
  ofProcess('environ', environmentBytes);
  text('limits', (process) => limitsText(kernel, process));
  text('maps', mapsText);
  text('stat', (process, thread) => statText(kernel, process, thread));
  text('statm', (process) => `${usedBytes(process) / 4096} ${usedBytes(process) / 4096} 0 0 0 0 0\n`);
  text('status', (process, thread) => statusText(process, thread));
  files.registerLink('/proc/net', () => 'self/net');
  for (const [name, content] of [...CONSTANT, ...NET_FILES.map(([name, content]) => [`net/${name}`, content] as const)]) text(name, () => content);
  const machine = (path: string, make: () => string): void => files.registerProvider(path, () => bytesOf(make()));
  machine('/proc/cpuinfo', () => `processor\t: 0\nhart\t\t: 0\nisa\t\t: ${kernel.isa.name}\nmmu\t\t: sv39\n\n`);
  machine('/proc/vmstat', () => `nr_free_pages ${Math.max(0, Math.floor((kernel.account.memoryBytes - kernel.account.usedBytes) / limits.PAGE_BYTES))}\n${VMSTAT_ZEROS}`);
  machine('/proc/loadavg', () => '0.00 0.00 0.00 1/1 1\n');
  machine('/proc/meminfo', () => memoryText(kernel));
  machine('/proc/stat', () => 'cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nbtime 0\n');
  machine('/proc/uptime', () => uptimeText(kernel));
  machine('/proc/version', () => 'Linux version 6.1.0-stillpoint\n');
  machine('/proc/sys/kernel/osrelease', () => '6.1.0-stillpoint\n');
  machine('/proc/sys/kernel/ostype', () => 'Linux\n');
  machine('/proc/sys/kernel/hostname', () => 'stillpoint\n');
  machine('/proc/sys/kernel/pid_max', () => '32768\n');
  machine('/proc/sys/kernel/rtsig-max', () => '32\n');
  machine('/proc/sys/vm/overcommit_memory', () => '2\n');
  machine('/proc/cmdline', () => '\n');
  machine('/proc/swaps', () => 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n');
  machine('/proc/sys/fs/file-max', () => '65536\n');
  machine('/proc/sys/fs/nr_open', () => `${limits.DESCRIPTORS_MAX}\n`);
  machine('/proc/sys/fs/pipe-max-size', () => '1048576\n');
  machine('/proc/sys/kernel/cap_last_cap', () => '40\n');
  machine('/proc/sys/kernel/ngroups_max', () => '65536\n');
  machine('/proc/sys/kernel/threads-max', () => `${TASKS_MAX}\n`);
  for (const [name, value] of Object.entries(QUEUE_SETTINGS)) machine(`/proc/sys/fs/mqueue/${name}`, () => `${value}\n`);
  machine('/proc/sys/net/core/somaxconn', () => '4096\n');
  machine('/proc/sys/vm/max_map_count', () => '65530\n');
}
