/** Images below the files of nodes: programs and data out of them, on a first start and after a rollback; changed and missing ones. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ClusterRig, fingerprint } from './rig.ts';

const rig = new ClusterRig();
afterAll(() => { rig.close(); });

beforeAll(() => {
  rig.compile('tool', '#include "peers.h"\nint main(int c, char **v) { char b[4096]; printf("%d:%d\\n", getuid(), getgid()); int in = open("/etc/data", O_RDONLY), out = open("/dev/out/keep-0", O_WRONLY); put(out, b, read(in, b, sizeof b)); put(out, getenv("HOME"), 5); return 0; }\n');
  rig.compile('keep', '#include "peers.h"\nint main(void) { char b[4096]; int in = open("/dev/in/tool-0", O_RDONLY), word = open("/words/data", O_RDONLY), out = open("/dev/out/kept", O_WRONLY); put(out, b, read(in, b, sizeof b)); put(out, b, read(word, b, sizeof b)); return 0; }\n');
  for (const directory of ['image/bin', 'image/etc']) mkdirSync(rig.path(directory), { recursive: true });
  writeFileSync(rig.path('image/bin/tool'), rig.read('build/tool.elf'), { mode: 0o755 });
  rig.write('image/etc/data', 'from the image;');
  rig.write('image/etc/passwd', 'worker:x:77:88::/home/w:/bin/sh\n');
  rig.write('image/etc/group', 'workers:x:88:\n');
  rig.write('images.yaml', `version: 1
groups:
  tool: { program: tool, images: [./image], user: worker, memory: 16M }
  keep: { program: build/keep.elf, images: ["./image/etc:/words"], memory: 16M, files: { kept: { out: build/kept } } }
channels:
  - { from: tool, to: keep }
`);
});

it('programs and data come from the images of their group, again after a rollback', async () => {
  const planned = await rig.stillpoint(['plan', 'images.yaml'], 'planned');
  expect([planned.status, planned.stdout]).toEqual([0, expect.stringMatching(/^tool-0 +0 +tool /m)]);
  const first = await rig.up('images.yaml', ['--processes', '2']);
  expect(rig.read('build/kept').toString()).toBe('from the image;/homefrom the image;');
  expect(rig.read('images.logs/tool-0.out').toString()).toBe('77:88\n');
  expect((await rig.stillpoint(['replay', 'images'], first.store)).status).toBe(0);
  expect((await rig.stillpoint(['rollback', 'images', '--to', '0'], first.store)).status).toBe(0);
  expect((await rig.stillpoint(['up', 'images.yaml', '--resume', '--report', 'report.json'], first.store)).status).toBe(0);
  expect(fingerprint(rig.report())).toBe(fingerprint(first));
  expect((await rig.stillpoint(['rollback', 'images', '--to', '0'], first.store)).status).toBe(0);
  rig.write('image/etc/data', 'something else;');
  expect((await rig.stillpoint(['up', 'images.yaml', '--resume'], first.store)).stderr).toMatch(/E_CLUSTER_CHANGED: run images\.(tool|keep)-0 was started from another manifest/);
  rig.write('image/etc/data', 'from the image;');
});

it('a cluster that keeps nothing has them, too', async () => {
  await rig.up('images.yaml', ['--ephemeral', '--processes', '2']);
  expect(rig.read('build/kept').toString()).toBe('from the image;/homefrom the image;');
});

it('a line of programs has them below each, kept or not', async () => {
  rig.compile('copy-lines', '#include <stdio.h>\n#include <stdlib.h>\nint main(int c, char **v) { int k; while ((k = getchar()) != EOF) putchar(k); FILE *f = fopen("/etc/data", "r"); while ((k = fgetc(f)) != EOF) putchar(k); return 0; }\n');
  writeFileSync(rig.path('image/bin/add'), rig.read('build/copy-lines.elf'), { mode: 0o755 });
  rig.write('text', 'text;');
  for (const name of [[], ['--name', 'kept']]) {
    const { status, stdout, stderr } = await rig.stillpoint(['pipe', ...name, '--no-progress', '--image', './image', '--in', 'text', 'add', '/bin/add'], 'line');
    expect([status, stdout, stderr]).toEqual([0, 'text;from the image;from the image;', '']);
  }
  expect((await rig.stillpoint(['replay', 'kept'], 'line')).status).toBe(0);
  expect((await rig.stillpoint(['pipe', '--image', './image', '--in', 'text', 'nothing'], 'line')).stderr).toMatch(/^stillpoint: E_PROGRAM_NOT_FOUND: node nothing-0 of cluster pipe: .*none of that name in the image$/m);
  expect((await rig.stillpoint(['pipe', '--image', './missing.tar', 'add'], 'line')).stderr).toMatch(/^stillpoint: E_IMAGE_OPEN: there is no image .*missing\.tar$/m);
});

it('a user that the image does not know, and what is no user, is refused', async () => {
  const says = async (user: string): Promise<string> => {
    rig.write('users.yaml', rig.read('images.yaml').toString().replace('user: worker', `user: ${user}`));
    return (await rig.stillpoint(['up', 'users.yaml'], 'users')).stderr;
  };
  expect(await says('nobody')).toMatch(/^stillpoint: E_USER_UNKNOWN: users.yaml:3: groups.tool.user: "nobody" is no user of the machine/);
  expect(await says('"a b"')).toMatch(/^stillpoint: E_MANIFEST: users.yaml:3: groups.tool.user: the user is UID, UID:GID, NAME or NAME:GROUP/);
});

it('an image that is not there is refused before anything is made', async () => {
  rig.write('missing.yaml', rig.read('images.yaml').toString().replace('[./image]', '[./missing.tar]'));
  const { status, stderr } = await rig.stillpoint(['up', 'missing.yaml'], 'missing');
  expect([status, stderr]).toEqual([125, expect.stringMatching(/E_IMAGE_OPEN: .*missing\.tar/)]);
  expect((await rig.stillpoint(['ls'], 'missing')).stderr).toMatch(/E_STORE_OPEN/);
});
