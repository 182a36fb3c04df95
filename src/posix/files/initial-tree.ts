/**
 * The tree that a guest finds. The guest runs as an ordinary user, `guest` (1000:1000) or who `--user` says, so that permissions mean what they mean on
 * Linux; all directories but /root, /proc and /dev belong to that user, like the tmpfs of a rootless container. /tmp and /var/tmp are 1777.
 *
 *   /bin /dev /etc /home/guest /proc /root /run /sys /tmp /usr /usr/bin /var /var/tmp
 *   /sys: devices/system/cpu with the one processor, and nothing else
 *   /dev: null zero full random urandom tty ptmx, pts/ (pseudo-terminals), fd -> /proc/self/fd, stdin stdout stderr -> /proc/self/fd/0 1 2, in/ out/ rw/ (channels), shm/
 *
 * Over an image, what the image has stays as it is and only what is missing is made; but /dev and /proc are always the machine's own.
 *
 * A standard stream's channel has a node without a name: /dev/stdin leads to descriptor 0 as on Linux, which starts as that channel.
 */
import { assert } from '../../core/index.ts';
import { O, S_IF } from './flags.ts';
import type { FileChannel } from './channel.ts';
import type { FileSystem } from './file-system.ts';
import { DEVICES, isDeviceName, type DirectoryInode, type Inode } from './inode.ts';
import type { Credentials } from './permission.ts';
import { mountInfoText, mountsText, FILESYSTEMS_TEXT } from './statfs.ts';
import type { OpenFile } from '../open-file.ts';

const ROOT: Credentials = { uid: 0, gid: 0 };
const STANDARD = ['stdin', 'stdout', 'stderr'] as const;

/** /etc/passwd and /etc/group where no image brings its own. */
export const ACCOUNTS = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000:guest:/home/guest:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n',
  group: 'root:x:0:\nguest:x:1000:\nnogroup:x:65534:\n',
} as const;

const TEXTS: readonly (readonly [string, string])[] = [
  ['passwd', ACCOUNTS.passwd],
  ['group', ACCOUNTS.group],
  ['hostname', 'stillpoint\n'],
  ['hosts', '127.0.0.1\tlocalhost stillpoint\n'],
];

/** Fills a new file system. Channels are in the order of their declaration. Call it once, before the first process. */
export function makeInitialTree(files: FileSystem, { channels, user }: { readonly channels: readonly FileChannel['spec'][]; readonly user: Credentials }): void {
  const mine = { credentials: user, mode: 0o755 };
  /** Undefined when the image has something else there, such as a link. */
  const directory = (parent: DirectoryInode | undefined, name: string, owner = mine): DirectoryInode | undefined => {
    const there = parent?.entries.get(name)?.inode;
    if (there !== undefined || parent === undefined) return there?.kind === 'directory' ? there : undefined;
    return files.makeDirectory(parent, name, owner);
  };
  if (files.image === undefined) Object.assign(files.root, { uid: user.uid, gid: user.gid });
  directory(files.root, 'bin');
  hide(files, 'dev');
  makeDevices(files, { channels, user });
  const etc = directory(files.root, 'etc');
  for (const [name, text] of TEXTS) makeTextFile(files, etc, { name, text, user });
  directory(directory(files.root, 'home'), 'guest');
  hide(files, 'proc');
  files.addProc();
  registerStaticFiles(files);
  directory(files.root, 'root', { credentials: ROOT, mode: 0o700 });
  directory(files.root, 'run');
  makeSystem(files);
  directory(files.root, 'tmp', { credentials: user, mode: 0o1777 });
  directory(directory(files.root, 'usr'), 'bin');
  directory(directory(files.root, 'var'), 'tmp', { credentials: user, mode: 0o1777 });
}

/** The processors as /sys tells of them. An image's own /sys does not show, as its /proc does not. */
function makeSystem(files: FileSystem): void {
  hide(files, 'sys');
  const owner = { credentials: ROOT, mode: 0o555 };
  const cpu = ['sys', 'devices', 'system', 'cpu'].reduce((parent, name) => files.makeDirectory(parent, name, owner), files.root);
  files.makeDirectory(cpu, 'cpu0', owner);
  for (const [name, text] of [['kernel_max', '0\n'], ['offline', '\n'], ['online', '0\n'], ['possible', '0\n'], ['present', '0\n']] as const) {
    const inode = files.makeFile({ credentials: ROOT, mode: 0o444 });
    files.attach(cpu, name, inode);
    inode.content.writeAt(0, new TextEncoder().encode(text));
  }
}

