// The table of the wide suites: programs of Debian's riscv64 archive (and one of npm), unmodified, each with a job whose output says much. Every suite
// (against qemu-riscv64, killed and resumed, restored at system calls) runs the same table. A job with `isCheap` needs build/debian-root only.
// Jobs print nothing that depends on time, process numbers, or the order in which the kernel wakes processes. Does NOT run anything.
import { makeText } from './real-program.ts';

export interface WideJob {
  readonly name: string;
  /** In the root. */
  readonly path: string;
  readonly args: readonly string[];
  readonly stdin?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** The machine's clock, where zero will not do. */
  readonly needsClock?: boolean;
  readonly isCheap?: boolean;
}

const text = Buffer.from(makeText(60_000, 11)).toString('latin1');

const SCRIPT = String.raw`
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
for i in $(seq 1 12); do mkdir -p d/$i; echo "line $i" >d/$i/f; sha256sum d/$i/f | cut -c1-12; done
cat d/*/f | sort -n -k2 | tail -n 3; ls d | wc -l
cat <(echo substituted) | grep -c sub
seq 1 200 | head -n 3 | tail -n 1; false | true; echo "$` + String.raw`{PIPESTATUS[0]}"
trap 'echo usr1' USR1; kill -USR1 $$; trap 'echo trap $?' EXIT
exec 3>&1; echo three >&3; read -r line < <(printf 'a b\n'); echo "$line"
f=$(mktemp); printf '%s\n' {1..50} >$f; while read -r n; do [ $((n % 17)) = 0 ] && echo "seventeen $n"; done <$f; rm $f
coproc cat; echo over >&"$` + String.raw`{COPROC[1]}"; read -r back <&"$` + String.raw`{COPROC[0]}"; echo "$back"
sleep 1 & wait $!; echo waited; exit 5
`;

const DASH = String.raw`i=0; while [ $i -lt 5 ]; do i=$((i + 1)); case $i in 2) continue ;; 4) break ;; esac; echo "turn $i"; done; f() { local x=$1; echo "f $x"; return 3; }; f one || echo "gave $?"
echo "$(echo nested $(echo deeper))"; set -- a "b c" d; for w; do echo "[$w]"; done; shift 2; echo $1 $#; echo out | { read l; echo "read $l"; }; (exit 7); echo $?; x=abcdef; echo $` + String.raw`{x#ab} $` + String.raw`{x%ef} $` + String.raw`{#x}
for i in 1 2 3 4 5 6; do seq $i 9 | paste -sd, | sed 's/,/-/g'; done; sleep 1 & wait $!; echo waited; kill -l 15; trap 'echo bye' 0; exit 9`;

const COREUTILS = String.raw`
printf '%s\n' pear apple fig apple plum >l; sort -u l | nl; uniq -c <l; tac l; shuf --random-source=l l | sort | head -n 2; cut -c2- l | paste -sd: ; wc l; rev_() { tr a-z n-za-m; }; rev_ <l
seq 40 | factor | tail -n 3; seq 9 | split -l 4 - part; ls part*; cat part* | md5sum; od -An -tx1 l | head -n 2; base64 l; sha512sum l; b2sum l; cksum l; sum l; numfmt --to=iec 123456789
touch -d @86400 t; stat -c '%Y %s %A' t; date -u -d @1e9 +%FT%T; mkdir -p a/b; cp l a/b; mv a z; ln -s z/b/l s; readlink s; realpath --relative-to=. s; du -b z/b/l; test -e s && echo link; truncate -s 9 t; stat -c %s t
expr 6 \* 7; join <(sort l | uniq) <(printf 'apple 3\nplum 5\n'); comm -12 <(sort -u l) <(printf 'fig\nkiwi\n'); fold -w 3 l | head -n 3; expand -t4 <<<$'a\tb'; fmt -w 20 <<<'one two three four five six seven'; pr -t -2 l; tsort <<<'a b b c'
dd if=/dev/zero bs=1k count=3 2>/dev/null | wc -c; head -c 7 l; echo; tail -c 5 l; env -i A=1 env; printf '%05.1f|%x\n' 3.14159 255; timeout 1 sleep 9; echo "timeout $?"; nice -n 3 nice; basename /x/y.c .c; dirname /x/y.c; csplit -s l 3; ls xx*; install -m 640 l i; stat -c %a i; chmod u+x,g-r i; stat -c %A i; mkfifo p; echo through >p & cat p; seq -w 8 11; tee c1 c2 <l | wc -c; cmp c1 c2 && echo same
`;

