// Programs of Debian's riscv64 archive, unmodified, dynamic, in every mode with one root: single programs against qemu-riscv64 with the
// same root file system, scripts with many processes against the host's own shell. STILLPOINT_SLOW=1 runs
// the wide list.
import { describe, expect, it } from 'vitest';
import { checkDebian, onHost, type DebianJob } from './debian.ts';
import type { Mode } from './modes.ts';
import { makeText } from './real-program.ts';

const SCRIPT = `
set -u
fruit() { cat <<END
pear 3
apple 12
plum 7
END
}
fruit | sort | sed 's/^/> /' | tr a-z A-Z
echo "sum $(fruit | { total=0; while read name count; do total=$((total + count)); done; echo $total; })"
( cd /; pwd; exit 3 ); echo "subshell $?"
for n in 1 2 3; do ( exit $n ) & done; wait; echo "jobs $?"
( while :; do :; done ) & spinner=$!; kill -TERM $spinner; wait $spinner; echo "spinner $?"
mkdir d; echo one >d/a; echo two >>d/a; cat d/a; ls d | wc -l
cat <(echo substituted) | grep -c sub
seq 1 200 | head -n 3 | tail -n 1
false | true; echo "\${PIPESTATUS[0]}"
trap 'echo usr1' USR1; kill -USR1 $$
x=$(sh -c 'echo $PPID'); [ "$x" = $$ ] && echo parent
trap 'echo trap $?' EXIT
exec 3>&1; echo three >&3
read -r line < <(printf 'a b\\n'); echo "$line"
[ -e /nonexistent ] || echo absent
exit 5
`;

describe('Debian', () => {
  it('lua', () => checkDebian('/usr/bin/lua5.4', { args: ['-e', 'local t = {} for i = 1, 20 do t[i] = i * i end print(table.concat(t, " "), 2^53, string.format("%5.2f", math.pi))'] }));
  it('a shell script with pipelines, subshells, traps, here-documents, jobs and substitutions', async () => {
    const expected = onHost('bash', SCRIPT);
    expect(expected.stdout.split('\n').length).toBeGreaterThan(20);
    await checkDebian('/usr/bin/bash', { args: ['-c', SCRIPT], stdout: expected.stdout, exit: 5 });
  });
});

// The wide list: a few minutes in all.
const quick: readonly Mode[] = ['whole', 'translated', 'restored', 'replayed'];
const long: readonly Mode[] = ['translated', 'restored', 'replayed'];
const text = Buffer.from(makeText(20_000, 7)).toString('latin1');

const PYTHON = String.raw`
import json, re, hashlib, zlib, collections, itertools, decimal, fractions, datetime, threading, queue, sqlite3, struct, random, textwrap, io, csv
print(json.dumps({'b': [1, 2.5, None], 'a': {'x': '\u00e9'}}, sort_keys=True), json.loads('[1e3, "\u00e9"]'))
print(re.sub(r'(\w+) (\w+)', r'\2 \1', 'hello world'), re.findall(r'[a-c]+', 'abcxcab'))
print(hashlib.sha256(b'abc').hexdigest(), hashlib.md5(b'abc').hexdigest(), hashlib.blake2b(b'abc').hexdigest()[:16], zlib.crc32(b'abc'))
print(decimal.Decimal(1) / decimal.Decimal(7), fractions.Fraction(1, 3) + fractions.Fraction(1, 6), datetime.date(2024, 2, 29).isoformat())
random.seed(5); print([random.randint(0, 99) for _ in range(5)], random.random())
d = sqlite3.connect(':memory:'); d.execute('create table t(a, b)'); d.executemany('insert into t values(?, ?)', [(i, i * i) for i in range(10)])
print(d.execute('select sum(b), count(*) from t where a > 3').fetchall())
q = queue.Queue(); out = []
def work():
    while True:
        item = q.get()
        if item is None: break
        out.append(item * 2)
ts = [threading.Thread(target=work) for _ in range(3)]
[t.start() for t in ts]; [q.put(i) for i in range(20)]; [q.put(None) for _ in ts]; [t.join() for t in ts]; print(sorted(out))
class Tree:
    def __init__(s, v): s.v, s.l, s.r = v, None, None
    def add(s, v):
        side = 'l' if v < s.v else 'r'
        n = getattr(s, side)
        setattr(s, side, Tree(v)) if n is None else n.add(v)
    def __iter__(s):
        if s.l: yield from s.l
        yield s.v
        if s.r: yield from s.r
t = Tree(50); [t.add(random.randint(0, 100)) for _ in range(30)]; print(list(t))
try: 1 / 0
except ZeroDivisionError as e: print(type(e).__name__, e)
print(collections.Counter('mississippi').most_common(2), list(itertools.permutations('abc', 2))[:4], struct.pack('<ih', 1, 2), 2 ** 200)
`;

