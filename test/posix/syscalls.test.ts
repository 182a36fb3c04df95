/**
 * docs/syscalls.md is made from the dispatch table, the notes beside this file and the programs' own calls (syscall-users.json). A difference
 * fails; UPDATE_GOLDEN=1 rewrites the page, with STILLPOINT_SLOW=1 the programs are run and their calls recorded anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { riscv64, type Isa } from '../../src/isa/index.ts';
import { CALL_NAMES } from '../../src/posix/index.ts';
import { buildProgram, listPrograms, repositoryRoot } from '../guests/build.ts';
import { debianImage, debianRoot } from '../programs/debian.ts';
import { runGuest } from './process/run-guest.ts';
import { ABSENT, ABSENT_ON_PURPOSE, PARTIAL, REFUSED } from './syscall-notes.ts';

const page = join(repositoryRoot, 'docs/syscalls.md');
const usersFile = join(import.meta.dirname, 'syscall-users.json');
const isUpdating = process.env['UPDATE_GOLDEN'] === '1';
/** Programs that a row names before it only counts the others. */
const NAMES_MAX = 6;

type Users = Readonly<Record<string, readonly string[]>>;

/** An ISA that remembers the calls a machine issues. */
function recording(seen: Set<number>): Isa {
  const { abi } = riscv64;
  const syscallNumber: typeof abi.syscallNumber = (state) => {
    const number = abi.syscallNumber(state);
    seen.add(number);
    return number;
  };
  return { ...riscv64, abi: { ...abi, syscallNumber } };
}

function namesOf(seen: ReadonlySet<number>): string[] {
  const names = new Map([...CALL_NAMES, ...ABSENT]);
  return [...seen].sort((a, b) => a - b).map((number) => names.get(number) ?? `number ${number}`);
}

const memoryBytes = 512 * 1024 * 1024;

function callsOfDebian(path: string, args: readonly string[], stdin = ''): string[] {
  const seen = new Set<number>();
  runGuest(readFileSync(join(debianRoot, path)), {
    argv: [path.slice(path.lastIndexOf('/') + 1), ...args], environment: ['PATH=/usr/bin:/bin', 'LC_ALL=C.UTF-8'], memoryBytes, workingDirectory: '/home/guest',
    image: debianImage(), isInImage: true, programPath: path, stdin, isa: recording(seen), instructionsMax: 1_500_000_000,
  });
  return namesOf(seen);
}

async function callsOfProgram(folder: string, name: string): Promise<string[]> {
  const seen = new Set<number>();
  const program = listPrograms(folder).find((candidate) => candidate.name === name)!;
  runGuest(readFileSync(await buildProgram(program, 'O2')), { argv: [name, ...program.args], memoryBytes, workingDirectory: '/home/guest', isa: recording(seen), instructionsMax: 300_000_000 });
  return namesOf(seen);
}

