/**
 * The files of /proc that tell of processes, memory and the machine. Bytes are made at each read from guest state only.
 * What this does NOT do: descriptors and working directories (files/proc.ts asks FileContext).
 */
import type { Kernel } from './kernel.ts';
import type { Mapping } from './memory-map.ts';
import { PROT } from './memory-map.ts';
import type { Process } from './process.ts';
import { taskView } from './task-view.ts';

/** Byte string to bytes. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function mapsLine(mapping: Mapping): string {
  const { start, end, protection, isShared, backing, name } = mapping;
  const rights = `${(protection & PROT.read) !== 0 ? 'r' : '-'}${(protection & PROT.write) !== 0 ? 'w' : '-'}${(protection & PROT.execute) !== 0 ? 'x' : '-'}${isShared ? 's' : 'p'}`;
  const head = `${hex(start)}-${hex(end)} ${rights} ${hex(backing?.offset ?? 0)} 00:${backing === undefined ? '00' : '01'} ${backing?.key ?? 0} `;
  const label = backing?.path ?? name;
  return label === '' ? `${head}\n` : `${head.padEnd(73)}${label}\n`;
}

function usedBytes(process: Process): number {
  return process.hasImage ? process.space.accessibleBytes : 0;
}

const STATES = { R: 'R (running)', S: 'S (sleeping)', T: 'T (stopped)', Z: 'Z (zombie)' } as const;

function stateOf(process: Process): keyof typeof STATES {
  if (process.isOver) return 'Z';
  if (process.stopSignal !== 0) return 'T';
  return process.threads.some(({ wait }) => wait.kind === 'none') ? 'R' : 'S';
}

function statText(process: Process): string {
  const bytes = usedBytes(process);
  const state = stateOf(process);
  const head = `${process.pid} (${process.name}) ${state} ${process.parentPid} ${process.group} ${process.session} 0 -1 0`;
  const counters = `0 0 0 0 0 0 0 0 20 0 ${process.threads.length} 0 0 ${bytes} ${bytes / 4096}`;
  return `${head} ${counters}${' 0'.repeat(28)}\n`;
}

function statusText(process: Process): string {
  const kilobytes = Math.floor(usedBytes(process) / 1024);
  const { uid, gid } = process.files.credentials;
  const rows: readonly (readonly [string, string | number])[] = [
    ['Name', process.name], ['State', STATES[stateOf(process)]], ['Tgid', process.pid], ['Pid', process.pid], ['PPid', process.parentPid],
    ['TracerPid', 0], ['Uid', `${uid}\t${uid}\t${uid}\t${uid}`], ['Gid', `${gid}\t${gid}\t${gid}\t${gid}`],
    ['VmSize', `${kilobytes} kB`], ['VmRSS', `${kilobytes} kB`], ['Threads', process.threads.length],
  ];
  return rows.map(([name, value]) => `${name}:\t${value}\n`).join('');
}

function memoryText(kernel: Kernel): string {
  const total = kernel.account.memoryBytes / 1024;
  const used = kernel.account.usedBytes / 1024;
  const row = (name: string, value: number): string => `${`${name}:`.padEnd(16)}${String(Math.max(0, Math.floor(value))).padStart(8)} kB\n`;
  return row('MemTotal', total) + row('MemFree', total - used) + row('MemAvailable', total - used) + row('Buffers', 0) + row('Cached', 0)
    + row('SwapTotal', 0) + row('SwapFree', 0);
}

/** Registers everything; the same for a booted and a restored machine. */
export function registerProcessFiles(kernel: Kernel): void {
  const { files } = kernel;
  files.tasks = taskView(kernel);
  files.proc.setProcesses({
    list: () => kernel.processes.map(({ pid }) => pid),
    files: (pid) => kernel.findProcess(pid)?.files,
  });
  const ofProcess = (name: string, make: (process: Process) => Uint8Array): void => {
    files.registerProvider(`/proc/[pid]/${name}`, (pid) => {
      const process = kernel.findProcess(pid);
      return process === undefined ? new Uint8Array(0) : make(process);
    });
  };
  files.registerLink('/proc/[pid]/exe', (pid) => kernel.findProcess(pid)?.programPath);
  ofProcess('auxv', (process) => (process.hasImage ? process.image.auxiliary : new Uint8Array(0)));
  ofProcess('cmdline', (process) => bytesOf(process.argv.map((text) => `${text}\0`).join('')));
  ofProcess('comm', (process) => bytesOf(`${process.name}\n`));
  ofProcess('environ', (process) => bytesOf(process.environment.map((text) => `${text}\0`).join('')));
  ofProcess('maps', (process) => bytesOf(process.hasImage ? process.space.map.mappings.map(mapsLine).join('') : ''));
  ofProcess('stat', (process) => bytesOf(statText(process)));
  ofProcess('statm', (process) => bytesOf(`${usedBytes(process) / 4096} ${usedBytes(process) / 4096} 0 0 0 0 0\n`));
  ofProcess('status', (process) => bytesOf(statusText(process)));
  const machine = (path: string, make: () => string): void => files.registerProvider(path, () => bytesOf(make()));
  machine('/proc/cpuinfo', () => `processor\t: 0\nhart\t\t: 0\nisa\t\t: ${kernel.isa.name}\nmmu\t\t: sv39\n\n`);
  machine('/proc/loadavg', () => '0.00 0.00 0.00 1/1 1\n');
  machine('/proc/meminfo', () => memoryText(kernel));
  machine('/proc/stat', () => 'cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nbtime 0\n');
  machine('/proc/uptime', () => '0.00 0.00\n');
  machine('/proc/version', () => 'Linux version 6.1.0-stillpoint\n');
  machine('/proc/sys/kernel/osrelease', () => '6.1.0-stillpoint\n');
  machine('/proc/sys/kernel/ostype', () => 'Linux\n');
  machine('/proc/sys/kernel/hostname', () => 'stillpoint\n');
  machine('/proc/sys/kernel/pid_max', () => '32768\n');
  machine('/proc/sys/kernel/rtsig-max', () => '32\n');
  machine('/proc/sys/vm/overcommit_memory', () => '2\n');
  machine('/proc/sys/vm/max_map_count', () => '65530\n');
}
