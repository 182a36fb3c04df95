/** ZeroVM's manifests and job descriptions as cluster manifests: what carries over, what is said about the rest, and one that runs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { convertToCluster } from '../../src/manifest/live/convert.ts';
import { parseClusterText } from '../../src/manifest/live/cluster-file.ts';
import { complaint } from '../manifest/helpers.ts';
import { randomBytes } from './link-conformance.ts';
import { ClusterRig } from './rig.ts';

const rig = new ClusterRig();
afterAll(() => { rig.close(); });

const manifest = (node: number, lines: string): string => `=====\nVersion = 20130611\nProgram = build/copy.elf\nMemory = 0x2000000, 0\nTimeout = 10\nNode = ${node}\nNameServer = udp:127.0.0.1:54321\n${lines}`;
const channel = (source: string, alias: string, way: 'r' | 'w' | 'rw', type = 0): string => `Channel = ${source}, ${alias}, ${type}, 1, ${way.includes('r') ? '100, 1000000' : '0, 0'}, ${way.includes('w') ? '100, 1000000' : '0, 0'}\n`;
const standard = channel('/dev/null', '/dev/stdin', 'r') + channel('/dev/null', '/dev/stderr', 'w');

function convert(files: Readonly<Record<string, string>>, name?: string): string {
  for (const [file, text] of Object.entries(files)) rig.write(file, text);
  return convertToCluster(Object.keys(files).map((file) => rig.path(file)), name).replaceAll(`${rig.directory}/`, '');
}

beforeAll(() => {
  rig.compile('copy');
  rig.write('build/data', randomBytes(3, 100_000));
});

describe('manifests of single nodes', () => {
  it('become one cluster that runs', async () => {
    rig.write('nvram', '# first\n[args]\nargs = copy /dev/in/input /dev/out/last-0 1000\n[env]\nname=GREETING, value=a\\x2cb\n[debug]\nverbosity=1\n');
    rig.write('nvram-2', '[args]\nargs = copy /dev/in/first-0 /dev/out/result 777\n');
    const text = convert({
      'first.manifest': manifest(1, standard + channel('/dev/null', '/dev/stdout', 'w') + channel(rig.path('nvram'), '/dev/nvram', 'r', 1) + channel('build/data', '/dev/input', 'r', 3) + channel('tcp:2:', '/dev/out/next', 'w')),
      'last.manifest': manifest(2, standard + channel('printed', '/dev/stdout', 'w') + channel(rig.path('nvram-2'), '/dev/nvram', 'r', 1) + channel('tcp:1:', '/dev/in/before', 'r') + channel('build/result', '/dev/result', 'w')),
    }, 'old');
    expect(text).toContain('# Timeout (wall-clock seconds) has no counterpart');
    expect(text).toContain('# [debug] of nvram is not carried over.');
    expect(parseClusterText(text, '/w/old.yaml')).toMatchObject({
      name: 'old', channels: [{ from: 'first', to: 'last', limits: { gets: 100, getBytes: 1_000_000, puts: 100, putBytes: 1_000_000 } }],
      groups: [
        { name: 'first', memoryBytes: 0x2000000, arguments: ['/dev/in/input', '/dev/out/last-0', '1000'], environment: [['GREETING', 'a,b']], files: [{ name: 'input', kind: 'in', file: '/w/build/data' }] },
        { name: 'last', stdout: '/w/printed', files: [{ name: 'result', kind: 'out', file: '/w/build/result' }], limits: expect.arrayContaining([{ channel: 'result', limits: { puts: 100, putBytes: 1_000_000 } }]) as unknown },
      ],
    });
    // Quotas of a hundred operations are too few for a copy by thousands: the guest is told so, as it was by the ancestor.
    rig.write('old.yaml', text.replaceAll(/: 100$/gm, ': 1000'));
    const { status, stderr } = await rig.stillpoint(['up', 'old.yaml', '--processes', '1'], 'old');
    expect([status, stderr]).toEqual([0, expect.stringContaining('2 nodes ended')]);
    expect(Buffer.compare(rig.read('build/result'), rig.read('build/data'))).toBe(0);
  });

  it('channels that go both ways are append or rw; a link of a node to itself is one', () => {
    const text = convert({ 'x.manifest': manifest(7, channel('/log', '/dev/log', 'rw', 1) + channel('/data', '/dev/data', 'rw', 3) + channel('tcp:7:', '/dev/in/me', 'r') + channel('tcp:7:', '/dev/out/me', 'w')) });
    const { groups, channels } = parseClusterText(text, '/w/x.yaml');
    expect([groups[0]!.files.map(({ kind }) => kind), channels.map(({ pattern }) => pattern)]).toEqual([['append', 'rw'], ['self']]);
  });

  it.each<[string, string, RegExp]>([
    ['another version', manifest(1, '').replace('20130611', '20140509'), /x\.manifest:2: version 20140509 is not 20130611/],
    ['no program', manifest(1, '').replace(/Program.*\n/, 'Program =\nX'), /x\.manifest:4: X/],
    ['an unknown key', manifest(1, 'Colour = red\n'), /x\.manifest:8: Colour is not a known key/],
    ['a key twice', manifest(1, 'Node = 2\n'), /x\.manifest:8: Node is given twice/],
    ['a value with =', manifest(1, 'Program = a=b\n'), /x\.manifest:8: Program: a value that holds = is ignored by ZeroVM/],
    ['a number that is none', manifest(1, '').replace('0x2000000', 'much'), /x\.manifest:4: Memory: much is not a number/],
    ['too few fields', manifest(1, 'Channel = a, /dev/b, 0\n'), /x\.manifest:8: a channel has 8 fields, this one has 3/],
    ['no direction', manifest(1, 'Channel = a, /dev/b, 0, 0, 0, 0, 0, 0\n'), /channel \/dev\/b may neither be read nor written/],
    ['several sources', manifest(1, channel('a;b', '/dev/b', 'r')), /has several sources; replicas: N/],
    ['an address', manifest(1, channel('tcp:10.0.0.1:99', '/dev/in/b', 'r')), /tcp:10\.0\.0\.1:99 is no node/],
    ['a node that is not there', manifest(1, channel('tcp:2:', '/dev/in/b', 'r')), /x\.manifest:8: there is no manifest with Node = 2/],
    ['an end without the other', manifest(1, channel('tcp:1:', '/dev/in/b', 'r')), /x\.manifest:8: node 1 does not declare its end/],
    ['both ways, sequential', manifest(1, channel('a', '/dev/b', 'rw', 0)), /of type 0 cannot go both ways/],
    ['a daemon', manifest(1, 'Job = /tmp/socket\n'), /a daemon \(Job\) has no counterpart/],
    ['stdin that is written', manifest(1, channel('a', '/dev/stdin', 'w')), /\/dev\/stdin goes the other way/],
    ['nvram that is not there', manifest(1, channel('/none', '/dev/nvram', 'r')), /\/none .* cannot be read/],
  ])('%s is named with its line', (_name, text, expected) => {
    const { code, message } = complaint(() => convert({ 'x.manifest': text }));
    expect([code, message]).toEqual(['E_MANIFEST', expect.stringMatching(expected)]);
  });
});

const JOB = `[
  { "name": "map", "exec": { "path": "map.elf", "args": "-x \\"two words\\" @y", "env": { "N": 5 } }, "connect": ["reduce"], "replicate": 3,
    "devices": [{ "name": "input", "path": "parts/*.txt" }, { "name": "stderr" }] },
  { "name": "reduce", "exec": { "path": "reduce.elf" }, "count": 2, "connect": ["reduce"], "devices": [{ "name": "output", "path": "out-{index}", "content_type": "text/plain" }, { "name": "stdout", "path": "printed-{index}" }] }
]`;

describe('job descriptions', () => {
  it('keep groups, links, counts, replicas and wildcards', () => {
    const text = convert({ 'job.json': JOB });
    expect(text).toContain('# content_type of devices is not carried over.');
    expect(parseClusterText(text, '/w/job.yaml')).toMatchObject({
      groups: [
        { name: 'map', program: '/w/map.elf', replicas: 3, arguments: ['-x', 'two words', '@@y'], environment: [['N', '5']], files: [{ name: 'input', kind: 'in', file: '/w/parts/*.txt' }] },
        { name: 'reduce', count: 2, stdout: '/w/printed-{index}', files: [{ name: 'output', kind: 'out', file: '/w/out-{index}' }] },
      ],
      channels: [{ from: 'map', to: 'reduce', pattern: 'all-to-all' }, { from: 'reduce', to: 'reduce', pattern: 'all-to-all' }],
    });
  });

  it('are read from a zapp.yaml as well', () => {
    const text = convert({ 'zapp.yaml': 'meta: { name: x }\nexecution:\n  groups:\n    - name: one\n      path: one.elf\n      args: [a, "@b"]\n      devices:\n        - name: stdin\n          path: in.txt\n' });
    expect(parseClusterText(text, '/w/z.yaml').groups[0]).toMatchObject({ program: '/w/one.elf', arguments: ['a', '@@b'], stdin: '/w/in.txt' });
  });

  it.each<[string, string, RegExp]>([
    ['an object of a store', JOB.replace('parts/*.txt', 'swift://a/b/c'), /job\.json:3: 0\.devices\.0\.path: swift:\/\/a\/b\/c is no file of this host/],
    ['a program in an image', JOB.replace('map.elf', 'file://python:python'), /job\.json:2: 0\.exec\.path: file:\/\/python:python is no file/],
    ['a group that is not there', JOB.replace('["reduce"]', '["redux"]'), /job\.json:2: 0\.connect\.0: there is no group redux; there are map, reduce/],
    ['an image', JOB.replace('"stderr"', '"image"'), /0\.devices\.1\.name: the device image has no counterpart/],
    ['an unknown key', JOB.replace('"count"', '"cout"'), /job\.json:4: 1\.cout: is not a known key/],
    ['too many replicas', JOB.replace('3,', '4,'), /job\.json:2: 0\.replicate/],
    ['a quote that is open', JOB.replace('words\\"', 'words'), /0\.exec\.args: a quote is not closed/],
    ['no program', '[{ "name": "a" }]', /job\.json:1: 0\.path: there is no program/],
    ['text that is neither', 'hello\n', /job\.json/],
  ])('%s is named with its field', (_name, text, expected) => {
    const { code, message } = complaint(() => convert({ 'job.json': text }));
    expect([code, message]).toEqual(['E_MANIFEST', expect.stringMatching(expected)]);
  });

  it('the command prints the manifest; several descriptions are a mistake', async () => {
    rig.write('job.json', JOB);
    const { status, stdout } = await rig.stillpoint(['convert', 'job.json', '--name', 'words']);
    expect([status, stdout]).toEqual([0, expect.stringContaining('name: words')]);
    expect((await rig.stillpoint(['convert', 'job.json', 'job.json'])).stderr).toMatch(/E_USAGE: give several manifests of the text kind/);
  });
});
