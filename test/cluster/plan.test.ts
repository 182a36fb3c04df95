/** Cluster manifests: what is planned, and refusals with file, line and field. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { planCluster, type ClusterHost, type ClusterPlan } from '../../src/cluster/index.ts';
import { parseClusterText } from '../../src/manifest/live/cluster-file.ts';
import { clusterJsonSchema } from '../../src/manifest/live/cluster-schema.ts';
import { encodeManifest } from '../../src/manifest/index.ts';
import { complaint, FakeHost } from '../manifest/helpers.ts';

class FakeClusterHost extends FakeHost implements ClusterHost {
  readonly processors = 2;

  isDirectory(path: string): boolean {
    return this.file(path)?.kind === 'directory';
  }

  override file(path: string): ReturnType<FakeHost['file']> {
    return path.startsWith('/w/parts/') ? { kind: 'file', size: 5, canRead: true, canWrite: true } : super.file(path);
  }

  matches(pattern: string): readonly string[] | undefined {
    if (pattern.startsWith('/w/gone/')) return undefined;
    return pattern === '/w/parts/part-*.txt' ? ['/w/parts/part-a.txt', '/w/parts/part-b.txt', '/w/parts/part-c.txt'] : [];
  }
}

function plan(text: string, options: { readonly processes?: number } = {}): ClusterPlan {
  return planCluster(parseClusterText(`version: 1\n${text}`, '/w/job.yaml'), new FakeClusterHost(), options);
}

const pairs = (text: string): string => plan(text).links.map((link) => `${link.from}>${link.to}`).join(' ');
const two = (channel: string, counts = '2, 3'): string => {
  const [a, b] = counts.split(', ');
  return `groups:\n  a: { program: p, count: ${a} }\n  b: { program: p, count: ${b} }\nchannels:\n  - ${channel}`;
};

describe('channels between groups', () => {
  it.each<[string, string, string]>([
    ['all to all of two groups', two('{ from: a, to: b }'), 'a-0>b-0 a-0>b-1 a-0>b-2 a-1>b-0 a-1>b-1 a-1>b-2'],
    ['all to all of one group leaves out the node itself', two('{ from: a, to: a }'), 'a-0>a-1 a-1>a-0'],
    ['one to one', two('{ from: a, to: b, pattern: one-to-one }', '2, 2'), 'a-0>b-0 a-1>b-1'],
    ['fan in', two('{ from: b, to: a, pattern: fan-in }', '1, 3'), 'b-0>a-0 b-1>a-0 b-2>a-0'],
    ['fan out', two('{ from: a, to: b, pattern: fan-out }', '1, 2'), 'a-0>b-0 a-0>b-1'],
    ['a ring', two('{ from: b, to: b, pattern: ring }'), 'b-0>b-1 b-1>b-2 b-2>b-0'],
    ['of a topic', two('{ from: a, to: b, pattern: publish, name: news }', '1, 2'), 'a-0>b-0 a-0>b-1'],
    ['to itself', two('{ from: a, to: a, pattern: self }'), 'a-0>a-0 a-1>a-1'],
  ])('%s', (_name, text, expected) => expect(pairs(text)).toBe(expected));

  it('are found by the guest under the name of the peer, in both directions', () => {
    const { nodes } = plan(two('{ from: a, to: b }\n  - { from: b, to: a, name: reply, messages: true }', '1, 1'));
    const [a] = nodes;
    expect(a!.manifest.channels.map((channel) => channel.path)).toEqual(['/dev/stdin', '/dev/stdout', '/dev/stderr', '/dev/in/reply.b-0', '/dev/out/b-0']);
    expect(a!.manifest.channels.find((channel) => channel.name === 'in/reply.b-0')).toMatchObject({ live: true, reads: true, access: 'sequential' });
    expect(a!.bindings.channels.get('out/b-0')).toEqual({ kind: 'peer', link: 0, peer: 'b-0' });
  });
});

describe('placement', () => {
  const text = (placement: string): string => `hosts: { east: 10.0.0.2, west: "10.0.0.3:7500" }\ngroups:\n  a: { program: p, count: 4, placement: ${placement} }\n  b: { program: p }\nchannels: [{ from: a, to: b }]`;

  it('gives the nodes of a group to its hosts in turn, with processes for each host, over encrypted tcp', () => {
    const { nodes, hosts, processHosts, transport, isEncrypted } = plan(text('[west, local, east]'));
    expect(nodes.map(({ name, host, process }) => `${name} ${host ?? 'local'} ${process}`)).toEqual(['a-0 west 3', 'a-1 local 0', 'a-2 east 2', 'a-3 west 4', 'b-0 local 1']);
    expect(processHosts).toEqual([undefined, undefined, 'east', 'west', 'west']);
    expect([hosts, transport, isEncrypted]).toEqual([[{ name: 'east', address: '10.0.0.2', port: 7410 }, { name: 'west', address: '10.0.0.3', port: 7500 }], 'tcp', true]);
  });

  it('is not part of a node: run manifests are the same on one host', () => {
    const manifests = (placement: string): string => plan(text(placement)).nodes.map(({ manifest }) => Buffer.from(encodeManifest(manifest)).toString('hex')).join();
    expect(manifests('[west, east]')).toBe(manifests('local'));
    expect(plan(text('local')).hosts).toEqual([]);
  });

  it('of an unknown host says which there are', () => {
    expect(() => plan(text('north'))).toThrow('there is no host north; there are local, east, west');
    expect(() => plan('groups: { a: { program: p, placement: north } }')).toThrow('there is no host north; there is only local, others are named under hosts');
  });
});

describe('topics and quotas', () => {
  it('a topic is one channel of its publisher and one for each publisher at its readers', () => {
    const { nodes, links } = plan(`${two('{ from: a, to: b, pattern: publish, name: news, messages: true }', '2, 1')}\n  - { from: a, to: b, pattern: publish, name: odds, messages: true, slow: cut }`);
    const paths = (index: number): readonly string[] => nodes[index]!.manifest.channels.slice(3).map(({ path }) => path);
    expect([paths(0), paths(1)]).toEqual([['/dev/out/news', '/dev/out/odds'], ['/dev/out/news', '/dev/out/odds']]);
    expect(paths(2)).toEqual(['/dev/in/news.a-0', '/dev/in/news.a-1', '/dev/in/odds.a-0', '/dev/in/odds.a-1']);
    expect(links.map(({ from, fromChannel, cutsSlow }) => `${from} ${fromChannel} ${cutsSlow}`)).toEqual(['a-0 out/news false', 'a-1 out/news false', 'a-0 out/odds true', 'a-1 out/odds true']);
    const several = plan('groups:\n  a: { program: p }\n  b: { program: p, count: 2 }\n  c: { program: p }\nchannels:\n  - { from: a, to: b, pattern: publish, name: news }\n  - { from: a, to: c, pattern: publish, name: news }');
    expect(new Set(several.links.map(({ channel }) => channel)).size).toBe(1);
  });

  it('quotas belong to both ends of a channel, to files and to standard streams', () => {
    const { nodes } = plan('groups:\n  a: { program: p, limits: { stdout: { putBytes: 1K } }, files: { log: { append: log } } }\n  b: { program: p }\nchannels:\n  - { from: a, to: b, limits: { puts: 5, getBytes: 2K } }');
    const of = (node: number, name: string): unknown => nodes[node]!.manifest.channels.find((channel) => channel.name === name)!.limits;
    expect(of(0, 'stdout')).toMatchObject({ putBytes: 1024 });
    expect(of(0, 'out/b-0')).toEqual({ gets: null, getBytes: null, puts: 5, putBytes: null });
    expect(of(1, 'in/a-0')).toEqual({ gets: null, getBytes: 2048, puts: null, putBytes: null });
    expect(nodes[0]!.manifest.channels.find(({ name }) => name === 'log')).toMatchObject({ access: 'append', path: '/dev/rw/log' });
  });
});

describe('nodes', () => {
  it('know their own name, place and count', () => {
    const { nodes } = plan('groups:\n  a: { program: p, count: 2, arguments: ["{index}/{count}", "{node}", "{other}"], environment: { X: "n{index}" } }');
    expect(nodes.map(({ manifest }) => manifest.arguments)).toEqual([['a-0', '0/2', 'a-0', '{other}'], ['a-1', '1/2', 'a-1', '{other}']]);
    expect(nodes[1]!.manifest.environment).toEqual(['STILLPOINT_NODE=a-1', 'STILLPOINT_GROUP=a', 'STILLPOINT_INDEX=1', 'STILLPOINT_COUNT=2', 'X=n1']);
  });

  it('come one for each matching file, and the matched text names the output', () => {
    const { nodes } = plan('groups:\n  map:\n    program: p\n    files: { text: { in: parts/part-*.txt }, result: { out: "out-*.txt" } }\n    stdout: log-{match}');
    expect(nodes.map(({ bindings }) => ['text', 'result', 'stdout'].map((name) => (bindings.channels.get(name) as { readonly path: string }).path))).toEqual(
      ['a', 'b', 'c'].map((match) => [`/w/parts/part-${match}.txt`, `/w/out-${match}.txt`, `/w/log-${match}`]));
  });

  it('have the same run manifest whatever the number of processes', () => {
    const bytes = (processes: number): string => plan(two('{ from: a, to: b }'), { processes }).nodes.map((node) => Buffer.from(encodeManifest(node.manifest)).toString('hex')).join();
    expect(bytes(1)).toBe(bytes(5));
    expect(plan(two('{ from: a, to: b }'), { processes: 2 }).nodes.map((node) => node.process)).toEqual([0, 1, 0, 1, 0]);
    expect(plan(`processes: one-per-node\n${two('{ from: a, to: b }')}`).processes).toBe(5);
  });

  it('share what is merged into their groups, from a key for that or from another group', () => {
    const { nodes } = plan('x-common: &common { memory: 16M, environment: { A: b } }\ngroups:\n  a: &a { <<: *common, program: p }\n  b: { <<: *a, memory: 32M, count: 2 }\n  c: { <<: [{ program: q }, *a] }');
    expect(nodes.map(({ name, manifest }) => [name, manifest.memoryBytes >> 20, manifest.programName, manifest.environment.at(-1)])).toEqual([['a-0', 16, 'p', 'A=b'], ['b-0', 32, 'p', 'A=b'], ['b-1', 32, 'p', 'A=b'], ['c-0', 16, 'q', 'A=b']]);
  });

  it('have different seeds unless one is given', () => {
    const seeds = (entropy: string): unknown[] => plan(`groups:\n  a: { program: p, count: 2${entropy} }`).nodes.map((node) => node.manifest.entropy);
    expect(seeds('')).toEqual([{ kind: 'seed', seed: 0n }, { kind: 'seed', seed: 1n }]);
    expect(seeds(', entropy: "seed:7"')).toEqual([{ kind: 'seed', seed: 7n }, { kind: 'seed', seed: 7n }]);
  });
});

describe('refusals name file, line and field', () => {
  it.each<[string, string, RegExp]>([
    ['no group', 'groups: {}', /job\.yaml:2: groups: there is no group/],
    ['an unknown key', 'groups:\n  a: { program: p, cout: 2 }', /job\.yaml:3: groups\.a\.cout: is not a known key/],
    ['an unknown key in place of one that must be there', 'groups:\n  a: { porgram: p }', /job\.yaml:3: groups\.a\.porgram: is not a known key/],
    ['a size in words', 'groups:\n  a: { program: p, memory: 20Q }', /job\.yaml:3: groups\.a\.memory: is no size: 4096, 64M, 4G/],
    ['no program', 'groups:\n  a: { count: 2 }', /job\.yaml:3: groups\.a\.program: is missing/],
    ['a group that is not there', two('{ from: a, to: c }'), /job\.yaml:6: channels\.0\.to: there is no group c; there are a, b/],
    ['one to one of unequal groups', two('{ from: a, to: b, pattern: one-to-one }'), /job\.yaml:6: channels\.0: one-to-one wants groups of one size; a has 2 nodes, b has 3/],
    ['fan in to several', two('{ from: a, to: b, pattern: fan-in }'), /channels\.0: fan-in leads to one node; b has 3/],
    ['fan out of several', two('{ from: a, to: b, pattern: fan-out }'), /channels\.0: fan-out comes from one node; a has 2/],
    ['a ring of two groups', two('{ from: a, to: b, pattern: ring }'), /channels\.0: the pattern ring joins nodes of one group/],
    ['an unknown pattern', two('{ from: a, to: b, pattern: star }'), /job\.yaml:6: channels\.0\.pattern/],
    ['two channels of one name', two('{ from: a, to: b }\n  - { from: a, to: b }'), /channels: node a-0 has two channels \/dev\/out\/b-0; give one of them another name/],
    ['a file with the path of a channel', `${two('{ from: a, to: b }').replace(/(b: \{ program: p)/, '$1, files: { a-0: { in: parts/part-a.txt } }')}`, /job\.yaml:4: groups\.b\.files\.a-0: node b-0 has a channel to or from another node at \/dev\/in\/a-0; give the file another name/],
    ['a buffer that is too small', two('{ from: a, to: b, buffer: 1K }'), /channels\.0\.buffer: a buffer has from 64K to 64M/],
    ['a topic without a name', two('{ from: a, to: b, pattern: publish }'), /channels\.0: the pattern publish wants a name/],
    ['a topic twice for one reader', two('{ from: a, to: b, pattern: publish, name: t }\n  - { from: a, to: b, pattern: publish, name: t }'), /node b-0 has two channels \/dev\/in\/t\.a-0/],
    ['slow readers of a stream that are cut off', two('{ from: a, to: b, slow: cut }'), /channels\.0\.slow: a slow reader can be cut off between messages only/],
    ['a count of none', 'groups:\n  a: { program: p, count: 0 }', /job\.yaml:3: groups\.a\.count/],
    ['a count against the files', 'groups:\n  a: { program: p, count: 2, files: { t: { in: "parts/part-*.txt" } } }', /groups\.a\.count: 2 nodes are asked for, 3 files match/],
    ['no match', 'groups:\n  a: { program: p, files: { t: { in: "none-*" } } }', /groups\.a\.files\.t: no file matches/],
    ['a wildcard in an output alone', 'groups:\n  a: { program: p, files: { t: { out: "o-*" } } }', /groups\.a\.files\.t: a \* needs an in/],
    ['two wildcards', 'groups:\n  a: { program: p, files: { t: { in: "a-*-*" } } }', /groups\.a\.files\.t: there can be one \*/],
    ['two nodes that write one file', 'groups:\n  a: { program: p, count: 2, files: { t: { out: o } } }', /nodes a-0 and a-1 cannot both have the file \/w\/o/],
    ['a bad group name', 'groups:\n  "a b": { program: p }', /groups\.a b: 'a b' is not a group name/],
    ['a bad cluster name', 'name: "x.y"\ngroups:\n  a: { program: p }', /job\.yaml:2: name: 'x\.y' is not a cluster name/],
    ['a bad size', 'groups:\n  a: { program: p, memory: lots }', /job\.yaml:3: groups\.a\.memory/],
    ['more memory than an address space', 'groups:\n  a: { program: p }\n  b: { program: p, memory: 8G }', /job\.yaml:4: groups\.b\.memory: '8G' must be from 2M to 4079M/],
    ['arguments that are too long', `groups:\n  a: { program: p, arguments: [${'x'.repeat(3_000_000)}] }`, /job\.yaml:3: groups\.a\.arguments: must have at most/],
    ['a bad clock', 'groups:\n  a: { program: p, clock: noon }', /job\.yaml:3: groups\.a\.clock: 'noon' is not a clock/],
    ['replicas that read the host\'s clock', 'groups:\n  a: { program: p, replicas: 3, clock: recorded }', /job\.yaml:3: groups\.a\.clock: replicas that read the host's clock differ/],
    ['replicas with random numbers of the host', 'groups:\n  a: { program: p, replicas: 3, entropy: recorded }', /job\.yaml:3: groups\.a\.entropy: replicas that read the host's entropy differ/],
    ['tcp without encryption', `transport: tcp\nencrypt: false\n${two('{ from: a, to: b }')}`, /job\.yaml:3: encrypt: tcp is always encrypted; say transport: ipc, or leave encrypt out/],
    ['other hosts without encryption', 'encrypt: false\nhosts: { east: 10.0.0.2 }\ngroups:\n  a: { program: p, placement: east }', /job\.yaml:2: encrypt: tcp is always encrypted, and what goes to other hosts is tcp/],
    ['a variable with a =', 'groups:\n  a: { program: p, environment: { "A=B": c } }', /job\.yaml:3: groups\.a\.environment\.A=B: is no name of a variable/],
    ['a merge of a group that is not complete', 'x-common: &common\n  memory: 16M\n  count: 0\ngroups:\n  a: { <<: *common, program: p }', /job\.yaml:4: groups\.a\.count: /],
    ['a merge of what is no map', 'groups:\n  a: { <<: 7, program: p }', /job\.yaml:3: <<: what is merged is a map, or a list of maps/],
    ['a merge of nothing', 'groups:\n  a: { <<: *common, program: p }', /job\.yaml:3: there is no &common before \*common/],
    ['an alias of what it is in', 'groups: &g\n  a: *g', /job\.yaml:3: \*g is a part of what it stands for/],
    ['a group that objects do not keep', 'groups:\n  a: { program: p }\n  __proto__: { program: p }', /job\.yaml:4: __proto__ cannot be a key/],
    ['a key that would clear a terminal', 'groups:\n  a: { program: p, "b\\e[2J\\nc": 1 }', /job\.yaml:3: groups\.a\.b\\x1b\[2J\\x0ac: is not a known key/],
    ['a tag that nobody knows', 'name: !mine x\ngroups:\n  a: { program: p }', /job\.yaml:2: Unresolved tag: !mine/],
    ['several documents', 'groups:\n  a: { program: p }\n---\nversion: 1', /job\.yaml:4: the file holds several documents, there can be one/],
    ['brackets without end', `groups: ${'['.repeat(100_000)}`, /job\.yaml:2: the file is nested too deep/],
    ['too many nodes', 'groups:\n  a: { program: p, count: 200 }\n  b: { program: p, count: 200 }', /groups: 400 nodes are asked for, at most 256/],
  ])('%s', (_name, text, expected) => {
    const { code, message } = complaint(() => plan(text));
    expect(`${code} ${message}`).toMatch(expected);
    expect(code).toBe('E_MANIFEST');
    expect(message).not.toContain('\n');
  });

  it('a file with nothing in it is empty', () => {
    expect(complaint(() => parseClusterText('# later\n', '/w/job.yaml'))).toMatchObject({ code: 'E_MANIFEST', message: expect.stringMatching(/job\.yaml:1: the file: is empty$/) as string });
  });

  it('a quota of a channel that is not there is a wrong declaration', () => {
    expect(complaint(() => plan('groups:\n  a: { program: p, limits: { x: { puts: 1 } } }'))).toMatchObject({ code: 'E_CHANNEL_DECLARATION', message: expect.stringMatching(/groups\.a\.limits: there is no channel x/) as string });
  });

  it.each<[string, string, string, RegExp]>([
    ['a directory of many files that is not there', '{ program: p, files: { t: { in: "gone/part-*" } } }', 'E_CHANNEL_OPEN', /^\/w\/job\.yaml:3: groups\.a\.files\.t: the directory of \/w\/gone\/part-\* cannot be read$/],
    ['a file among the arguments that is not there', '{ program: p, arguments: ["@gone"] }', 'E_CHANNEL_OPEN', /^\/w\/job\.yaml:3: groups\.a\.arguments: argument @\/w\/gone: channel gone \(\/w\/gone\): there is no such file$/],
    ['a directory as standard output', '{ program: p, stdout: sub }', 'E_CHANNEL_OPEN', /^\/w\/job\.yaml:3: groups\.a\.stdout: \/w\/sub is a directory$/],
    ['a user whom nobody knows', '{ program: p, user: ann }', 'E_USER_UNKNOWN', /^\/w\/job\.yaml:3: groups\.a\.user: "ann" is no user of the machine/],
  ])('%s', (_name, group, code, message) => {
    expect(complaint(() => plan(`groups:\n  a: ${group}`))).toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it('a missing input file is a channel that cannot be opened', () => {
    expect(complaint(() => plan('groups:\n  a: { program: p, files: { t: { in: nothing } } }'))).toMatchObject({ code: 'E_CHANNEL_OPEN' });
  });
});

test('the example of the page is a plan', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/clusters.md'), 'utf8');
  const text = /```yaml\n([^`]+)```/.exec(page)![1]!;
  const { nodes, links } = planCluster(parseClusterText(text, '/w/words.yaml'), new FakeClusterHost());
  expect(nodes.map((node) => node.name)).toEqual(['map-0', 'map-1', 'map-2', 'reduce-0', 'reduce-1']);
  expect(links.length).toBe(6);
});

test('the published JSON Schema is the one in use', () => {
  const path = resolve(import.meta.dirname, '../../docs/formats/cluster.schema.json');
  const text = `${JSON.stringify(clusterJsonSchema(), null, 2)}\n`;
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, text);
  expect(text).toBe(readFileSync(path, 'utf8'));
});

test('replicas have the same run manifest, channels to each other and files of their own', () => {
  const { nodes, links } = plan('groups:\n  a: { program: p, replicas: 3, files: { o: { out: o } } }\n  b: { program: p, replicas: 2 }\nchannels:\n  - { from: a, to: b }');
  expect(nodes.map(({ name, of }) => [name, of])).toEqual([['a-0.r0', 'a-0'], ['a-0.r1', 'a-0'], ['a-0.r2', 'a-0'], ['b-0.r0', 'b-0'], ['b-0.r1', 'b-0']]);
  expect(new Set(nodes.slice(0, 3).map((node) => Buffer.from(encodeManifest(node.manifest)).toString('hex'))).size).toBe(1);
  expect(links.map(({ channel, from, to, toChannel }) => `${channel} ${from}>${to} ${toChannel}`)).toEqual(['r0>b-0.r0', 'r0>b-0.r1', 'r1>b-0.r0', 'r1>b-0.r1', 'r2>b-0.r0', 'r2>b-0.r1'].map((pair) => `0 a-0.${pair} in/a-0`));
  expect(nodes[1]!.bindings.channels.get('o')).toEqual({ kind: 'file', path: '/w/o.r1' });
});
