/**
 * What a file or directory of the host looks like: a text that changes when something in it does, as far as inodes tell (number, size, mode, owner,
 * times of content and of inode), without reading a byte of it.
 * Invariant: no fingerprint for what changed in the last two seconds, because the next change might fall into the same tick of the clock.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { imageError } from './file-source.ts';

const RACY_MS = 2000n;
/** Raised when the same bytes would be imported differently. */
const VERSION = 1;

/** Undefined: look at it in full. Throws E_IMAGE_OPEN. */
export function fingerprint(path: string, nowMs: number): string | undefined {
  const hash = createHash('sha256');
  const latest = (BigInt(Math.floor(nowMs)) - RACY_MS) * 1_000_000n;
  let isSettled = true;
  const add = (host: Buffer, facts: fs.BigIntStats): void => {
    if (facts.ctimeNs > latest) isSettled = false;
    hash.update(host).update(`\0${facts.dev} ${facts.ino} ${facts.mode} ${facts.nlink} ${facts.uid} ${facts.gid} ${facts.rdev} ${facts.size} ${facts.mtimeNs} ${facts.ctimeNs}\n`);
  };
  try {
    const root = Buffer.from(path);
    const facts = fs.statSync(root, { bigint: true });
    hash.update(`${VERSION} ${process.getuid?.() ?? 0} ${process.getgid?.() ?? 0}\n`);
    add(root, facts);
    const todo = facts.isDirectory() ? [root] : [];
    for (let next = todo.pop(); next !== undefined && isSettled; next = todo.pop()) {
      for (const name of fs.readdirSync(next, { encoding: 'buffer' }).sort(Buffer.compare)) {
        const host = Buffer.concat([next, Buffer.from('/'), name]);
        const here = fs.lstatSync(host, { bigint: true });
        add(host, here);
        if (here.isDirectory()) todo.push(host);
      }
    }
  } catch (cause) {
    throw imageError(path, cause);
  }
  return isSettled ? hash.digest('hex') : undefined;
}
