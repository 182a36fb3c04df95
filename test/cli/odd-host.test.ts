/** Hosts and shells as they happen to be: a full standard output, file systems that take no directory, little memory, flags of Node, bytes that are not text. One line each, with the right status. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, cpSync, existsSync, openSync, readdirSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Bench, CLI, complaint, type Seen } from './command.ts';

const bench = new Bench();
let hello = '';

beforeAll(() => {
  hello = bench.compile('hello.elf', '#include <stdio.h>\nint main(void){puts("hello");return 0;}');
  expect(bench.stillpoint(['run', '--name', 'job', hello, 'two\nlines', '\u001b[31mred']).status).toBe(0);
});
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

/** Through bash, `stillpoint` being the command. */
function shell(script: string, environment: Readonly<Record<string, string | undefined>> = {}): Seen {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `stillpoint() { ${process.execPath} ${CLI} "$@"; }; ${script}`], {
    encoding: 'utf8', timeout: 60_000, cwd: bench.directory, env: { ...process.env, STILLPOINT_STORE: bench.store, ...environment },
  });
  return { status, stdout, stderr };
}

it.each(['ls', 'show job', 'replay job', 'fsck', 'log job --json', '--help', 'run --help', 'export job -'])('standard output that is full is trouble, not a finding: %s', (verb) => {
  const full = openSync('/dev/full', 'w');
  const { status, stderr } = spawnSync(process.execPath, [CLI, ...verb.split(' ')], { stdio: ['ignore', full, 'pipe'], encoding: 'utf8', timeout: 60_000, cwd: bench.directory, env: { ...process.env, STILLPOINT_STORE: bench.store } });
  closeSync(full);
  expect([complaint({ status, stdout: '', stderr }), status]).toEqual(['E_DISK_FULL', 125]);
});

it.each(['--report', '--profile'])('a full disk under the file of %s has its code', (option) => {
  const seen = bench.stillpoint(['run', '--ephemeral', option, '/dev/full', hello]);
  expect([complaint(seen), seen.status]).toEqual(['E_DISK_FULL', 125]);
});

it('a directory that takes no others ends the command, where mkdir tries for ever', () => {
  const seen = bench.stillpoint(['run', '--store', '/proc/stillpoint/store', hello]);
  expect([complaint(seen), seen.status]).toEqual(['E_STORE_OPEN', 125]);
  expect(bench.stillpoint(['run', '--ephemeral', hello], '', { STILLPOINT_TRANSLATIONS: '/proc/stillpoint' }).stdout).toBe('hello\n');
});

it('stores and caches are never made where the command happens to be started', () => {
  const before = readdirSync(bench.directory);
  for (const environment of [{ HOME: '' }, { XDG_STATE_HOME: 'relative' }, { HOME: 'relative' }]) {
    const { stdout } = shell('stillpoint doctor --json', { STILLPOINT_STORE: undefined, XDG_STATE_HOME: undefined, ...environment });
    expect(stdout).not.toMatch(/"[^/"]*relative/);
    expect(stdout).toMatch(/"\/[^"]*stillpoint\/store/);
  }
  expect(readdirSync(bench.directory)).toEqual(before);
});

it('a current directory, or a variable that names a place, that is not UTF-8 text', () => {
  const before = readdirSync(bench.directory);
  for (const [script, code] of [["mkdir $'bad\\xff' && cd $'bad\\xff' && stillpoint ls; status=$?; rmdir ../bad*; exit $status", 'E_HOST_FILE'], [`STILLPOINT_STORE=$'st\\xff' stillpoint run ${hello}`, 'E_USAGE'], [`TMPDIR=$'t\\xff' stillpoint pipe ${hello}`, 'E_USAGE']]) {
    const seen = shell(script!);
    expect([complaint(seen), seen.status]).toEqual([code, 125]);
  }
  expect(readdirSync(bench.directory)).toEqual(before);
  expect(shell(`X=$'\\xff' stillpoint run --ephemeral ${hello}`, { STILLPOINT_STORE: bench.path('a\uFFFDb') }).status).toBe(0);
});

it('a current directory that is not there any more', () => {
  const seen = shell(`mkdir gone && cd gone && rmdir ../gone && ${process.execPath} ${CLI} run --ephemeral ${hello}`);
  expect([complaint(seen), seen.status]).toEqual(['E_HOST_FILE', 125]);
});

