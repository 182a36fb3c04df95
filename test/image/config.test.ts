/** What an image says of its program, and who runs it: `run` without a program, with arguments, with options over it; kept by the store, by resume and by replay. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StillpointError } from '../../src/core/index.ts';
import { decodeImageConfig, encodeImageConfig, findUser } from '../../src/image/index.ts';
import { declareRun, decodeManifest, encodeManifest, parseRunOptions, type RunManifest, type RunOptionTexts } from '../../src/manifest/index.ts';
import { NodeHostInspector } from '../../src/manifest/live/host-inspector.ts';
import { openImages, resolveRun } from '../../src/session/index.ts';
import { Bench, complaint } from '../cli/command.ts';
import { Layout } from './layout.ts';
import { codeOf } from './support.ts';

const bench = new Bench();
/** Prints everything that a configuration decides; with `spin` in front it works a while first. */
const SHOW = `
  #include <grp.h>
  #include <stdio.h>
  #include <string.h>
  #include <sys/stat.h>
  #include <unistd.h>
  extern char **environ;
  int main(int n, char **v) {
    char cwd[4096]; gid_t groups[20]; struct stat s;
    volatile unsigned long work = 0;
    if (n > 1 && !strcmp(v[1], "spin")) for (int i = 0; i < 3000000; i++) work += i;
    printf("argv"); for (int i = 0; i < n; i++) printf(" [%s]", v[i]);
    printf("\\nenv"); for (char **e = environ; *e; e++) printf(" [%s]", *e);
    printf("\\ncwd %s\\nids %d:%d %d:%d groups", getcwd(cwd, sizeof cwd), getuid(), getgid(), geteuid(), getegid());
    int count = getgroups(20, groups);
    for (int i = 0; i < count; i++) printf(" %d", groups[i]);
    int ok = stat(".", &s);
    printf("\\nhere %d:%d %o, root's %d, mine %d\\n", s.st_uid, s.st_gid, s.st_mode & 07777, access("/secret", R_OK), access("/var/mine", W_OK) + ok);
    return 5;
  }`;
const CONFIG = { Entrypoint: ['/usr/bin/show', '@first'], Cmd: ['one', 'two words'], Env: ['PATH=/usr/bin', 'MODE=image', 'EMPTY='], User: 'www', WorkingDir: '/srv/app' };

