/**
 * Debian's own programs, each doing little: what a user waits for. Whole commands over an image that is a directory (build/debian-wide, scripts/install-tools.sh --wide),
 * against qemu-riscv64 with the same files. first: nothing is kept of the program; later: what former starts have left in the translation cache; wasm: later, without translation.
 * Run: npm run build && node --import ./scripts/typescript-loader.mjs bench/debian.ts [NAMES]   (BENCH_REPEATS, default 5)
 * Medians of wall-clock time, processor time in brackets; outputs are compared. What this does NOT do: several processes (qemu-riscv64 would start the host's), long runs (speed.ts).
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildMeter, measureInTurn, type Job, type Measured } from './measure.ts';

const ROOT = resolve(import.meta.dirname, '..');
const CLI = join(ROOT, 'dist/bin/stillpoint.js');
const IMAGE = join(ROOT, 'build/debian-wide');
const REPEATS = Number(process.env['BENCH_REPEATS'] ?? 5);
const SIDES = ['qemu', 'first', 'later', 'wasm'] as const;
type Side = (typeof SIDES)[number];

/** A program inside the image, its arguments, and what it reads. */
interface Command { readonly name: string; readonly run: readonly string[]; readonly input?: string }

const numbers = Array.from({ length: 60_000 }, (_, index) => (index * 7919) % 100_003);
const PYTHON = `import json, re, collections
words = ["w%d" % (i * 7919 % 1000) for i in range(60000)]
count = collections.Counter(words)
again = json.loads(json.dumps(dict(count)))
found = len(re.findall(r"w\\d*7\\b", " ".join(words)))
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
print(len(again), found, fib(20), sum(sorted(again.values())))
`;
const PERL = `my %h; for my $i (0..150000) { $h{"w".($i * 7919 % 1000)}++; }
my $s = join(" ", map { "$_=$h{$_}" } sort keys %h); my $n = 0; $n++ while $s =~ /w\\d*7=/g; print "$n ", length $s, "\\n";
`;
const TREE = `#include <stdio.h>
#include <stdlib.h>
struct node { int key; struct node *left, *right; };
static struct node *insert(struct node *n, int key) {
  if (!n) { n = calloc(1, sizeof *n); n->key = key; return n; }
  if (key < n->key) n->left = insert(n->left, key); else if (key > n->key) n->right = insert(n->right, key);
  return n;
}
int main(void) { struct node *root = 0; for (unsigned i = 0, x = 1; i < 1000; i++) { x = x * 1103515245 + 12345; root = insert(root, (int)(x >> 8)); } printf("%d\\n", root->key); }
`;
const COMMANDS: readonly Command[] = [
  { name: 'python3 -c', run: ['/usr/bin/python3', '-c', 'print(1)'] },
  { name: 'python3 script', run: ['/usr/bin/python3', '-'], input: PYTHON },
  { name: 'perl script', run: ['/usr/bin/perl', '-'], input: PERL },
  { name: 'bash loop', run: ['/usr/bin/bash', '-s'], input: 'i=0; s=0; while [ $i -lt 20000 ]; do s=$((s + i * i % 7)); i=$((i + 1)); done; echo $s\n' },
  { name: 'lua5.4 script', run: ['/usr/bin/lua5.4', '-'], input: 'local t = {} for i = 1, 200000 do t[i] = (i * 7919) % 100003 end table.sort(t) print(t[1], t[#t])\n' },
  { name: 'sqlite3 script', run: ['/usr/bin/sqlite3', ':memory:'], input: 'create table t(a, b); with recursive n(i) as (values(1) union all select i + 1 from n where i < 20000) insert into t select i * 7919 % 100003, i from n; create index x on t(a); select count(*), sum(b) from t where a > 50000;\n' },
  { name: 'sort', run: ['/usr/bin/sort', '-n'], input: `${numbers.join('\n')}\n` },
  { name: 'awk', run: ['/usr/bin/mawk', '{ c[$1 % 1000] += $1 } END { for (i = 0; i < 5; i++) print c[i] }'], input: `${numbers.join('\n')}\n` },
  { name: 'xz', run: ['/usr/bin/xz', '-1', '-T1', '-c'], input: numbers.join(' ') },
  { name: 'jq', run: ['/usr/bin/jq', '-c', '[.[] | select(. % 3 == 0)] | length'], input: JSON.stringify(numbers) },
  { name: 'cc1 -O2', run: ['/usr/libexec/gcc/riscv64-linux-gnu/14/cc1', '-quiet', '-O2', '-march=rv64gc', '-mabi=lp64d', '-nostdinc', '-I/usr/lib/gcc/riscv64-linux-gnu/14/include', '-I/usr/include/riscv64-linux-gnu', '-I/usr/include', '-o', '-', '-'], input: TREE },
];

function measure(command: Command, meter: string, directory: string): Readonly<Record<Side, Measured>> {
  const [program, ...rest] = command.run;
  const cache = join(directory, 'translations');
  const job = (...argv: readonly string[]): Job => ({ command: argv, ...(command.input === undefined ? {} : { input: Buffer.from(command.input) }), environment: { STILLPOINT_TRANSLATIONS: cache } });
  const stillpoint = (engine: string): Job => job(CLI, 'run', '--no-progress', '--ephemeral', '--engine', engine, '--image', IMAGE, '--', ...command.run);
  const jobs: Record<Side, Job> = { qemu: job('qemu-riscv64', '-L', IMAGE, join(IMAGE, program!), ...rest), first: stillpoint('translate'), later: stillpoint('translate'), wasm: stillpoint('wasm') };
  const before = (side: Side): undefined => {
    if (side === 'first') rmSync(cache, { recursive: true, force: true });
  };
  return measureInTurn(jobs, { meter, repeats: REPEATS, before });
}

if (!existsSync(IMAGE)) throw new Error(`${IMAGE} is missing: scripts/install-tools.sh --wide makes it`);
const directory = mkdtempSync(join(tmpdir(), 'stillpoint-debian-'));
try {
  const meter = buildMeter(directory);
  const wanted = process.argv.slice(2);
  const cell = ({ seconds, processorSeconds }: Measured): string => `${seconds.toFixed(2)} (${processorSeconds.toFixed(2)})`;
  process.stdout.write(`| command, seconds | ${SIDES.join(' | ')} | first/qemu | later/qemu | resident, MiB: first, later |\n|---${'|---'.repeat(SIDES.length + 3)}|\n`);
  for (const command of COMMANDS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    const sides = measure(command, meter, directory);
    const isSame = SIDES.every((side) => sides[side].status === 0 && sides[side].output.equals(sides.qemu.output));
    const ratio = (side: Side): string => (sides[side].seconds / sides.qemu.seconds).toFixed(2);
    const resident = (side: Side): string => (sides[side].residentBytes / 2 ** 20).toFixed(0);
    process.stdout.write(`| ${command.name}${isSame ? '' : ' DIFFERENT OUTPUT'} | ${SIDES.map((side) => cell(sides[side])).join(' | ')} | ${ratio('first')} | ${ratio('later')} | ${resident('first')}, ${resident('later')} |\n`);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