it.each(['import -', `txn requests -- hello.elf`, 'pipe hello.elf'])('standard input that is a directory is no empty one: %s', (verb) => {
  const seen = shell(`stillpoint ${verb} < .`);
  expect([complaint(seen), seen.status]).toEqual(['E_HOST_FILE', 125]);
});

it('no place for temporary files', () => {
  const seen = bench.stillpoint(['pipe', hello], '', { TMPDIR: '/nowhere/at/all' });
  expect([complaint(seen), seen.status]).toEqual(['E_HOST_FILE', 125]);
});

const SHIM = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>
static int lacks(const char *what, int fd) {
  char link[64], path[512]; const char *env = getenv("LACKS");
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1); if (n < 0) return 0; path[n] = 0;
  return env && !strcmp(env, what) && strstr(path, ".mdb");
}
void *mmap(void *a, size_t n, int p, int f, int fd, off_t o) {
  if (fd >= 0 && (f & MAP_SHARED) && lacks("mappings", fd)) { errno = ENODEV; return MAP_FAILED; }
  return ((void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap"))(a, n, p, f, fd, o);
}
void *mmap64(void *a, size_t n, int p, int f, int fd, off_t o) { return mmap(a, n, p, f, fd, o); }
int fcntl(int fd, int c, ...) {
  va_list l; va_start(l, c); long x = va_arg(l, long); va_end(l);
  if ((c == F_SETLK || c == F_SETLKW || c == F_GETLK) && lacks("locks", fd)) { errno = ENOLCK; return -1; }
  return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl"))(fd, c, x);
}
int fcntl64(int fd, int c, ...) { va_list l; va_start(l, c); long x = va_arg(l, long); va_end(l); return fcntl(fd, c, x); }
int link(const char *a, const char *b) {
  if (getenv("LACKS") && !strcmp(getenv("LACKS"), "hard links")) { errno = EPERM; return -1; }
  return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "link"))(a, b);
}
int statfs(const char *p, struct statfs *b) { int x = ((int (*)(const char *, struct statfs *))dlsym(RTLD_NEXT, "statfs"))(p, b); b->f_type = 0x65735546; return x; }
int statfs64(const char *p, struct statfs64 *b) { int x = ((int (*)(const char *, struct statfs64 *))dlsym(RTLD_NEXT, "statfs64"))(p, b); b->f_type = 0x65735546; return x; }`;

it.each([['mappings', 'ls', /no shared mappings or no locks/], ['locks', 'run', /no shared mappings or no locks/], ['hard links', 'run', /no hard links/]])('a store on a file system (as FUSE has it) that lacks %s', (what, verb, says) => {
  const shim = bench.path('shim.so');
  if (!existsSync(shim)) execFileSync('gcc', ['-shared', '-fPIC', '-x', 'c', '-', '-o', shim, '-ldl'], { input: SHIM });
  const seen = bench.stillpoint(verb === 'run' ? ['run', '--store', bench.path('fresh'), hello] : [verb], '', { LD_PRELOAD: shim, LACKS: what });
  expect([complaint(seen), seen.status]).toEqual(['E_STORE_OPEN', 125]);
  expect(seen.stderr).toMatch(says);
  expect(seen.stderr).not.toMatch(/new-[0-9a-f]{16}:/);
  expect(existsSync(bench.path('fresh'))).toBe(false);
});

it('too little address space', () => {
  const seen = shell(`ulimit -v 5000000; stillpoint run --ephemeral ${hello}`);
  expect([complaint(seen), seen.status]).toEqual(['E_HOST_MEMORY', 125]);
});

it.each(['run --name limited hello.elf', 'rm job'])('files that may not grow are told as that: %s', (command) => {
  const seen = shell(`ulimit -f 10; stillpoint ${command}`);
  expect([complaint(seen), seen.status]).toEqual(['E_DISK_FULL', 125]);
  expect(seen.stderr).toContain('(ulimit -f)');
});

it('a Node without WebAssembly', () => {
  const seen = bench.stillpoint(['run', '--ephemeral', hello], '', { NODE_OPTIONS: '--jitless' });
  expect(seen.stderr).toContain('stillpoint: E_UNSUPPORTED: ');
  expect(seen.status).toBe(125);
});

it('arguments that are not UTF-8 are refused, for nobody would get them as they are; U+FFFD itself is a character', () => {
  for (const script of [`stillpoint run ${hello} $'\\xff'`, `stillpoint run ${hello} $'@\\xff.txt'`, `stillpoint show $'\\xc3'`]) {
    const seen = shell(script);
    expect([complaint(seen), seen.status]).toEqual(['E_USAGE', 125]);
  }
  expect(shell(`stillpoint run --ephemeral ${hello} $'\\xef\\xbf\\xbd'`).status).toBe(0);
});

it('what a program was given cannot steer the terminal of who looks at it', () => {
  const { stdout } = bench.stillpoint(['show', 'job']);
  expect(stdout).toContain('  two\\nlines\n  \\x1b[31mred\n');
  const { stderr } = bench.stillpoint(['run', 'no\u001b[2Jsuch']);
  expect(stderr).toMatch(/^stillpoint: E_PROGRAM_NOT_FOUND: .*no\\x1b\[2Jsuch\n$/);
});

it('a deadlock is not said to go on with more instructions', () => {
  const waits = bench.compile('waits.elf', '#include <unistd.h>\nint main(void){pause();return 0;}');
  const seen = bench.stillpoint(['run', '--name', 'waits', waits]);
  expect([seen.status, seen.stderr]).toEqual([124, 'stillpoint: a cap was reached: deadlock (every thread waits for what cannot come)\n']);
});

it('a directory that is no layout, a request of no bytes', () => {
  const seen = bench.stillpoint(['import', bench.makeDirectory('nothing'), '--store', bench.path('other')]);
  expect([complaint(seen), existsSync(bench.path('other'))]).toEqual(['E_EXPORT_FORMAT', false]);
  expect(complaint(bench.stillpoint(['serve', 'bank', '--http', '0', '--max-request', '0', '--', hello]))).toBe('E_USAGE');
});

const NOBODY = ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath];
/** Root may become nobody, and the checkout may lie where nobody can read it. */
const canBeNobody = spawnSync('setpriv', [...NOBODY, CLI, '--version']).status === 0;

it.runIf(canBeNobody)('as another user, without a home and without rights to the store', () => {
  const asNobody = (...words: string[]): Seen => {
    const { status, stdout, stderr } = spawnSync('setpriv', [...NOBODY, CLI, ...words], { encoding: 'utf8', timeout: 60_000, cwd: '/', env: { ...process.env, HOME: '/nonexistent', STILLPOINT_STORE: bench.store } });
    return { status, stdout, stderr };
  };
  execFileSync('chmod', ['755', bench.directory]);
  for (const verb of ['ls', 'fsck', 'stats']) expect(complaint(asNobody(verb))).toBe('E_STORE_OPEN');
  expect(asNobody('run', '--ephemeral', hello).stdout).toBe('hello\n');
  const open = bench.makeDirectory('open');
  execFileSync('chmod', ['777', open]);
  const masked = spawnSync('sh', ['-c', 'umask 777; exec setpriv "$@"', 'sh', ...NOBODY, CLI, 'run', '--store', `${open}/store`, hello], { encoding: 'utf8', timeout: 60_000, cwd: '/', env: { ...process.env, HOME: '/nonexistent' } });
  expect([complaint(masked), masked.status, readdirSync(open)]).toEqual(['E_STORE_OPEN', 125, []]);
  // Rights to one of its files and not to the other, as root leaves it that looked at somebody's store first: LMDB would end the process.
  for (const [name, mode] of [['lock.mdb', '444'], ['lock.mdb', '000'], ['data.mdb', '444']] as const) {
    const store = bench.path(`${name}-${mode}`);
    cpSync(bench.store, store, { recursive: true });
    execFileSync('chown', ['-R', '65534', store]);
    execFileSync('chmod', [mode, `${store}/${name}`]);
    const seen = asNobody('gc', '--store', store);
    expect([complaint(seen), seen.status]).toEqual(['E_STORE_OPEN', 125]);
    expect(seen.stderr).toContain(`this user may not write its ${name}`);
  }
});
