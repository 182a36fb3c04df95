/** Manifest files: the same settings as options give, and refusals with file, line and field (scenario 2). */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { declareRun, parseRunOptions } from '../../src/manifest/index.ts';
import { NodeHostInspector } from '../../src/manifest/live/host-inspector.ts';
import { parseManifestText, readManifestFile } from '../../src/manifest/live/manifest-file.ts';
import { manifestJsonSchema } from '../../src/manifest/live/manifest-schema.ts';
import { complaint, FakeHost } from './helpers.ts';

const directory = mkdtempSync(join(tmpdir(), 'stillpoint-manifest-'));
afterAll(() => rmSync(directory, { recursive: true }));

const WHOLE = `# A comment.
version: 1
program: prog
arguments: ["-n", "@data.txt", "@@x", "@"]
environment: { LANG: C, A: "b=c" }
workingDirectory: /tmp
memory: 64M
maxInstructions: 500M
clock: virtual:5
entropy: seed:7
stdin:
  live: true
  limits: { gets: 3 }
channels:
  more: { in: more.txt, limits: { getBytes: 1K } }
  result: { out: new.txt }
  log: { append: new.log }
  base: { rw: new.db }
checkpointEvery: 10s
keepCheckpoints: last=5,daily=7
store: st
name: n1
engine: interpret
report: r.json
`;

test('a file gives the same manifest and bindings as the options', () => {
  const settings = parseManifestText(WHOLE, '/w/job.yaml');
  const options = parseRunOptions({
    program: '/w/prog', arguments: ['-n', '@/w/data.txt', '@@x', '@'], env: ['LANG=C', 'A=b=c'], cwd: '/tmp', memory: '64M', maxInstructions: '500M', clock: 'virtual:5', entropy: 'seed:7', live: ['stdin'],
    limit: ['stdin:gets=3', 'more:get-bytes=1K'], in: ['more=/w/more.txt'], out: ['result=/w/new.txt'], append: ['log=/w/new.log'], rw: ['base=/w/new.db'],
    checkpointEvery: '10s', keepCheckpoints: 'last=5,daily=7', store: '/w/st', name: 'n1', engine: 'interpret', report: '/w/r.json',
  });
  expect(declareRun(settings, new FakeHost())).toEqual(declareRun(options, new FakeHost()));
  expect(settings.host).toEqual(options.host);
});

test('JSON says the same as YAML', () => {
  const json = JSON.stringify({ version: 1, program: 'p', memory: 67108864, channels: { more: { in: 'more.txt' } } }, null, '\t');
  const text = 'version: 1\nprogram: p\nmemory: 64M\nchannels: { more: { in: more.txt } }\n';
  expect(declareRun(parseManifestText(json, '/w/job.json'), new FakeHost())).toEqual(declareRun(parseManifestText(text, '/w/job.yaml'), new FakeHost()));
});

test('the smallest file says nothing', () => {
  expect(parseManifestText('version: 1', 'job.yaml')).toEqual({ environment: [], channels: [], live: [], limits: [], images: [], host: {} });
});

