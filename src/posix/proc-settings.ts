/**
 * /proc/sys, and what /proc says of hardware that is not there: settings as Linux has them at first, or what this machine keeps to.
 * Invariants: nothing here changes while the machine runs, whatever a program does, but counts and /proc/sys/kernel/random/uuid; bytes come from guest state only.
 * What this does NOT do: set anything (the files are read-only).
 */
import { EntropyStream, limits } from '../core/index.ts';
import { QUEUE_SETTINGS } from './files/queues.ts';
import { BACKLOG_MAX, SOCKET_BYTES, SOCKET_MESSAGES_MAX } from './files/socket.ts';
import { TASKS_MAX, type Kernel } from './kernel.ts';
import { EPHEMERAL } from './socket-ports.ts';

/** Open files of the whole machine. */
const FILES_MAX = 65_536;

type Setting = readonly [path: string, value: string | number];

/** Below /proc/sys. */
const SETTINGS: readonly Setting[] = [
  ['kernel/osrelease', '6.1.0-stillpoint'], ['kernel/ostype', 'Linux'], ['kernel/hostname', 'stillpoint'], ['kernel/domainname', '(none)'], ['kernel/version', '#1 SMP'], ['kernel/arch', 'riscv64'],
  ['kernel/pid_max', 32_768], ['kernel/threads-max', TASKS_MAX], ['kernel/rtsig-max', 32], ['kernel/cap_last_cap', 40], ['kernel/ngroups_max', 65_536], ['kernel/randomize_va_space', 0],
  ['kernel/core_pattern', 'core'], ['kernel/core_uses_pid', 0], ['kernel/overflowuid', 65_534], ['kernel/overflowgid', 65_534], ['kernel/tainted', 0], ['kernel/panic', 0], ['kernel/printk', '4\t4\t1\t7'],
  ['kernel/dmesg_restrict', 1], ['kernel/kptr_restrict', 1], ['kernel/perf_event_paranoid', 4], ['kernel/sched_rr_timeslice_ms', 100],
  ['kernel/shmmax', limits.MEMORY_BYTES_MAX], ['kernel/shmall', Math.ceil(limits.MEMORY_BYTES_MAX / limits.PAGE_BYTES)], ['kernel/shmmni', 4096],
  ['kernel/msgmax', 8192], ['kernel/msgmnb', 16_384], ['kernel/msgmni', 32_000], ['kernel/sem', '32000\t1024000000\t500\t32000'],
  ['kernel/random/entropy_avail', 256], ['kernel/random/poolsize', 256],
  ['vm/overcommit_memory', 2], ['vm/overcommit_ratio', 100], ['vm/overcommit_kbytes', 0], ['vm/max_map_count', 65_530], ['vm/mmap_min_addr', 65_536], ['vm/swappiness', 0], ['vm/nr_hugepages', 0], ['vm/dirty_ratio', 20], ['vm/dirty_background_ratio', 10],
  ['fs/file-max', FILES_MAX], ['fs/nr_open', limits.DESCRIPTORS_MAX], ['fs/pipe-max-size', 1_048_576], ['fs/pipe-user-pages-soft', 0], ['fs/pipe-user-pages-hard', 0], ['fs/overflowuid', 65_534], ['fs/overflowgid', 65_534],
  ['fs/protected_hardlinks', 0], ['fs/protected_symlinks', 0], ['fs/protected_fifos', 0], ['fs/protected_regular', 0], ['fs/suid_dumpable', 0], ['fs/aio-nr', 0], ['fs/aio-max-nr', 0], ['fs/leases-enable', 0], ['fs/lease-break-time', 45],
  ['fs/inotify/max_user_instances', limits.WATCHERS_MAX], ['fs/inotify/max_user_watches', limits.WATCHES_MAX], ['fs/inotify/max_queued_events', limits.WATCH_EVENTS_MAX], ['fs/epoll/max_user_watches', limits.DESCRIPTORS_MAX],
  ['net/core/somaxconn', BACKLOG_MAX], ['net/core/rmem_default', SOCKET_BYTES], ['net/core/rmem_max', SOCKET_BYTES], ['net/core/wmem_default', SOCKET_BYTES], ['net/core/wmem_max', SOCKET_BYTES], ['net/core/netdev_max_backlog', 1000],
  ['net/unix/max_dgram_qlen', SOCKET_MESSAGES_MAX], ['net/ipv4/ip_local_port_range', `${EPHEMERAL.first}\t${EPHEMERAL.last}`], ['net/ipv4/ip_unprivileged_port_start', 1024], ['net/ipv4/ip_default_ttl', 64], ['net/ipv4/ip_forward', 0],
  ['net/ipv4/ip_nonlocal_bind', 0], ['net/ipv4/tcp_rmem', '4096\t131072\t6291456'], ['net/ipv4/tcp_wmem', '4096\t16384\t4194304'], ['net/ipv4/tcp_keepalive_time', 7200], ['net/ipv4/tcp_keepalive_intvl', 75],
  ['net/ipv4/tcp_keepalive_probes', 9], ['net/ipv4/tcp_fin_timeout', 60], ['net/ipv4/tcp_syncookies', 0], ['net/ipv4/tcp_fastopen', 0], ['net/ipv4/tcp_max_syn_backlog', BACKLOG_MAX], ['net/ipv6/bindv6only', 0],
  ...(['all', 'default', 'lo'] as const).map((name): Setting => [`net/ipv6/conf/${name}/disable_ipv6`, 0]),
  ['kernel/pty/max', 4096], ['kernel/sched_rt_period_us', 1_000_000], ['kernel/sched_rt_runtime_us', 950_000], ['kernel/unprivileged_bpf_disabled', 2], ['kernel/numa_balancing', 0], ['kernel/sysrq', 0], ['kernel/ctrl-alt-del', 0],
  ['fs/inode-nr', '0\t0'], ['fs/inode-state', '0\t0\t0\t0\t0\t0\t0'], ['fs/dentry-state', '0\t0\t45\t0\t0\t0'], ['fs/dir-notify-enable', 0], ['fs/mount-max', 100_000],
  ['vm/min_free_kbytes', 0], ['vm/page-cluster', 0], ['vm/panic_on_oom', 0], ['vm/oom_kill_allocating_task', 0], ['vm/oom_dump_tasks', 0], ['vm/legacy_va_layout', 0], ['vm/nr_overcommit_hugepages', 0], ['vm/admin_reserve_kbytes', 0], ['vm/user_reserve_kbytes', 0], ['vm/vfs_cache_pressure', 100],
  ['net/core/optmem_max', 131_072], ['net/ipv4/tcp_syn_retries', 6], ['net/ipv4/tcp_synack_retries', 5], ['net/ipv4/tcp_retries1', 3], ['net/ipv4/tcp_retries2', 15], ['net/ipv4/tcp_orphan_retries', 0],
  ['net/ipv4/tcp_congestion_control', 'cubic'], ['net/ipv4/tcp_available_congestion_control', 'reno cubic'], ['net/ipv4/tcp_allowed_congestion_control', 'reno cubic'], ['net/ipv4/ping_group_range', '1\t0'], ['net/ipv4/icmp_echo_ignore_all', 0],
  ['net/ipv4/tcp_timestamps', 1], ['net/ipv4/tcp_sack', 1], ['net/ipv4/tcp_tw_reuse', 2], ['net/ipv4/tcp_window_scaling', 1], ['net/ipv4/tcp_abort_on_overflow', 0], ['net/ipv4/tcp_slow_start_after_idle', 1], ['net/ipv4/tcp_mtu_probing', 0],
  ['user/max_user_namespaces', 0],
  ...Object.entries(QUEUE_SETTINGS).map(([name, value]): Setting => [`fs/mqueue/${name}`, value]),
];

