/* What is looked at first in calls that are wrong in two ways, what a call that changes a file does to its set-user-id, and which file nobody may execute. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void tell(const char *what, long result) { printf("%s: %ld %s\n", what, result < 0 ? -1 : result, result < 0 ? strerrorname_np(errno) : ""); }
static void mode(const char *what, const char *name) { struct stat s; printf("%s: %o\n", what, stat(name, &s) < 0 ? 0 : s.st_mode & 07777); }
int main(void)
{
    char directory[] = "/tmp/order-XXXXXX", byte = 0;
    if (geteuid() == 0 && (setgid(1000) < 0 || setuid(1000) < 0)) /* Who is privileged keeps set-user-id. */
        return 1;
    if (mkdtemp(directory) == NULL || chdir(directory) < 0)
        return 1;
    umask(022);
    struct iovec one = { &byte, 1 };
    int ends[2], file = open("file", O_RDWR | O_CREAT, 0644);
    if (pipe(ends) < 0)
        return 1;
    tell("pread of nothing before the start", pread(77, &byte, 1, -2));
    tell("pwrite of nothing before the start", pwrite(77, &byte, 1, -2));
    tell("pread of nothing", pread(77, &byte, 1, 0));
    tell("pread of a pipe before the start", pread(ends[0], &byte, 1, -1));
    tell("pread of a pipe", pread(ends[0], &byte, 1, 0));
    tell("preadv2 of nothing before the start", preadv2(77, &one, 1, -2, 0));
    tell("pwritev2 at the offset", pwritev2(file, &one, 1, -1, 0));
    tell("renameat2 of nothing, two flags", renameat2(AT_FDCWD, "no/such", AT_FDCWD, "other", RENAME_NOREPLACE | RENAME_EXCHANGE));
    tell("renameat2 of nothing, no such flag", renameat2(AT_FDCWD, "no", AT_FDCWD, "other", 64));
    tell("renameat2 of nothing", renameat2(AT_FDCWD, "no", AT_FDCWD, "other", RENAME_NOREPLACE));
    tell("chmod", chmod("file", 06755));
    tell("fallocate", fallocate(file, 0, 0, 5000));
    mode("after fallocate", "file");
    tell("chmod", chmod("file", 04711));
    tell("fallocate", fallocate(file, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 5000));
    mode("after a hole", "file");
    tell("mkfifo", mkfifo("pipe", 0644));
    tell("execute a pipe", access("pipe", X_OK));
    close(file);
    unlink("file");
    unlink("pipe");
    chdir("/");
    rmdir(directory);
    return 0;
}