/** Rule, text after `version: 1`, and how the message goes on after the name of the file. */
const REFUSED: readonly (readonly [rule: string, text: string, message: string])[] = [
  ['an unknown key', 'version: 1\nmemroy: 64M', ':2: memroy: is not a known key; did you mean memory?'],
  ['an unknown key in a channel', 'version: 1\nchannels:\n  a:\n    in: x\n    modus: r', ':5: channels.a.modus: is not a known key'],
  ['an unknown key in limits', 'version: 1\nstdin:\n  limits:\n    reads: 3', ':4: stdin.limits.reads: is not a known key'],
  ['a key twice', 'version: 1\nmemory: 1M\nmemory: 2M', ':3: Map keys must be unique'],
  ['no version', 'program: x', ':1: version: is missing'],
  ['a later version', '# one\nversion: 2', ':2: version: must be 1, not 2'],
  ['a version as text', 'version: "1"', ':1: version: must be 1, not "1"'],
  ['too little memory', 'version: 1\nprogram: p\nmemory: 1M', ":3: memory: '1M' must be from 2M"],
  ['a size that is none', 'version: 1\nprogram: p\nmemory: 12Q', ':3: memory: '],
  ['a size with an octal look', 'version: 1\nmemory: "010"', ':2: memory: \'010\' is not a size'],
  ['a negative size', 'version: 1\nmemory: -5', ':2: memory: must be at least 0, not -5'],
  ['a fraction', 'version: 1\nmaxInstructions: 1.5', ':2: maxInstructions: must be a whole number or a text, not 1.5'],
  ['a clock that is none', 'version: 1\nclock: real', ':2: clock: \'real\' is not a clock'],
  ['a seed that is none', 'version: 1\nentropy: seed:x', ':2: entropy: '],
  ['arguments that are no list', 'version: 1\narguments: -n', ':2: arguments: must be a list, not "-n"'],
  ['an argument that is a number', 'version: 1\narguments:\n  - a\n  - 5', ':4: arguments.1: must be a text, not 5'],
  ['a variable that is a number', 'version: 1\nenvironment:\n  A: b\n  N: 5', ':4: environment.N: '],
  ['a channel without a file', 'version: 1\nchannels:\n  a: { live: true }', ':3: channels.a.in: is missing'],
  ['a channel of two kinds', 'version: 1\nchannels:\n  a: { in: x, out: y }', ':3: channels.a.out: is not possible beside the other keys'],
  ['a channel that is text', 'version: 1\nchannels:\n  a: x', ':3: channels.a: must be a map, not "x"'],
  ['a channel with a bad name', 'version: 1\nchannels:\n  "a/b": { in: x }', ':3: channels.a/b: '],
  ['a limit that is none', 'version: 1\nchannels:\n  a:\n    in: x\n    limits:\n      gets: many', ':6: channels.a.limits.gets: '],
  ['an interval that is none', 'version: 1\ncheckpointEvery: often', ':2: checkpointEvery: '],
  ['an engine that is none', 'version: 1\nengine: jit', ':2: engine: must be one of translate, wasm, interpret, not "jit"'],
  ['an engine that is misspelt', 'version: 1\nengine: interpert', ':2: engine: must be one of translate, wasm, interpret, not "interpert"; did you mean interpret?'],
  ['a relative working directory', 'version: 1\nworkingDirectory: x', ':2: workingDirectory: '],
  ['broken YAML', 'version: 1\nprogram: "x', ':2: '],
  ['broken JSON', '{ "version": 1, }}', ':1: '],
  ['a list', '- version: 1', ':1: the file: must be a map, not a list'],
  ['an empty file', '', ':1: the file: is empty'],
  ['two documents', 'version: 1\n---\nversion: 1', ':2: '],
  ['an alias that is not there', 'version: 1\nname: *x', ':'],
  ['a name that is a number', 'version: 1\nname: 5', ':2: name: must be a text, not 5'],
  ['a switch that is a number', 'version: 1\nephemeral: 1', ':2: ephemeral: must be true or false, not 1'],
  ['an empty text', 'version: 1\nprogram: ""', ':2: program: must not be empty'],
];