const PERL = String.raw`
use strict; use warnings; use List::Util qw(sum max); use POSIX qw(floor strftime); use Data::Dumper; use Digest::SHA qw(sha256_hex); use MIME::Base64; use Storable qw(dclone freeze thaw); use Text::Wrap; use File::Temp; use JSON::PP; use Time::Local; use IPC::Open3; use threads; use Thread::Queue; use Encode; use Math::BigInt; use File::Find; use Compress::Zlib;
$Data::Dumper::Sortkeys = 1; $Data::Dumper::Indent = 1;
my %h = (a => [1, 2, { x => 3 }], b => undef); print Dumper(dclone(\%h)); print sum(1 .. 10), " ", max(3, 9, 2), " ", floor(-2.5), " ", sha256_hex("abc"), " ", encode_base64("hello");
print strftime("%Y-%m-%d", gmtime(86400 * 365)), "\n"; local $_ = "The quick brown fox"; my @w = split; print join("|", map { ucfirst lc } reverse @w), "\n"; s/(\w+) (\w+)/$2 $1/; print "$_\n";
my $pid = open(my $kid, "-|") // die; if (!$pid) { print "from the child\n" for 1 .. 2; exit 3 } print "read: $_" while <$kid>; close $kid; print $? >> 8, "\n"; local $SIG{ALRM} = sub { print "alarm\n" }; alarm 1; select undef, undef, undef, 2;
print JSON::PP->new->canonical->encode({ n => [1, "2", undef], t => \1 }), "\n"; my $q = Thread::Queue->new; my @t = map { my $n = $_; threads->create(sub { $q->enqueue($n * $_) for 1 .. 5; $n }) } 1 .. 4; my $s = sum(map { $_->join } @t); print "threads $s ", sum(map { $q->dequeue } 1 .. 20), "\n";
print Math::BigInt->new(2)->bpow(200), " ", length(Compress::Zlib::memGzip("x" x 10000)), " ", encode("UTF-8", "\x{e9}") eq "\xc3\xa9" ? "utf8" : "not", "\n"; my ($in, $out); my $p = open3($in, $out, undef, "cat"); print $in "through cat\n"; close $in; print <$out>; waitpid $p, 0; my @words = map { lc } ("b10" .. "b30"); my %count; $count{length $_}++ for @words; print join(",", %count), "\n";
my $text = join " ", map { $_ * 7919 % 1009 } 1 .. 3000; my $n = 0; $n++ while $text =~ /\b(\d)\d*\1\b/g; print "$n\n"; eval { die { code => 7 } }; print "caught $@->{code}\n"; print wrap("", "  ", $text) =~ tr/\n//, "\n";
`;

