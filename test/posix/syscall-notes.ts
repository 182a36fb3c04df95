// What docs/syscalls.md says beside the dispatch table: calls that are done in part, refused on purpose, or not there. Numbers are those of
// asm-generic (riscv64, arm64). Does NOT list what is simply done.

/** Done, with something left out: name → what. */
export const PARTIAL: Readonly<Record<string, string>> = {
  inotify_add_watch: 'no events of /proc, of mappings and of starting programs',
  clone: 'namespaces EPERM, CLONE_SIGHAND without CLONE_THREAD copies', clone3: 'namespaces and chosen ids EPERM, no control groups', wait4: 'of resource usage user time and memory', waitid: 'of resource usage user time and memory', timerfd_settime: 'nobody sets the clock', pidfd_open: 'processes only',
  futex: 'no priorities to inherit', ioctl: 'terminals of the host are 80 by 24 in canonical mode, changes have no effect', fcntl: 'no leases',
  mmap: 'a page past the end of a file reads zeros; huge pages are ordinary ones', madvise: 'does something where forgetting, fork, holes and population are asked for', mincore: 'mapped pages are always there', mlock: 'nothing is ever swapped',
  mlock2: 'nothing is ever swapped', mlockall: 'nothing is ever swapped', munlock: 'nothing is ever swapped', munlockall: 'nothing is ever swapped',
  prctl: 'names, death signals, subreapers, dumpable, no-new-privileges, timer slack, capabilities (none to be had); others EINVAL', prlimit64: 'AS, CPU, DATA, FSIZE, NOFILE, NPROC, SIGPENDING and MEMLOCK (call by call) are obeyed, the others remembered', setrlimit: 'AS, CPU, DATA, FSIZE, NOFILE, NPROC, SIGPENDING and MEMLOCK (call by call) are obeyed, the others remembered',
  getrusage: 'user time and memory', times: 'user time only', sysinfo: 'memory and processes', setsockopt: 'time-outs, SO_PASSCRED and IPV6_V6ONLY are obeyed, the others remembered', getsockopt: 'options are remembered',
  unshare: 'namespaces EPERM, threads keep their tables', ioprio_set: 'checked, not remembered', ioprio_get: 'what goes with the nice value', recvmmsg: 'no time-out', socket: 'AF_UNIX, AF_INET and AF_INET6, and AF_NETLINK for mq_notify only; nothing leaves the machine',
  connect: 'loopback only, else ENETUNREACH', sendfile: 'from regular files and /dev/zero', copy_file_range: 'between regular files', epoll_ctl: 'edge-triggered on channels is level-triggered', epoll_pwait: 'edge-triggered on channels is level-triggered',
  epoll_pwait2: 'edge-triggered on channels is level-triggered', sched_setaffinity: 'one processor', sched_getaffinity: 'one processor', sched_setscheduler: 'SCHED_OTHER, BATCH and IDLE, told and no more; real-time policies EPERM', sched_setparam: 'without effect', sched_setattr: 'nice and policy are told and no more',
  setpriority: 'remembered; every process gets the processor alike', shmctl: 'SHM_LOCK without effect', membarrier: 'one processor: every barrier has happened', personality: 'remembered, without effect', sync_file_range: 'memory is the disk', readahead: 'memory is the disk',
  fadvise64: 'memory is the disk', sync: 'memory is the disk', fsync: 'memory is the disk', fdatasync: 'memory is the disk', syncfs: 'memory is the disk', msync: 'memory is the disk', getcpu: 'one processor',
  pselect6: 'a live channel is waited for whatever the time-out', ppoll: 'a live channel is waited for whatever the time-out', capget: 'those of a container for root, none for others', capset: 'to what there is; other sets EPERM', mknodat: 'no devices', adjtimex: 'asks only', clock_adjtime: 'asks only', execveat: 'no scripts by descriptor that is closed on exec',
};

/** There to answer an error on purpose: name → errno and why. */
export const REFUSED: Readonly<Record<string, string>> = {
  mount: 'EPERM: the guest is an ordinary user', umount2: 'EPERM: the guest is an ordinary user', pivot_root: 'EPERM: the guest is an ordinary user', setns: 'EPERM: there are no namespaces', chroot: 'EPERM, but for root and /: everybody has one root',
  sethostname: 'EPERM: the guest is an ordinary user', setdomainname: 'EPERM: the guest is an ordinary user', acct: 'EPERM: the guest is an ordinary user', vhangup: 'EPERM: the guest is an ordinary user', syslog: 'EPERM: the kernel has no log for users', reboot: 'EPERM: the guest is an ordinary user', swapon: 'EPERM: the guest is an ordinary user', swapoff: 'EPERM: the guest is an ordinary user', kexec_load: 'EPERM: the guest is an ordinary user', init_module: 'EPERM: the guest is an ordinary user', delete_module: 'EPERM: the guest is an ordinary user', clock_settime: 'EPERM: the guest is an ordinary user', settimeofday: 'EPERM: the guest is an ordinary user',
  setxattr: 'EOPNOTSUPP: no extended attributes', lsetxattr: 'EOPNOTSUPP: no extended attributes', fsetxattr: 'EOPNOTSUPP: no extended attributes', getxattr: 'ENODATA: no extended attributes', lgetxattr: 'ENODATA: no extended attributes',
  fgetxattr: 'ENODATA: no extended attributes', removexattr: 'ENODATA: no extended attributes', lremovexattr: 'ENODATA: no extended attributes', fremovexattr: 'ENODATA: no extended attributes',
};

/** In the table, and ENOSYS on purpose: libc knows what to do then. */
export const ABSENT_ON_PURPOSE: Readonly<Record<string, string>> = {
  rseq: 'libc does without, and one processor has nothing to gain by it', riscv_hwprobe: 'reads as "no extension beyond the baseline"',
};

/** Not in the table: ENOSYS, as on an older or smaller kernel. `number name`. */
export const ABSENT: readonly (readonly [number, string])[] = `
0 io_setup, 1 io_destroy, 2 io_submit, 3 io_cancel, 4 io_getevents, 18 lookup_dcookie, 42 nfsservctl, 60 quotactl, 117 ptrace, 128 restart_syscall, 217 add_key, 218 
request_key, 219 keyctl, 235 mbind, 236 get_mempolicy, 237 set_mempolicy, 238 migrate_pages, 239 
move_pages, 241 perf_event_open, 262 fanotify_init, 263 fanotify_mark, 264 name_to_handle_at, 265 open_by_handle_at,
 273 finit_module, 277 seccomp, 280 bpf, 282 userfaultfd, 288 pkey_mprotect, 
289 pkey_alloc, 290 pkey_free, 292 io_pgetevents, 294 kexec_file_load, 425 io_uring_setup, 426 io_uring_enter, 427 
io_uring_register, 428 open_tree, 429 move_mount, 430 fsopen, 431 fsconfig, 432 fsmount, 433 fspick, 
440 process_madvise, 442 mount_setattr, 443 quotactl_fd, 444 landlock_create_ruleset, 445 landlock_add_rule, 446 landlock_restrict_self, 447 
memfd_secret, 448 process_mrelease, 449 futex_waitv, 450 set_mempolicy_home_node
`.split(',').map((entry) => entry.trim().split(' ')).map(([number, name]) => [Number(number), name!] as const);