describe('refused with file, line and field, on one line', () => {
  for (const [rule, text, message] of REFUSED) {
    test(rule, () => {
      const found = complaint(() => parseManifestText(text, 'job.yaml'));
      expect(found.code).toBe('E_MANIFEST');
      expect(found.message.startsWith(`job.yaml${message}`), found.message).toBe(true);
      expect(found.message).not.toContain('\n');
    });
  }
  test('an alias bomb is refused at once', () => {
    const bomb = ['version: 1', 'a0: &a0 [x,x,x,x,x,x,x,x,x,x]', ...Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(10).fill(`*a${n}`).join(',')}]`)].join('\n');
    expect(complaint(() => parseManifestText(bomb, 'job.yaml')).code).toBe('E_MANIFEST');
  });
  test('every truncation and some damage gives a code or settings, never a crash', () => {
    for (let length = 0; length < WHOLE.length; length += 3) expect(['none', 'E_MANIFEST']).toContain(complaint(() => parseManifestText(WHOLE.slice(0, length), 'job.yaml')).code);
    for (let index = 0; index < WHOLE.length; index += 5) for (const mark of ['{', '"', ':', '\0', '&', '!']) {
      expect(['none', 'E_MANIFEST']).toContain(complaint(() => parseManifestText(WHOLE.slice(0, index) + mark + WHOLE.slice(index + 1), 'job.yaml')).code);
    }
  });
});

describe('files on the host', () => {
  test('a named pipe is read when somebody writes to it, and is no wait when nobody does', () => {
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect(complaint(() => readManifestFile(pipe)).message).toBe(`${pipe}: it is a pipe that nobody writes to`);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK); // What is written stays.
    execFileSync('sh', ['-c', 'printf "version: 1\nname: piped\n" > "$0"', pipe]);
    expect(readManifestFile(pipe).host.name).toBe('piped');
    closeSync(reader);
    expect(complaint(() => readManifestFile('/dev/zero')).message).toBe('/dev/zero: the file has more than 1048576 bytes');
  });
  test('missing, a directory, not text, too large', () => {
    const latin = join(directory, 'latin.yaml');
    writeFileSync(latin, Buffer.from([0x76, 0xe4]));
    const large = join(directory, 'large.yaml');
    writeFileSync(large, '#'.repeat(2 ** 20 + 1));
    for (const path of [join(directory, 'none.yaml'), directory, latin, large]) expect(complaint(() => readManifestFile(path))).toMatchObject({ code: 'E_MANIFEST', message: expect.stringContaining(path) });
  });

  test('a refused run creates nothing', () => {
    const path = join(directory, 'job.yaml');
    writeFileSync(path, 'version: 1\nprogram: p\nchannels: { o: { out: out.txt }, d: { in: missing.txt } }\n');
    expect(complaint(() => declareRun(readManifestFile(path), new NodeHostInspector(directory))).code).toBe('E_CHANNEL_OPEN');
    expect(existsSync(join(directory, 'out.txt'))).toBe(false);
  });

  test('an output in no directory is named with line, field and reason', () => {
    const path = join(directory, 'nowhere.yaml');
    for (const [file, why] of [['no/out.txt', 'its directory is not there'], ['nowhere.yaml/out.txt', 'what should be its directory is none']] as const) {
      writeFileSync(path, `version: 1\nprogram: p\nchannels:\n  o: { out: ${file} }\n`);
      const { code, message } = complaint(() => declareRun(readManifestFile(path), new NodeHostInspector(directory)));
      expect([code, message]).toEqual(['E_CHANNEL_OPEN', expect.stringMatching(new RegExp(`nowhere\\.yaml:4: channels\\.o: channel o \\(.*${file}\\): ${why}$`))]);
    }
  });
});

test('the example of the page is a manifest', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/formats/manifest.md'), 'utf8');
  const settings = parseManifestText(/```yaml\n([^`]+)```/.exec(page)![1]!, '/w/job.yaml');
  expect(settings).toMatchObject({ program: '/w/sort', memoryBytes: 2 ** 26, arguments: ['-n', '@/w/numbers.txt'] });
  expect(settings.channels.map((channel) => [channel.name, channel.kind])).toEqual([['result', 'out'], ['log', 'append']]);
});

test('the published JSON Schema is the one in use', () => {
  const path = resolve(import.meta.dirname, '../../docs/formats/manifest.schema.json');
  const text = `${JSON.stringify(manifestJsonSchema(), null, 2)}\n`;
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, text);
  expect(text).toBe(readFileSync(path, 'utf8'));
});