const PYTHON = {
  modules: String.raw`
import json, re, hashlib, zlib, lzma, bz2, collections, itertools, decimal, fractions, datetime, struct, random, textwrap, io, csv, tempfile, os, pathlib, heapq, functools, uuid, base64, difflib, string, shlex, configparser, xml.etree.ElementTree as ET, pickle, ast, dis, statistics, array, bisect, unicodedata, html, urllib.parse, email.message, zipfile, tarfile, mmap, contextlib, dataclasses, enum, typing, inspect, traceback, ctypes
print(json.dumps({'b': [1, 2.5, None], 'a': {'x': '\u00e9'}}, sort_keys=True), json.loads('[1e3, "\u00e9"]'), len(json.dumps(list(range(20000)))))
print(re.sub(r'(\w+) (\w+)', r'\2 \1', 'hello world'), re.findall(r'[a-c]+', 'abcxcab'), len(re.findall(r'\b(\w)\w*\1\b', ' '.join(str(i * i) for i in range(3000)))))
for n in ('sha256', 'md5', 'sha1', 'sha3_256', 'blake2b', 'sha512'): print(n, hashlib.new(n, b'abc' * 5000).hexdigest()[:24])
print(hashlib.pbkdf2_hmac('sha256', b'p', b's', 200).hex()[:20], hashlib.scrypt(b'p', salt=b's', n=16, r=2, p=1).hex()[:20], zlib.crc32(b'abc'), len(lzma.compress(b'ab' * 9000)), len(bz2.compress(b'ab' * 9000)))
print(decimal.Decimal(1) / decimal.Decimal(7), fractions.Fraction(1, 3) + fractions.Fraction(1, 6), datetime.date(2024, 2, 29).isoformat(), statistics.stdev([1, 2, 4, 8]))
random.seed(5); print([random.randint(0, 99) for _ in range(5)], random.random(), random.gauss(0, 1))
root = ET.fromstring('<a><b c="1">t</b></a>'); print(ET.tostring(root), root.find('b').get('c')); print(pickle.loads(pickle.dumps({'x': [1, (2, 3)]})), ast.dump(ast.parse('a+1'))[:60])
with tempfile.TemporaryDirectory() as d:
    p = pathlib.Path(d) / 'f.txt'; p.write_text('one\ntwo\n'); z = zipfile.ZipFile(p.with_suffix('.zip'), 'w', zipfile.ZIP_DEFLATED); z.write(p, 'f'); z.close(); print(zipfile.ZipFile(p.with_suffix('.zip')).namelist(), sorted(x.suffix for x in pathlib.Path(d).iterdir()))
    with open(p, 'r+b') as f, mmap.mmap(f.fileno(), 0) as m: m[0:3] = b'ONE'; print(m[:])
    with tarfile.open(p.with_suffix('.tgz'), 'w:gz') as t: t.add(p, 'g')
    print(tarfile.open(p.with_suffix('.tgz')).getnames(), p.read_text())
print(collections.Counter('mississippi').most_common(2), list(itertools.permutations('abc', 2))[:4], struct.pack('<ihd', 1, 2, 0.5), 2 ** 200, heapq.nsmallest(3, range(9, 0, -1)), list(difflib.unified_diff(['a'], ['b'], lineterm='')))
libc = ctypes.CDLL(None); print(libc.strlen(b'four'), ctypes.sizeof(ctypes.c_long)); CB = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int)); a = (ctypes.c_int * 5)(3, 1, 2, 5, 4); libc.qsort(a, 5, 4, CB(lambda x, y: x[0] - y[0])); print(list(a))
@functools.lru_cache(None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
print(fib(80), unicodedata.name('\u00e9'), html.escape('<&>'), urllib.parse.quote('a b/\u00e9'))
`,
  sqlite: String.raw`
import sqlite3, threading
d = sqlite3.connect('data.db', check_same_thread=False); d.execute('pragma journal_mode = wal'); d.execute('create table t(a integer primary key, b, c)'); d.executemany('insert into t(b, c) values(?, ?)', [(i * i % 97, str(i)) for i in range(3000)]); d.commit()
d.create_function('twice', 1, lambda x: x * 2); print(d.execute('select sum(b), count(*), max(twice(b)) from t where a > 3').fetchall()); d.execute('create index i on t(b)')
e = sqlite3.connect('data.db'); e.execute('begin immediate'); e.execute('update t set b = b + 1'); 
try: sqlite3.connect('data.db', timeout=0).execute('begin immediate')
except sqlite3.OperationalError as error: print(error)
e.rollback(); print(d.execute('select b, count(*) from t group by b order by 2 desc, 1 limit 3').fetchall())
def work(n): c = sqlite3.connect('data.db', timeout=30); [c.execute('insert into t(b, c) values(?, ?)', (n, 'thread')) and c.commit() for _ in range(5)]
ts = [threading.Thread(target=work, args=(n,)) for n in range(4)]; [t.start() for t in ts]; [t.join() for t in ts]
print(d.execute("select b, count(*) from t where c = 'thread' group by b").fetchall(), d.execute('pragma integrity_check').fetchall(), list(d.iterdump())[1][:40])
`,
  threads: String.raw`
import threading, queue, concurrent.futures, asyncio, time, contextvars
q, out, lock = queue.Queue(5), [], threading.Lock()
def work():
    while (item := q.get()) is not None:
        with lock: out.append(item * 2)
ts = [threading.Thread(target=work) for _ in range(6)]; [t.start() for t in ts]; [q.put(i) for i in range(200)]; [q.put(None) for _ in ts]; [t.join() for t in ts]; print(sum(out), len(out))
c, turns = threading.Condition(), []
def player(n):
    for _ in range(10):
        with c: c.wait_for(lambda: len(turns) % 3 == n); turns.append(n); c.notify_all()
ts = [threading.Thread(target=player, args=(n,)) for n in range(3)]; [t.start() for t in ts]; [t.join() for t in ts]; print(turns)
b = threading.Barrier(4); s = threading.Semaphore(2); e = threading.Event(); r = []
def meet(n): b.wait(); s.acquire(); s.release(); e.wait(); r.append(n)
ts = [threading.Thread(target=meet, args=(n,)) for n in range(4)]; [t.start() for t in ts]; e.set(); [t.join() for t in ts]; print(sorted(r))
with concurrent.futures.ThreadPoolExecutor(4) as p: print(list(p.map(lambda n: n ** 3, range(20))))
async def square(n): await asyncio.sleep(0.01 * (5 - n)); return n * n
async def main():
    print(await asyncio.gather(*(square(n) for n in range(5)))); r, w = asyncio.Queue(), []
    async def take():
        while (x := await r.get()) is not None: w.append(x)
    t = asyncio.create_task(take()); [await r.put(i) for i in range(5)]; await r.put(None); await t; print(w)
    p = await asyncio.create_subprocess_exec('cat', stdin=-1, stdout=-1); print(await p.communicate(b'through cat')); 
    try: await asyncio.wait_for(asyncio.sleep(9), 0.01)
    except TimeoutError: print('timeout')
    s = await asyncio.start_server(lambda r, w: asyncio.ensure_future(echo(r, w)), '127.0.0.1', 0); host, port = s.sockets[0].getsockname()
    r, w = await asyncio.open_connection(host, port); w.write(b'line\n'); print(await r.readline()); w.close(); s.close()
async def echo(r, w): w.write((await r.readline()).upper()); await w.drain(); w.close()
asyncio.run(main())
`,
  processes: String.raw`
import subprocess, multiprocessing as mp, os, signal, sys
print(subprocess.run(['sort', '-n'], input='3\n1\n2\n', capture_output=True, text=True), subprocess.check_output('echo $((6 * 7)) | cat', shell=True))
p = subprocess.Popen(['sleep', '100']); p.terminate(); print(p.wait())
try: subprocess.run(['sleep', '9'], timeout=0.1)
except subprocess.TimeoutExpired: print('timeout')
a = subprocess.Popen(['seq', '1', '1000'], stdout=-1); b = subprocess.Popen(['tail', '-n', '2'], stdin=a.stdout, stdout=-1); a.stdout.close(); print(b.communicate()[0], a.wait())
mp.set_start_method('fork')
def square(n): return n * n
def child(c, q, v): c.send(['hello', c.recv()]); q.put(os.getpid() != os.getppid()); 
if __name__ == '__main__':
    with mp.Pool(3) as pool: print(pool.map(square, range(12)), pool.apply(square, (9,)))
    c, d = mp.Pipe(); q = mp.Queue(); v = mp.Value('i', 0); p = mp.Process(target=child, args=(d, q, v)); p.start(); c.send(42); print(c.recv(), q.get()); p.join(); print(p.exitcode)
    def add():
        for _ in range(50):
            with v.get_lock(): v.value += 1
    ps = [mp.Process(target=add) for _ in range(3)]; [p.start() for p in ps]; [p.join() for p in ps]; print(v.value)
    r, w = os.pipe(); pid = os.fork()
    if pid == 0: os.write(w, b'child'); os._exit(7)
    print(os.read(r, 99), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])); signal.signal(signal.SIGALRM, lambda *_: print('alarm')); signal.setitimer(signal.ITIMER_REAL, 0.05); signal.pause()
    with mp.Manager() as m: l = m.list([3, 1]); l.append(2); print(sorted(l))
`,
};