const PERL = `
use strict; use warnings; use List::Util qw(sum max); use POSIX qw(floor strftime); use Data::Dumper; use Digest::SHA qw(sha256_hex); use MIME::Base64; use Time::Local; use Storable qw(dclone); use Text::Wrap;
$Data::Dumper::Sortkeys = 1; $Data::Dumper::Indent = 1;
my %h = (a => [1, 2, { x => 3 }], b => undef); print Dumper(dclone(\\%h)); print sum(1 .. 10), " ", max(3, 9, 2), " ", floor(-2.5), " ", sha256_hex("abc"), " ", encode_base64("hello");
print strftime("%Y-%m-%d", gmtime(86400 * 365)), "\\n"; local $_ = "The quick brown fox"; my @w = split; print join("|", map { ucfirst lc } reverse @w), "\\n"; s/(\\w+) (\\w+)/$2 $1/; print "$_\\n";
my $pid = open(my $kid, "-|") // die; if (!$pid) { print "from the child\\n" for 1 .. 2; exit 3 } print "read: $_" while <$kid>; close $kid; print $? >> 8, "\\n"; local $SIG{ALRM} = sub { print "alarm\\n" }; alarm 1; select undef, undef, undef, 2; printf "%.3f %s\\n", atan2(1, 1) * 4, join ",", sort { $b <=> $a } 10, 9, 100;
eval { die { code => 7 } }; print "caught $@->{code}\\n"; format STDOUT =
@<<<<< @>>>>>
"left", "right"
.
write;
`;

const SQL = `
pragma journal_mode = wal;
create table t(id integer primary key, name text, value real); create index i on t(name);
with recursive n(x) as (select 1 union all select x + 1 from n where x < 500) insert into t(name, value) select 'name' || (x % 37), x * 1.5 from n;
select name, count(*), sum(value) from t group by name order by 2 desc, 1 limit 5; begin; delete from t where id % 2; rollback; select count(*) from t; update t set value = value + 1 where name like 'name1%'; select total(value) from t;
explain query plan select * from t where name = 'name3'; select json_extract('{"a": [1, 2]}', '$.a[1]'), printf('%08.3f', 3.14159); pragma integrity_check; pragma wal_checkpoint(truncate);
`;

const FILES = `
set -e
mkdir -p a/b/c; for i in $(seq 1 30); do printf 'line %s\n' $i >a/b/f$i; done; ln -s b a/link; ln a/b/f1 a/hard
find a -name 'f1*' | sort | xargs -n 4 echo; find a -type f -exec cat {} + | sort -u | wc -l
tar -C a -cf t.tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner .; tar -tf t.tar | wc -l; mkdir x; tar -C x -xf t.tar; diff -r a x && echo same
gzip -nk9 t.tar; gzip -dc t.tar.gz | cmp - t.tar && echo gzip; xz -k t.tar; xz -dc t.tar.xz | cmp - t.tar && echo xz
cp -r a y; rm -r y/b/f2; diff -rq a y || echo "differs $?"; mv y z; ls z/b | wc -l
cut -d' ' -f2 a/b/f* | paste -sd+ | sed 's/+/ + /g' | tr -d '\n' | wc -c; expr 6 '*' 7; seq 10 | awk '{ s += $1 } END { print s }'
sort -t' ' -k2n a/b/f* | tail -n 2; sha256sum a/b/f3; od -c a/b/f1 | head -n 1; base64 a/b/f1; head -c 5 a/b/f7 | tac; date -u -d @86400 +%F
stat -c '%A %s %h' a/hard; readlink a/link; du -s --apparent-size a/b/f1 | cut -f1; test -L a/link && echo link; dd if=/dev/zero of=zeros bs=1k count=3 2>/dev/null; wc -c <zeros
( trap 'echo cleaned; exit 4' TERM; kill -TERM $BASHPID; sleep 5 ) || echo "status $?"; timeout 1 sleep 10 || echo "timeout $?"
printf '%s\n' c a b | tee copy | sort >sorted; comm -12 sorted <(sort copy) | wc -l; env -i A=1 sh -c 'echo $A$B'; nice -n 1 echo nice; rm -rf a x z
`;

const DASH = `i=0; while [ $i -lt 5 ]; do i=$((i + 1)); case $i in 2) continue ;; 4) break ;; esac; echo "turn $i"; done; f() { local x=$1; echo "f $x"; return 3; }; f one || echo "gave $?"; echo "$(echo nested $(echo deeper))"; set -- a "b c" d; for w; do echo "[$w]"; done; shift 2; echo $1 $#; echo out | { read l; echo "read $l"; }; (exit 7); echo $?; x=abcdef; echo \${x#ab} \${x%ef} \${#x}; sleep 1 & wait $!; echo waited; kill -l 15; trap 'echo bye' 0`;