/** Directly in /proc: what there is none of, with the heads that Linux writes. */
const HARDWARE: readonly (readonly [string, string])[] = [
  ['cmdline', '\n'], ['swaps', 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n'], ['modules', ''], ['partitions', 'major minor  #blocks  name\n\n'], ['diskstats', ''], ['interrupts', '           CPU0       \n'],
  ['softirqs', '                    CPU0       \n'], ['cgroups', '#subsys_name\thierarchy\tnum_cgroups\tenabled\n'],
  ['tty/drivers', '/dev/tty             /dev/tty        5       0 system:/dev/tty\n/dev/ptmx            /dev/ptmx       5       2 system\npty_slave            /dev/pts      136 0-1048575 pty:slave\npty_master           /dev/ptm      128 0-1048575 pty:master\n'],
  ['devices', 'Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n'],
];

/** A random UUID (RFC 4122 4.4) that follows from the machine's seed and `salt`. It takes nothing of the stream that getrandom reads. */
function uuidText({ entropy }: Kernel, salt: bigint): string {
  const { seed, position } = entropy.state();
  const own = seed.map((byte) => byte ^ 0xff);
  const view = new DataView(own.buffer, own.byteOffset);
  view.setBigUint64(0, view.getBigUint64(0) ^ BigInt.asUintN(64, salt));
  if (salt !== 0n) view.setBigUint64(8, view.getBigUint64(8) ^ BigInt.asUintN(64, position));
  const bytes = new EntropyStream({ seed: own, position: 0n }).take(16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}\n`;
}

/** Every file of this kind: `add` takes its path and what makes its text at each read. */
export function addSettings(kernel: Kernel, add: (path: string, make: () => string) => void): void {
  for (const [name, text] of HARDWARE) add(`/proc/${name}`, () => text);
  for (const [name, value] of SETTINGS) add(`/proc/sys/${name}`, () => `${value}\n`);
  add('/proc/sys/fs/file-nr', () => `${kernel.files.openFiles.size}\t0\t${FILES_MAX}\n`);
  add('/proc/sys/kernel/random/boot_id', () => uuidText(kernel, 0n));
  add('/proc/sys/kernel/random/uuid', () => uuidText(kernel, kernel.clock.hidden + 1n));
}