const SQL = `
pragma journal_mode = wal;
create table t(id integer primary key, name text, value real); create index i on t(name);
with recursive n(x) as (select 1 union all select x + 1 from n where x < 3000) insert into t(name, value) select 'name' || (x % 37), x * 1.5 from n;
select name, count(*), sum(value) from t group by name order by 2 desc, 1 limit 5; begin; delete from t where id % 2; rollback; select count(*) from t; update t set value = value + 1 where name like 'name1%'; select total(value) from t;
explain query plan select * from t where name = 'name3'; select json_extract('{"a": [1, 2]}', '$.a[1]'), printf('%08.3f', 3.14159); create virtual table f using fts5(x); insert into f values('the quick fox'), ('a slow dog'); select x from f where f match 'quick';
create table w as select name, value, row_number() over (partition by name order by value) k from t; select sum(k), max(value) from w; pragma integrity_check; pragma wal_checkpoint(truncate);
.mode box
select * from w limit 2;
.schema t
.read more.sql
.output out.csv
.mode csv
select name, count(*) from t group by 1;
.output stdout
.shell sort out.csv | tail -n 2
.dump i
`;

const LUA = String.raw`
local t = {} for i = 1, 20 do t[i] = i * i end print(table.concat(t, " "), 2^53, string.format("%5.2f %q", math.pi, "a\n")) local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) print(co(), co(), co())
local words = {} for w in ("the quick brown the fox the"):gmatch("%a+") do words[w] = (words[w] or 0) + 1 end local k = {} for w in pairs(words) do k[#k + 1] = w end table.sort(k) for _, w in ipairs(k) do io.write(w, "=", words[w], " ") end print()
local p = io.popen("seq 3") print(p:read("a")) p:close() print(pcall(error, "thrown")) print(select("#", table.unpack({ 1, 2, nil, 4 }, 1, 4)), utf8.char(233), 7 // 2, 7 % -3, 1 << 40) local s = 0 for i = 1, 200000 do s = s + i % 7 end print(s) local f = assert(io.open("f", "w")) f:write("x\n", 5, "\n") f:close() for l in io.lines("f") do print(l) end
setmetatable(t, { __index = function(_, n) return n end, __close = function() print("closed") end }) print(t[99]) do local c <close> = t end os.exit(3)
`;

