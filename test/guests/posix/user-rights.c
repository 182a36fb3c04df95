/* What a user may not do: capabilities, policies of scheduling that are told, calls for root.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/capability.h>
#include <linux/reboot.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *word(long result) { return result >= 0 ? "done" : strerrorname_np(errno); }

static void capabilities(void) {
  struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
  struct __user_cap_data_struct sets[2] = { { 0 } };
  printf("capset, none: %s", word(syscall(SYS_capset, &head, sets))); head.pid = getpid(); printf(" %s", word(syscall(SYS_capset, &head, sets))); head.pid = 1; printf(" %s", word(syscall(SYS_capset, &head, sets)));
  head.pid = 0; sets[0].effective = sets[0].permitted = 1; printf(", one: %s", word(syscall(SYS_capset, &head, sets)));
  head.version = 7; printf(", version: %s", word(syscall(SYS_capset, &head, sets))); printf(" %x", head.version); head.version = 7; printf(" %s", word(syscall(SYS_capget, &head, 0)));
  printf(", nowhere: %s %s\n", word(syscall(SYS_capset, 0, sets)), word(syscall(SYS_capset, &head, 0)));
}

static int in_child(void) { pid_t pid = fork(); if (pid == 0) _exit(sched_getscheduler(0)); int status; waitpid(pid, &status, 0); return WEXITSTATUS(status); }

static void policies(void) {
  struct sched_param none = { 0 };
  struct { unsigned size, policy; unsigned long flags; int nice; unsigned priority; unsigned long rest[3]; unsigned clamps[2]; } attributes;
  printf("policy %d", sched_getscheduler(0)); printf(", batch: %s", word(sched_setscheduler(0, SCHED_BATCH, &none))); printf(" %d, child %d", sched_getscheduler(0), in_child());
  printf(", parameters: %s", word(sched_setparam(0, &none))); printf(" %d", sched_getscheduler(0)); printf(", not for children: %s", word(sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &none))); printf(" %x, child %d\n", sched_getscheduler(0), in_child());
  memset(&attributes, 0, sizeof attributes); printf("attributes: %s", word(syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0))); printf(" %u %lu", attributes.policy, attributes.flags);
  printf(", back: %s", word(sched_setscheduler(0, SCHED_OTHER, &none))); printf(", idle: %s", word(sched_setscheduler(0, SCHED_IDLE | SCHED_RESET_ON_FORK, &none))); printf(" %x", sched_getscheduler(0)); printf(", back: %s", word(sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none))); printf(" %x", sched_getscheduler(0));
  printf(", real time: %s\n", word(sched_setscheduler(0, SCHED_FIFO, &(struct sched_param) { 1 })));
}

int main(void) {
  if (setresgid(1000, 1000, 1000) < 0 || setresuid(1000, 1000, 1000) < 0 || getuid() != 1000) return 1;
  capabilities(); policies();
  printf("reboot: %s", word(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, 0))); printf(", domain: %s", word(setdomainname("x", 1))); printf(", swap: %s %s", word(swapon("/none", 0)), word(swapoff("/none"))); printf(", account: %s\n", word(acct("/none")));
  return 0;
}