if (process.env['STILLPOINT_SLOW'] === '1') {
  describe('Debian, the wide list', () => {
    const one = (name: string, path: string, job: DebianJob): void => { it(name, () => checkDebian(path, { modes: quick, ...job }), 600_000); };
    one('jq', '/usr/bin/jq', { args: ['-c', '.a | map(. * 2) | add, (.[0] | tostring), ([limit(3; range(10))] | @csv)'], stdin: '{"a": [1, 2.5, 3]}' });
    one('grep', '/usr/bin/grep', { args: ['-nE', '([a-z])\\1+[0-9]*'], stdin: text });
    one('grep -P', '/usr/bin/grep', { args: ['-cP', '(?<=a)b|\\d{3,}'], stdin: text });
    one('sed', '/usr/bin/sed', { args: ['-E', 's/([a-z]+) ([a-z]+)/\\2-\\1/g; /^[0-9]/d; 5,7{s/^/> /;p}; $a end'], stdin: text });
    one('mawk', '/usr/bin/mawk', { args: ['{ for (i = 1; i <= NF; i++) n[length($i)]++ } END { for (k = 0; k < 20; k++) print k, n[k] + 0; print sin(1), substr("hello", 2, 3), toupper("x") }'], stdin: text });
    for (const [name, ...args] of [['sort', '-k2', '-u'], ['uniq', '-c'], ['tr', 'a-z', 'A-Z'], ['wc'], ['cut', '-c', '3-9'], ['fold', '-w', '40'], ['nl'], ['od', '-An', '-tx1z'], ['tac'], ['base64'], ['sha256sum'],
      ['md5sum'], ['b2sum'], ['cksum'], ['head', '-c', '100'], ['tail', '-n', '3'], ['expand'], ['fmt'], ['ptx'], ['sum'], ['pr', '-l', '40', '-D', 'x']] as const) {
      one(`${name} ${args.join(' ')}`, `/usr/bin/${name}`, { args, stdin: text, modes: ['translated', 'replayed'] });
    }
    one('factor', '/usr/bin/factor', { args: ['18446744073709551557', '1000000007000000049'] });
    one('tar', '/usr/bin/tar', { args: ['-cf', '-', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=a+rw', 'one', 'two'], files: { one: text, two: 'short\n' } });
    one('gzip', '/usr/bin/gzip', { args: ['-nc9', 'one'], files: { one: text } });
    one('xz', '/usr/bin/xz', { args: ['-c', '-T1', '-3'], stdin: text, modes: long });
    one('find', '/usr/bin/find', { args: ['.', '-name', 't*', '-size', '-2', '-printf', '%f %s\\n'], files: { one: text, two: 'short\n', 'deep/three': 'x' } });
    one('diff', '/usr/bin/diff', { args: ['-u', '--label', 'a', '--label', 'b', 'one', 'two'], files: { one: text, two: text.replace('a', 'b').slice(0, 15_000) } });
    one('sqlite3', '/usr/bin/sqlite3', { args: ['data.db'], stdin: SQL, modes: long });
    one('perl', '/usr/bin/perl', { args: ['-e', PERL], modes: long });
    one('python', '/usr/bin/python3', { args: ['-c', PYTHON], modes: long });
    it('dash', () => checkDebian('/usr/bin/dash', { args: ['-c', DASH], modes: quick, stdout: onHost('dash', DASH).stdout }), 600_000);
    it('files, archives and processes by a script', () => checkDebian('/usr/bin/bash', { args: ['-c', FILES], modes: long, stdout: onHost('bash', FILES).stdout }), 600_000);
    it('python starts programs', () => checkDebian('/usr/bin/python3', {
      args: ['-c', String.raw`import subprocess, os, multiprocessing, socket, signal
print(subprocess.run(['sed', 's/a/b/'], input=b'banana\n', capture_output=True).stdout, subprocess.call(['false']), subprocess.getoutput('echo $((6*7)) | cat'))
try: subprocess.run(['/nonexistent'])
except FileNotFoundError as e: print('missing', e.filename)
p = subprocess.Popen(['sleep', '100']); p.terminate(); print(p.wait())
def work(n): return n * n
c = multiprocessing.get_context('fork'); q = c.Queue(); w = c.Process(target=lambda: q.put(work(7))); w.start(); print(q.get()); w.join(); print(w.exitcode)
a, b = socket.socketpair(); r = os.fork()
if r == 0: b.send(b'from the child'); os._exit(0)
print(a.recv(100), os.waitpid(r, 0)[1])
`], modes: long, stdout: "b'bbnana\\n' 1 42\nmissing /nonexistent\n-15\n49\n0\nb'from the child' 0\n",
    }), 600_000);
  });
}