async function recordUsers(): Promise<Users> {
  const users: Record<string, readonly string[]> = {
    bash: callsOfDebian('/usr/bin/bash', ['-c', 'for i in 1 2; do (exit $i) & done; wait; echo $(pwd) | { read l; echo $l; }; trap "echo t" EXIT; cat <<< here; kill -0 $$; [ -e /tmp ] && cd /tmp; echo x >f; . ./f 2>/dev/null; ulimit -n']),
    dash: callsOfDebian('/usr/bin/dash', ['-c', 'echo a | (read x; echo $x); (exit 3); echo $?; umask; trap : USR1; kill -USR1 $$']),
    coreutils: callsOfDebian('/usr/bin/bash', ['-c', 'cd /tmp; seq 9 | sort -r | uniq | tee a >/dev/null; cp a b; mv b c; ln c d; ln -s c e; rm d; mkdir g; rmdir g; ls -la >/dev/null; cat a | wc; stat a; touch -d @5 a; chmod 600 a; dd if=a of=h bs=2; du; df .; truncate -s 9 a; date; id; uname -a; sleep 1; timeout 1 sleep 9; env; nice true; od a; sha256sum a; realpath e; mktemp; split -l 2 a; nproc; tty; sync; mkfifo p; shuf -n 1 a; join a a']),
    grep: callsOfDebian('/usr/bin/grep', ['-r', 'root', '/etc/passwd']), sed: callsOfDebian('/usr/bin/sed', ['-n', '1p', '/etc/passwd']), mawk: callsOfDebian('/usr/bin/mawk', ['BEGIN { "date" | getline x; print x; print 1 | "cat" }']),
    find: callsOfDebian('/usr/bin/find', ['/etc', '-name', 'p*', '-exec', 'true', '{}', ';']), tar: callsOfDebian('/usr/bin/bash', ['-c', 'cd /tmp; tar -czf x.tgz -C /etc passwd group; mkdir o; tar -xzf x.tgz -C o']),
    gzip: callsOfDebian('/usr/bin/bash', ['-c', 'cd /tmp; echo a >a; gzip a; gzip -d a.gz']), xz: callsOfDebian('/usr/bin/xz', ['-c', '/etc/passwd']), jq: callsOfDebian('/usr/bin/jq', ['.'], '{"a": 1}'),
    lua: callsOfDebian('/usr/bin/lua5.4', ['-e', 'for l in io.popen("echo x"):lines() do print(l) end os.execute("true") print(os.time(), os.tmpname())']),
    sqlite3: callsOfDebian('/usr/bin/sqlite3', ['/tmp/data.db'], 'pragma journal_mode = wal; create table t(a); insert into t values(1); select * from t;'),
    perl: callsOfDebian('/usr/bin/perl', ['-e', 'my $p = fork; if (!$p) { exec "true" } wait; opendir my $d, "/etc"; my @f = readdir $d; print `echo x`; open my $f, ">", "/tmp/f"; print $f 1; close $f; unlink "/tmp/f"; select undef, undef, undef, 0.1; socketpair(my $a, my $b, 1, 1, 0); alarm 1; print time']),
    python3: callsOfDebian('/usr/bin/python3', ['-c', 'import os, subprocess, threading, socket, select, signal\nt = threading.Thread(target=lambda: 1); t.start(); t.join()\nprint(subprocess.run(["true"]), os.listdir("/"))\na, b = socket.socketpair(); a.send(b"x"); select.select([b], [], []); signal.alarm(1); os.urandom(4)']),
  };
  for (const name of ['process-fork', 'process-signals', 'process-exec', 'process-groups', 'process-memory', 'sockets-unix', 'sockets-inet', 'thread-waits', 'thread-lives', 'cpp-threads']) users[name] = await callsOfProgram('posix', name);
  return users;
}

function pageOf(users: Users): string {
  const programs = (name: string): string => {
    const found = Object.keys(users).filter((program) => users[program]!.includes(name));
    return found.length <= NAMES_MAX ? found.join(', ') : `${found.slice(0, NAMES_MAX).join(', ')} and ${found.length - NAMES_MAX} more`;
  };
  const stateOf = (name: string): string => {
    if (ABSENT_ON_PURPOSE[name] !== undefined) return `ENOSYS on purpose: ${ABSENT_ON_PURPOSE[name]}`;
    if (REFUSED[name] !== undefined) return `refused: ${REFUSED[name]}`;
    return PARTIAL[name] === undefined ? 'done' : `partial: ${PARTIAL[name]}`;
  };
  const rows = [...CALL_NAMES].sort(([a], [b]) => a - b).map(([number, name]) => `| ${number} | ${name} | ${stateOf(name)} | ${programs(name)} |`);
  const absent = ABSENT.map(([number, name]) => `${name} (${number})${programs(name) === '' ? '' : `, asked for by ${programs(name)}`}`);
  return `# System calls

Made by test/posix/syscalls.test.ts from the dispatch table; do not edit. Numbers are those of asm-generic (riscv64 and arm64). The programs are
those of Debian's riscv64 archive that the tests run, with what they start, and our own of test/guests/posix. [quirks.md](quirks.md) says where a
call that is done differs from Linux.

| number | call | state | programs that use it |
|---|---|---|---|
${rows.join('\n')}

## ENOSYS

Not there, as on an older or smaller kernel; programs that try them go on without.

${absent.map((text) => `- ${text}`).join('\n')}
`;
}

test('docs/syscalls.md is what the dispatch table says', async () => {
  if (isUpdating && process.env['STILLPOINT_SLOW'] === '1') writeFileSync(usersFile, `${JSON.stringify(await recordUsers(), null, 1).replaceAll('\n  ', ' ').replaceAll('\n ]', ' ]')}\n`);
  const users = JSON.parse(readFileSync(usersFile, 'utf8')) as Users;
  const text = pageOf(users);
  if (isUpdating) writeFileSync(page, text);
  expect(readFileSync(page, 'utf8')).toBe(text);
}, 900_000);

test('every note is about a call, and no absent call is in the table', () => {
  const names = new Set(CALL_NAMES.values());
  expect([...Object.keys(PARTIAL), ...Object.keys(REFUSED), ...Object.keys(ABSENT_ON_PURPOSE)].filter((name) => !names.has(name))).toEqual([]);
  expect(ABSENT.filter(([number, name]) => CALL_NAMES.has(number) || names.has(name))).toEqual([]);
});