const C_FILES = {
  'hello.c': '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>\nstatic int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }\nint main(int argc, char **argv) {\n  int n[] = { 5, 3, 9, 1 };\n  qsort(n, 4, sizeof *n, compare);\n  for (int i = 0; i < 4; i++) printf("%d ", n[i]);\n  printf("%s %.6f %zu\\n", argc > 1 ? argv[1] : "none", sqrt(2.0), strlen("four"));\n  return 6;\n}\n',
};
const MAKE_FILES: Record<string, string> = {
  Makefile: 'objects = $(patsubst %.c,%.o,$(wildcard part*.c)) main.o\nall: tool check.txt\n%.o: %.c parts.h\n\t@gcc -O1 -c $< -o $@\ntool: $(objects)\n\t@gcc $^ -o $@\ncheck.txt: tool parts.h\n\t@wc -c <parts.h >$@\n.PHONY: all\n',
  'parts.h': Array.from({ length: 3 }, (_, n) => `int part${n}(int);`).join('\n') + '\n',
  'main.c': `#include <stdio.h>\n#include "parts.h"\nint main(void) { int x = 1; ${Array.from({ length: 3 }, (_, n) => `x = part${n}(x);`).join(' ')} printf("made %d\\n", x); return 0; }\n`,
  ...Object.fromEntries(Array.from({ length: 3 }, (_, n) => [`part${n}.c`, `#include "parts.h"\nint part${n}(int x) { for (int i = 0; i < ${n + 3}; i++) x = x * ${n + 2} + i; return x % 10007; }\n`])),
};