function makeRoot(): string {
  const root = bench.makeDirectory('root');
  for (const name of ['usr/bin', 'etc', 'var']) fs.mkdirSync(`${root}/${name}`, { recursive: true });
  fs.copyFileSync(bench.compile('show', SHOW), `${root}/usr/bin/show`);
  fs.writeFileSync(`${root}/etc/passwd`, 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/var/www:/bin/sh\n#old:x:9:9::/:/bin/sh\nworker:x:70:71::/home/w:/bin/sh\n');
  fs.writeFileSync(`${root}/etc/group`, 'root:x:0:\nwww:x:33:\naudio:x:29:worker,www\nadm:x:4:www\nworkers:x:71:\n');
  fs.writeFileSync(`${root}/secret`, 'x', { mode: 0o600 });
  fs.writeFileSync(`${root}/var/mine`, 'x', { mode: 0o600 });
  fs.chownSync(`${root}/var/mine`, 33, 33);
  return root;
}

function layoutOf(name: string, config: object | undefined): Layout {
  const layout = new Layout(bench.path(name));
  const layer = new Uint8Array(execFileSync('tar', ['-C', bench.path('root'), '-cf', '-', '.'], { maxBuffer: 1 << 28 }));
  layout.index([layout.manifest([layout.add('application/vnd.oci.image.layer.v1.tar', layer)], config)]);
  return layout;
}

/** What `docker save` wrote before it wrote OCI layouts. */
function saveAsDocker(name: string, config: object): void {
  const directory = bench.makeDirectory(`${name}.d`);
  const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const layer = execFileSync('tar', ['-C', bench.path('root'), '-cf', '-', '.'], { maxBuffer: 1 << 28 });
  const document = Buffer.from(JSON.stringify({ architecture: 'riscv64', os: 'linux', config, rootfs: { type: 'layers', diff_ids: [`sha256:${sha(layer)}`] } }));
  const [folder, file] = ['ab'.repeat(32), `${sha(document)}.json`];
  fs.mkdirSync(`${directory}/${folder}`);
  fs.writeFileSync(`${directory}/${folder}/layer.tar`, layer);
  fs.writeFileSync(`${directory}/${folder}/VERSION`, '1.0');
  fs.writeFileSync(`${directory}/${folder}/json`, '{}');
  fs.writeFileSync(`${directory}/${file}`, document);
  fs.writeFileSync(`${directory}/manifest.json`, JSON.stringify([{ Config: file, RepoTags: ['app:1'], Layers: [`${folder}/layer.tar`] }]));
  execFileSync('tar', ['-C', directory, '-cf', bench.path(name), file, folder, 'manifest.json']);
}

beforeAll(() => {
  makeRoot();
  const layout = layoutOf('app', CONFIG);
  execFileSync('tar', ['-C', layout.path, '-cf', bench.path('app.tar'), '.']);
  saveAsDocker('docker.tar', CONFIG);
});
afterAll(() => { fs.rmSync(bench.directory, { recursive: true, force: true }); });

/** The manifest that a run of these images and options would have. */
async function manifestOf(images: readonly string[], options: RunOptionTexts): Promise<RunManifest> {
  const settings = parseRunOptions({ ...options, image: images.map((image) => bench.path(image)), in: [] });
  const opened = await openImages(settings.images, undefined);
  try {
    const resolved = resolveRun({ ...settings, arguments: (settings.arguments ?? []).map((text) => (/^@[a-z]/.test(text) ? `@${bench.path(text.slice(1))}` : text)) }, opened.image);
    const { manifest } = declareRun(resolved.settings, new NodeHostInspector(), resolved.declared);
    expect(decodeManifest(encodeManifest(manifest))).toEqual(manifest);
    return manifest;
  } finally {
    opened.close();
  }
}

function run(options: readonly string[], words: readonly string[] = []): string[] {
  const seen = bench.stillpoint(['run', '--ephemeral', '--no-progress', ...options, ...words]);
  expect([seen.status, seen.stderr]).toEqual([5, '']);
  return seen.stdout.trimEnd().split('\n');
}

const SAID = [
  'argv [/usr/bin/show] [@first] [one] [two words]', 'env [PATH=/usr/bin] [HOME=/var/www] [MODE=image] [EMPTY=]', 'cwd /srv/app', 'ids 33:33 33:33 groups 4 29 33',
  'here 0:0 755, root\'s -1, mine 0',
];

describe('an image with a configuration', () => {
  it('runs what it says, from a directory, an archive, a docker archive and a name alike', () => {
    expect(bench.stillpoint(['image', 'import', 'app', 'app.tar']).status).toBe(0);
    for (const image of ['./app', 'app.tar', 'docker.tar', 'app']) expect(run(['--image', image])).toEqual(SAID);
    const listed = bench.stillpoint(['image', 'ls']).stdout.split('\n')[1];
    expect(listed).toMatch(/ www +\/usr\/bin\/show @first one 'two words' +app\.tar$/);
    expect(JSON.parse(bench.stillpoint(['image', 'ls', '--json']).stdout)).toMatchObject([{ name: 'app', config: { entrypoint: CONFIG.Entrypoint, command: CONFIG.Cmd, user: 'www' } }]);
  });

  it('arguments replace its command, options what else it says', async () => {
    const words = async (options: RunOptionTexts): Promise<readonly string[]> => (await manifestOf(['app.tar'], options)).arguments;
    expect(await words({ program: 'three', arguments: ['@app.tar', '@@four'] })).toEqual(['/usr/bin/show', '@first', 'three', '/dev/in/app.tar', '@four']);
    expect(await words({ entrypoint: 'show' })).toEqual(['show']);
    expect(await words({ entrypoint: 'show', program: 'a' })).toEqual(['show', 'a']);
    expect(await words({ entrypoint: '', program: '/usr/bin/show', arguments: ['b'] })).toEqual(['/usr/bin/show', 'b']);
    const over = await manifestOf(['app.tar'], { env: ['MODE=mine', 'HOME=/h'], cwd: '/usr', user: 'worker' });
    expect(over).toMatchObject({ environment: ['PATH=/usr/bin', 'HOME=/h', 'MODE=mine', 'EMPTY='], workingDirectory: '/usr', user: { uid: 70, gid: 71, groups: [29, 71] }, programPath: '/usr/bin/show' });
    const users: Readonly<Record<string, readonly [number, number, readonly number[]]>> = { 0: [0, 0, [0]], 33: [33, 33, [4, 29, 33]], '33:29': [33, 29, [29]], 500: [500, 0, [0]], '500:600': [500, 600, [600]], 'worker:adm': [70, 4, [4]] };
    for (const [user, [uid, gid, groups]] of Object.entries(users)) expect((await manifestOf(['app.tar'], { user })).user, user).toEqual({ uid, gid, groups });
  });

  it('says root when it names no user, and the uppermost image at the root counts', async () => {
    layoutOf('plain', { Cmd: ['show', '@plain'] });
    const plain = await manifestOf(['./plain'], {});
    expect(plain).toMatchObject({ arguments: ['show', '@plain'], environment: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'], workingDirectory: '/', user: { uid: 0, gid: 0, groups: [0] } });
    expect((await manifestOf(['app.tar', './plain', './app:/mnt'], {})).arguments).toEqual(['show', '@plain']);
    expect(await manifestOf(['./root'], { program: 'show' })).not.toHaveProperty('user');
    expect((await manifestOf(['./root'], { program: 'show', user: 'www' })).environment).toContain('HOME=/var/www');
  });

  it('is in the record: cap, resume, replay, after image and archive are gone', () => {
    fs.copyFileSync(bench.path('app.tar'), bench.path('gone.tar'));
    expect(bench.stillpoint(['run', '--name', 'spun', '--image', 'gone.tar', '--entrypoint', 'show', '--user', '0:5', '--checkpoint-every', '2M', '--max-instructions', '5M', 'spin']).status).toBe(124);
    fs.rmSync(bench.path('gone.tar'));
    const resumed = bench.stillpoint(['resume', 'spun', '--max-instructions', '1G']);
    expect([resumed.status, resumed.stderr]).toEqual([5, '']);
    expect(resumed.stdout).toContain('ids 0:5 0:5 groups 5');
    expect(bench.stillpoint(['replay', 'spun'])).toMatchObject({ status: 0, stderr: '' });
  });

  it('bad wishes are one line with a code', async () => {
    const wrong = async (images: readonly string[], options: RunOptionTexts): Promise<string> => {
      try {
        await manifestOf(images, options);
        return 'none';
      } catch (error) {
        return error instanceof StillpointError ? error.code : String(error);
      }
    };
    const seen = bench.stillpoint(['run', '--ephemeral', '--image', 'app.tar', '--user', 'nobody-here']);
    expect([seen.status, complaint(seen), seen.stderr]).toEqual([125, 'E_USER_UNKNOWN', expect.stringContaining('there is no user nobody-here in /etc/passwd')]);
    expect(await wrong(['app.tar'], { user: '33:nogroup' })).toBe('E_USER_UNKNOWN');
    expect(await wrong([], { program: './root/usr/bin/show', user: '4294967295' })).toBe('E_USER_UNKNOWN');
    for (const user of ['', ':', 'a b', '1:2:3']) expect(await wrong(['app.tar'], { user }), user).toBe('E_USAGE');
    expect(await wrong(['./root'], {})).toBe('E_USAGE');
    layoutOf('silent', {});
    expect(await wrong(['./silent'], {})).toBe('E_USAGE');
    for (const [index, config] of [{ Cmd: 'show' }, { Env: ['=x'] }, { Env: [7] }, { WorkingDir: 'relative' }, { User: ['root'] }, { Entrypoint: ['a\0b'] }].entries()) {
      layoutOf(`odd-${index}`, config);
      expect(await wrong([`./odd-${index}`], {}), JSON.stringify(config)).toBe('E_IMAGE_FORMAT');
    }
    const archive = fs.readFileSync(bench.path('docker.tar'));
    for (const part of ['usr/bin/show', '"Cmd"', '"Layers"', 'diff_ids']) {
      const damaged = Buffer.from(archive);
      damaged[archive.lastIndexOf(part) + 1]! ^= 1;
      fs.writeFileSync(bench.path('damaged.tar'), damaged);
      expect(await wrong(['damaged.tar'], {}), part).toMatch(/^E_IMAGE_(FORMAT|UNSUPPORTED)$/);
    }
  });
});

describe('--user without an image', () => {
  it('is who the program runs as, with rights to match; a name is one of the machine', async () => {
    const program = bench.path('root/usr/bin/show');
    expect(run(['--user', '1234:99'], ['./root/usr/bin/show']).slice(3)).toEqual(['ids 1234:99 1234:99 groups 99', 'here 1234:99 755, root\'s -1, mine -1']);
    expect((await manifestOf([], { program, user: 'nobody' })).user).toEqual({ uid: 65534, gid: 65534, groups: [65534] });
    expect((await manifestOf([], { program, user: 'guest:nogroup' })).user).toEqual({ uid: 1000, gid: 65534, groups: [65534] });
    fs.writeFileSync(bench.path('who.yaml'), 'version: 1\nprogram: root/usr/bin/show\nuser: 42:43\nentrypoint: ""\n');
    expect(run(['--manifest', 'who.yaml'])[3]).toBe('ids 42:43 42:43 groups 43');
  });
});

describe('configurations and users', () => {
  it('a configuration reads as it was written', () => {
    const config = decodeImageConfig(JSON.stringify({ config: { ...CONFIG, Labels: { a: 'b' }, Cmd: null }, other: 1 }), 'test');
    expect(config).toEqual({ entrypoint: CONFIG.Entrypoint, command: [], environment: CONFIG.Env, user: 'www', workingDirectory: '/srv/app' });
    expect(decodeImageConfig(encodeImageConfig(config), 'test')).toEqual(config);
    for (const text of ['', '[', 'null', '7', '{}', '{"config":null}', '{"config":7}']) expect(['none', 'E_IMAGE_FORMAT']).toContain(codeOf(() => decodeImageConfig(text, 'test')));
    const whole = encodeImageConfig(config);
    for (let length = 0; length < whole.length; length++) expect(codeOf(() => decodeImageConfig(whole.slice(0, length), 'test'))).toBe('E_IMAGE_FORMAT');
  });

  it('names and numbers lead where getent leads on this host', () => {
    const accounts = { passwd: fs.readFileSync('/etc/passwd', 'utf8'), group: fs.readFileSync('/etc/group', 'utf8') };
    for (const line of accounts.passwd.trimEnd().split('\n')) {
      const [name = '', , uid, gid, , home] = line.split(':');
      const found = findUser(name, accounts);
      expect(found).toMatchObject({ uid: Number(uid), gid: Number(gid), home: home === '' ? '/' : home });
      expect(found.groups).toEqual(execFileSync('id', ['-G', name], { encoding: 'utf8' }).trim().split(' ').map(Number).sort((a, b) => a - b));
    }
  });
});