/** The files of /proc that need only the file system. Also called for a restored one: providers are no state. */
export function registerStaticFiles(files: FileSystem): void {
  const encoder = new TextEncoder();
  files.registerProvider('/proc/filesystems', () => encoder.encode(FILESYSTEMS_TEXT));
  files.registerProvider('/proc/[pid]/mounts', () => encoder.encode(mountsText()));
  files.registerProvider('/proc/[pid]/mountinfo', () => encoder.encode(mountInfoText()));
  files.registerLink('/proc/mounts', () => 'self/mounts');
}

/** Takes a name of the image out of the root: something of the machine comes in its place. */
function hide(files: FileSystem, name: string): void {
  const there = files.root.entries.get(name)?.inode;
  files.root.entries.delete(name);
  if (there?.kind === 'directory') files.root.nlink--;
}

function makeTextFile(files: FileSystem, directory: DirectoryInode | undefined, file: { readonly name: string; readonly text: string; readonly user: Credentials }): void {
  if (directory === undefined || directory.entries.has(file.name)) return;
  const inode = files.makeFile({ credentials: file.user, mode: 0o644 });
  files.attach(directory, file.name, inode);
  inode.content.writeAt(0, new TextEncoder().encode(file.text));
}

function makeDevices(files: FileSystem, { channels, user }: { readonly channels: readonly FileChannel['spec'][]; readonly user: Credentials }): void {
  const owner = { credentials: ROOT, mode: 0o755 };
  const dev = files.makeDirectory(files.root, 'dev', owner);
  for (const name of Object.keys(DEVICES)) {
    assert(isDeviceName(name), 'the table holds devices');
    files.attach(dev, name, files.makeDevice(name, { credentials: ROOT, mode: 0o666 }));
  }
  const link = (name: string, target: string) => files.attach(dev, name, files.makeSymlink(target, owner));
  link('fd', '/proc/self/fd');
  STANDARD.forEach((name, number) => link(name, `/proc/self/fd/${number}`));
  for (const name of ['in', 'out', 'rw']) files.makeDirectory(dev, name, owner);
  files.makeDirectory(dev, 'shm', { credentials: ROOT, mode: 0o1777 });
  files.makeDirectory(dev, 'pts', owner);
  for (const spec of channels) makeChannelNode(files, dev, { spec, user });
}

function makeChannelNode(files: FileSystem, dev: DirectoryInode, { spec, user }: { readonly spec: FileChannel['spec']; readonly user: Credentials }): void {
  const type = spec.seenAs === 'file' ? S_IF.file : spec.seenAs === 'pipe' ? S_IF.fifo : S_IF.character;
  const mode = (spec.reads ? 0o400 : 0) | (spec.writes ? 0o200 : 0);
  const inode = files.makeChannel(spec.name, type, { credentials: user, mode });
  const parts = spec.path.split('/').slice(1);
  const name = parts.pop();
  assert(parts[0] === 'dev' && name !== undefined, 'a channel is found under /dev');
  if (parts.length === 1 && dev.entries.has(name)) {
    inode.nlink = 1; // A standard stream: no name of its own, but as long-lived as the machine.
    return;
  }
  let directory = dev;
  for (const part of parts.slice(1)) {
    const next = directory.entries.get(part)?.inode ?? files.makeDirectory(directory, part, { credentials: ROOT, mode: 0o755 });
    assert(next.kind === 'directory', 'a channel lies in a directory');
    directory = next;
  }
  files.attach(directory, name, inode);
}

/** The node of a channel, named or not. */
export function channelNode(files: FileSystem, name: string): Inode | undefined {
  for (const inode of files.inodes.values()) if (inode.kind === 'channel' && inode.channel === name) return inode;
  return undefined;
}

/** Opens a channel for the start of a process (descriptors 0, 1, 2); the caller installs it. Undefined when it was not declared. */
export function openChannel(files: FileSystem, name: string): OpenFile | undefined {
  const inode = channelNode(files, name);
  if (inode === undefined || inode.kind !== 'channel') return undefined;
  const { spec } = files.channelOf(inode);
  const flags = spec.reads && spec.writes ? O.RDWR : spec.writes ? O.WRONLY : O.RDONLY;
  return files.open(inode, flags, spec.path);
}