export const WIDE_JOBS: readonly WideJob[] = [
  { name: 'bash script', path: '/usr/bin/bash', args: ['-c', SCRIPT] },
  { name: 'dash script', path: '/usr/bin/dash', args: ['-c', DASH] },
  { name: 'coreutils', path: '/usr/bin/bash', args: ['-c', COREUTILS] },
  { name: 'sort', path: '/usr/bin/sort', args: ['-k2', '-u'], stdin: text },
  { name: 'sha256sum', path: '/usr/bin/sha256sum', args: [], stdin: text },
  { name: 'grep -E', path: '/usr/bin/grep', args: ['-nE', '([a-z])\\1+[0-9]*'], stdin: text },
  { name: 'grep -P', path: '/usr/bin/grep', args: ['-cP', '(?<=a)b|\\d{3,}'], stdin: text },
  { name: 'sed', path: '/usr/bin/sed', args: ['-E', 's/([a-z]+) ([a-z]+)/\\2-\\1/g; /^[0-9]/d; 5,7{s/^/> /;p}; $a end'], stdin: text },
  { name: 'mawk', path: '/usr/bin/mawk', args: ['{ for (i = 1; i <= NF; i++) n[length($i)]++ } END { for (k = 0; k < 20; k++) print k, n[k] + 0; print sin(1), substr("hello", 2, 3), toupper("x") | "cat"; close("cat"); "echo piped" | getline x; print x; exit 4 }'], stdin: text, isCheap: true },
  { name: 'find', path: '/usr/bin/bash', args: ['-c', 'mkdir -p a/b/c; for i in 1 2 3 4 5 6 7 8 9; do echo $i >a/b/f$i; done; ln -s b a/l; find . -type f -size -2 -printf "%p %s %m\\n" | sort; find a -name "f[1-3]" -exec cat {} + | sort; mkdir a/e; find a -type l -o -empty | sort; touch -d @5 a/b/f2; touch -d @9 a/b/f3; find a/b -type f ! -newer a/b/f2 | sort; find a -name f9 -delete; find a | sort | xargs -n 3 echo; find nowhere; echo $?'], needsClock: true },
  { name: 'tar, gzip, bzip2, xz, zstd', path: '/usr/bin/bash', args: ['-c', 'mkdir x; cp one x/a; cp one x/b; ln -s a x/l; ln x/a x/h; tar -cf t.tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=go-w x; sha256sum t.tar; for z in "gzip -9n" "bzip2 -9" "xz -3" "zstd -q -6" "zstd -q -T2"; do $z -c t.tar >c; sha256sum c; ${z%% *} -dc c | cmp - t.tar && echo "$z same"; done; tar -czf u.tgz x; mkdir o; tar -xzf u.tgz -C o; diff -r x o/x && echo same; tar -tvf t.tar | tr -s " " | cut -d" " -f1,2,3,6-; head -c 100 t.tar.gz 2>/dev/null; gzip -t one; echo $?'], files: { one: text } },
  { name: 'xz, threads', path: '/usr/bin/xz', args: ['-c', '-T3', '--block-size=20000', '-1'], stdin: text },
  { name: 'zstd, threads', path: '/usr/bin/zstd', args: ['-c', '-q', '-T3', '-3'], stdin: text },
  { name: 'diff', path: '/usr/bin/diff', args: ['-u', '--label', 'a', '--label', 'b', 'one', 'two'], files: { one: text, two: text.replaceAll('ab', 'ba').slice(0, 40_000) } },
  { name: 'perl', path: '/usr/bin/perl', args: ['-e', PERL] },
  { name: 'python3, modules', path: '/usr/bin/python3', args: ['-c', PYTHON.modules], needsClock: true },
  { name: 'python3, sqlite3', path: '/usr/bin/python3', args: ['-c', PYTHON.sqlite] },
  { name: 'python3, threads and asyncio', path: '/usr/bin/python3', args: ['-c', PYTHON.threads], needsClock: true },
  { name: 'python3, subprocess and multiprocessing', path: '/usr/bin/python3', args: ['-c', PYTHON.processes], needsClock: true },
  { name: 'lua', path: '/usr/bin/lua5.4', args: ['-e', LUA], isCheap: true },
  { name: 'sqlite3, WAL and scripts', path: '/usr/bin/sqlite3', args: ['data.db'], stdin: SQL, files: { 'more.sql': 'select "from a file", count(*) from t;\nselect max(id) from t where value > 100;\n' } },
  { name: 'jq', path: '/usr/bin/jq', args: ['-c', '.a | map(. * 2) | add, (.[0] | tostring), ([limit(3; range(10))] | @csv), ([range(2000)] | map(select(. % 7 == 0)) | length), ("x-y" | split("-")), (try error("e") catch .), ("2015-03-05T23:51:47Z" | fromdate), ([3, 1, 2] | sort | @json), ("test" | test("T"; "i"))'], stdin: '{"a": [1, 2.5, 3]}' },
  { name: "gcc's cc1, as and ld", path: '/usr/bin/bash', args: ['-c', 'gcc -v 2>&1 | tail -n 1; gcc -O2 -S hello.c -o hello.s; sha256sum hello.s; gcc -c hello.s -o hello.o; sha256sum hello.o; gcc hello.o -o hello -lm; sha256sum hello; $RUN ./hello word; echo $?; gcc -O3 -g -static hello.c -o static -lm; $RUN ./static; echo $?; nm hello | grep -c " T "; echo "int x = ;" >bad.c; gcc -c bad.c; echo $?; objdump -d hello.o | tail -n 3; strip hello; sha256sum hello'], files: C_FILES },
  { name: 'make -j4', path: '/usr/bin/bash', args: ['-c', 'make -s -j4; $RUN ./tool; sha256sum *.o tool | cut -c1-16; make -j4; sleep 0.1; touch part2.c; make -n -j4 | wc -l; make -s -j4 2>/dev/null; $RUN ./tool; cat check.txt'], files: MAKE_FILES, needsClock: true },
  { name: 'esbuild (Go)', path: '/usr/local/bin/esbuild', args: ['--minify', '--target=es2017', '--loader=ts', '--sourcefile=in.ts'], needsClock: true, stdin: `${'type A = { x?: number };\nexport async function f(a: A) { const { x = 1, ...rest } = a; await Promise.resolve(); return x ?? (rest as any)?.y ** 2; }\n'}${Array.from({ length: 200 }, (_, n) => `export const v${n}: number = ${n} + ${n}; enum E${n} { A = ${n}, B }\n`).join('')}` },
  { name: 'ripgrep (Rust)', path: '/usr/bin/rg', args: ['--sort', 'path', '-n', '-j', '3', '-e', '^[0-9]+ [a-c]', '-e', 'zz?y', '.'], files: { 'a.txt': text, 'b/c.txt': text.slice(0, 9000), 'b/.hidden': text, '.ignore': 'skipped\n', skipped: text } },
];

/** What every job's environment holds besides; programs must not depend on the host's. */
export const WIDE_ENVIRONMENT: readonly string[] = ['HOME=/home/guest', 'LC_ALL=C.UTF-8', 'PYTHONDONTWRITEBYTECODE=1', 'PYTHONHASHSEED=0', 'TMPDIR=/tmp', 'GOMAXPROCS=2'];
