/*
 * A program that is another one with every request: a number, from which it draws what it does next, out of memory, files, descriptors, pipes, mappings,
 * signals, processes, jumps and randomness. It answers with a digest of what it can see.
 *
 *   REQUEST: SEED STEPS        ANSWER: "SEED HASH"
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 64
#define FILES 12
static unsigned char *blocks[BLOCKS];
static size_t sizes[BLOCKS];
static int files[FILES], pipes[2];
static unsigned char *shared, *mapped;
static volatile long signals;
static uint64_t state, hash = 14695981039346656037u;
static jmp_buf back;

static uint32_t draw(uint32_t below) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33) % below;
}
static void mix(const void *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
}
static void mixn(long n) { mix(&n, sizeof n); }
static void on_signal(int number) { signals += number; }
static void name(char *out) { sprintf(out, "/tmp/%s%u", draw(3) ? "f" : "d/f", draw(6)); }
static void deep(int depth) {
  unsigned char pad[200];
  memset(pad, depth, sizeof pad);
  if (depth == 0) longjmp(back, 1 + draw(5));
  deep(depth - 1);
  mix(pad, 1);
}

static void step(void) {
  char path[64], other[64];
  unsigned char bytes[600];
  int i = draw(BLOCKS), f = draw(FILES), status;
  for (unsigned k = 0; k < sizeof bytes; k++) bytes[k] = draw(256);
  switch (draw(18)) {
    case 0: free(blocks[i]); sizes[i] = 1 + draw(draw(8) ? 3000 : 300000); blocks[i] = malloc(sizes[i]); memset(blocks[i], i, sizes[i]); break;
    case 1: if (blocks[i]) { sizes[i] = 1 + draw(9000); blocks[i] = realloc(blocks[i], sizes[i]); } break;
    case 2: case 3: if (blocks[i]) blocks[i][draw(sizes[i])] ^= bytes[0]; break;
    case 4: name(path); if (files[f] > 0) close(files[f]); files[f] = open(path, O_RDWR | O_CREAT | (draw(4) ? O_APPEND : O_TRUNC), 0600 + draw(64)); mixn(files[f]); break;
    case 5: case 6: if (files[f] > 0) mixn(write(files[f], bytes, draw(sizeof bytes))); break;
    case 7: if (files[f] > 0) { mixn(lseek(files[f], draw(2000), SEEK_SET)); mixn(read(files[f], bytes, draw(sizeof bytes))); mix(bytes, sizeof bytes); } break;
    case 8: if (files[f] > 0) mixn(ftruncate(files[f], draw(20000))); break;
    case 9: name(path); name(other); mixn(rename(path, other)); break;
    case 10: name(path); mixn(unlink(path)); name(path); mixn(symlink("/tmp/f1", path)); break;
    case 11: mixn(write(pipes[1], bytes, 1 + draw(40))); break;
    case 12: mixn(read(pipes[0], bytes, 1 + draw(60))); mix(bytes, 60); break;
    case 13: if (mapped) munmap(mapped, 65536); mapped = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); mapped[draw(65536)] = bytes[0]; mprotect(mapped, 4096, PROT_READ); break;
    case 14: signal(SIGUSR1 + 2 * draw(2), on_signal); raise(signals % 2 ? SIGUSR1 : SIGUSR2); mixn(signals); break;
    case 15: getrandom(bytes, 16, 0); mix(bytes, 16); break;
    case 16:
      if (draw(3)) { mixn(setjmp(back) ? 1 : (deep(20 + draw(50)), 0)); break; }
      fflush(stdout);
      if (fork() == 0) { shared[draw(4096)] ^= bytes[1]; if (files[f] > 0) write(files[f], bytes, 10); _exit(draw(100)); }
      wait(&status);
      mixn(status);
      break;
    default: shared[draw(65536)]++; if (files[f] > 0) { int copy = dup(files[f]); close(files[f]); files[f] = copy; mixn(copy); }
  }
}

static void look(void) {
  for (int i = 0; i < BLOCKS; i++) if (blocks[i]) mix(blocks[i], sizes[i]);
  mix(shared, 65536);
  DIR *directory = opendir("/tmp");
  struct dirent *entry;
  struct stat facts;
  char path[300];
  while (directory && (entry = readdir(directory))) {
    snprintf(path, sizeof path, "/tmp/%s", entry->d_name);
    if (lstat(path, &facts) == 0) { mix(entry->d_name, strlen(entry->d_name)); mixn(facts.st_size); mixn(facts.st_mode); }
  }
  if (directory) closedir(directory);
}

int main(void) {
  char request[200];
  int steps;
  unsigned long seed;
  signal(SIGUSR1, on_signal);
  signal(SIGUSR2, on_signal);
  mkdir("/tmp/d", 0700);
  pipe2(pipes, O_NONBLOCK);
  shared = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (long length; (length = read(0, request, sizeof request - 1)) > 0;) {
    request[length] = 0;
    if (sscanf(request, "%lu %d", &seed, &steps) != 2) return 1;
    state = seed * 2654435761u + 1;
    for (int i = 0; i < steps; i++) step();
    look();
    dprintf(1, "%lu %016lx\n", seed, (unsigned long)hash);
  }
  return 0;
}
