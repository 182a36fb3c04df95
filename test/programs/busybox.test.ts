/** Debian's own busybox, applet by applet, as single processes on 100 KB (STILLPOINT_SLOW=1: more than a megabyte), against qemu-riscv64 and the host's tools. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { checkReal, makeText, type RealJob } from './real-program.ts';

const text = makeText(process.env['STILLPOINT_SLOW'] === '1' ? 1_100_000 : 100_000, 42);
const small = makeText(40_000, 7);
const files = { 'text.txt': text, 'small.txt': small };

describe('busybox applets', () => {
  it.each<[string, RealJob]>([
    ['sha256sum', { args: ['sha256sum', 'text.txt'], files, host: ['sha256sum', 'text.txt'] }],
    ['md5sum', { args: ['md5sum', 'text.txt', 'small.txt'], files, host: ['md5sum', 'text.txt', 'small.txt'] }],
    ['sha1sum', { args: ['sha1sum', 'text.txt'], files, host: ['sha1sum', 'text.txt'] }],
    ['sort', { args: ['sort', 'text.txt'], files, host: ['env', 'LC_ALL=C', 'sort', 'text.txt'] }],
    ['sort -u -r', { args: ['sort', '-u', '-r', 'small.txt'], files, host: ['env', 'LC_ALL=C', 'sort', '-u', '-r', 'small.txt'] }],
    ['sort -n -k 2', { args: ['sort', '-n', '-k', '2', 'small.txt'], files }],
    ['wc', { args: ['wc', 'text.txt', 'small.txt'], files }],
    ['grep', { args: ['grep', '-n', 'a[bc]*d', 'text.txt'], files, host: ['grep', '-n', 'a[bc]*d', 'text.txt'] }],
    ['grep -c -v -i', { args: ['grep', '-c', '-v', '-i', 'E', 'text.txt'], files, host: ['grep', '-c', '-v', '-i', 'E', 'text.txt'] }],
    ['grep -E', { args: ['grep', '-E', '-o', '[0-9]{4,5}', 'small.txt'], files, host: ['grep', '-E', '-o', '[0-9]{4,5}', 'small.txt'] }],
    ['sed', { args: ['sed', '-e', 's/[aeiou]\\+/<&>/g', '-e', '/^[0-9]/d', 'text.txt'], files, host: ['sed', '-e', 's/[aeiou]\\+/<&>/g', '-e', '/^[0-9]/d', 'text.txt'] }],
    ['sed -n', { args: ['sed', '-n', '100,200{s/ /_/2;p}', 'text.txt'], files, host: ['sed', '-n', '100,200{s/ /_/2;p}', 'text.txt'] }],
    ['awk', { args: ['awk', '{ for (i = 1; i <= NF; i++) n[$i]++; t += NF } END { print t; print length(n); print n["a"] + 0 }', 'text.txt'], files }],
    ['awk with floats', { args: ['awk', 'BEGIN { for (i = 1; i <= 300; i++) { s += sqrt(i) * sin(i); printf "%.10g %e %d\\n", s, exp(i / 50), i ^ 2 } }'] }],
    ['gzip', { args: ['gzip', '-c', 'text.txt'], files }],
    ['gunzip', { args: ['gunzip', '-c', 'text.gz'], files: { 'text.gz': gzipSync(text) }, host: ['gzip', '-dc', 'text.gz'] }],
    ['bunzip2 of nothing', { args: ['bunzip2', '-c', 'text.txt'], files }],
    ['tar t', { args: ['tar', 't'], stdin: makeTar({ 'a/one': small, 'a/b/two': text.subarray(0, 3000) }) }],
    ['tar x to standard output', { args: ['tar', 'x', '-O', 'a/one'], stdin: makeTar({ 'a/one': small, 'a/b/two': text.subarray(0, 3000) }) }],
    ['find', { args: ['find', '.', '-type', 'f', '-name', '*.txt', '-size', '+100'], files }],
    ['cut', { args: ['cut', '-d', ' ', '-f', '2,4-', 'small.txt'], files }],
    ['tr', { args: ['tr', 'a-z', 'A-Z'], stdin: text, host: ['tr', 'a-z', 'A-Z'] }],
    ['head', { args: ['head', '-n', '77', 'text.txt'], files, host: ['head', '-n', '77', 'text.txt'] }],
    ['tail', { args: ['tail', '-c', '5000', 'text.txt'], files, host: ['tail', '-c', '5000', 'text.txt'] }],
    ['tac', { args: ['tac', 'small.txt'], files, host: ['tac', 'small.txt'] }],
    ['rev', { args: ['rev', 'small.txt'], files }],
    ['uniq -c', { args: ['uniq', '-c'], stdin: Buffer.from(Array.from({ length: 10_000 }, (_, index) => `line ${Math.floor(index / 7) % 50}`).join('\n')), host: ['uniq', '-c'] }],
    ['od', { args: ['od', '-A', 'x', '-t', 'x1', 'small.txt'], files }],
    ['hexdump', { args: ['hexdump', '-C', 'small.txt'], files }],
    ['base64', { args: ['base64', 'small.txt'], files, host: ['base64', 'small.txt'] }],
    ['cksum', { args: ['cksum', 'text.txt'], files }],
    ['seq', { args: ['seq', '1', '3', '20000'], host: ['seq', '1', '3', '20000'] }],
    ['factor', { args: ['factor', '1234567890123', '9999999967', '600851475143'], host: ['factor', '1234567890123', '9999999967', '600851475143'] }],
    ['expr', { args: ['expr', '(', '12', '+', '30', ')', '*', '100', '/', '7'], host: ['expr', '(', '12', '+', '30', ')', '*', '100', '/', '7'] }],
    ['printf', { args: ['printf', '%05d %x %s\\n', '42', '255', 'text'], host: ['printf', '%05d %x %s\\n', '42', '255', 'text'] }],
    ['dd', { args: ['dd', 'if=text.txt', 'bs=1000', 'skip=10', 'count=60'], files, host: ['dd', 'if=text.txt', 'bs=1000', 'skip=10', 'count=60'] }],
    ['cmp', { args: ['cmp', 'text.txt', 'small.txt'], files }],
    ['diff', { args: ['diff', 'a', 'b'], files: { a: small, b: Buffer.from(Buffer.from(small).toString().replaceAll('7', 'seven')) } }],
    ['fold', { args: ['fold', '-w', '40', 'small.txt'], files, host: ['fold', '-w', '40', 'small.txt'] }],
    ['nl', { args: ['nl', 'small.txt'], files }],
    ['split and what it leaves', { args: ['split', '-l', '100', 'small.txt', 'part-'], files }],
    ['dc', { args: ['dc', '-e', '2 400 ^ 7 - p'] }],
    ['sh alone', { args: ['sh', '-c', 'i=0; while [ $i -lt 300 ]; do i=$((i + 1)); echo "$i $((i * i % 97))"; done; exit 5'] }],
    ['cat of a missing file', { args: ['cat', 'no-such-file'] }],
    ['an unknown applet', { args: ['frobnicate'] }],
  ])('%s', async (_name, job) => {
    await checkReal('busybox', job);
  });

  it('what gzip wrote is what the host unpacks', async () => {
    expect(Buffer.compare(gunzipSync(await checkReal('busybox', { args: ['gzip', '-c'], stdin: text, modes: ['whole'] })), text)).toBe(0);
  });
});

/** A ustar archive of some files. */
function makeTar(entries: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const blocks: Buffer[] = [];
  for (const [name, bytes] of Object.entries(entries)) {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write('0000644\0', 100);
    header.write('0001750\0', 108);
    header.write('0001750\0', 116);
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write('        ', 148);
    header.write('0ustar\x0000', 156);
    header.write(`${header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148);
    blocks.push(header, Buffer.from(bytes), Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
