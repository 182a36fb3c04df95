/**
 * What a file or directory of the host looks like: a text that changes when something in it does, as far as inodes tell (number, size, mode, owner,
 * times of content and of inode), without reading a byte of it.
 * Invariant: no fingerprint for what changed in the last two seconds, because the next change might fall into the same tick of the clock.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { imageError } from './file-source.ts';
import { namesIn, pathBelow, type HostPath } from './host-tree.ts';

const RACY_MS = 2000n;
/** Raised when the same bytes would be imported differently. */
const VERSION = 2;
const FACTS = 10;

/** Undefined: look at it in full. Throws E_IMAGE_OPEN. */
export function fingerprint(path: string, nowMs: number): string | undefined {
  const hash = createHash('sha256');
  const latest = (BigInt(Math.floor(nowMs)) - RACY_MS) * 1_000_000n;
  try {
    const facts = fs.statSync(path, { bigint: true });
    if (facts.ctimeNs > latest) return undefined;
    const numbers = new BigUint64Array(FACTS);
    put(numbers, 0, facts);
    hash.update(`${VERSION} ${process.getuid?.() ?? 0} ${process.getgid?.() ?? 0} ${path}\0`).update(numbers);
    const todo: HostPath[] = facts.isDirectory() ? [path] : [];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const names = namesIn(next).sort();
      const inside = new BigUint64Array(names.length * FACTS);
      for (const [index, name] of names.entries()) {
        const host = pathBelow(next, name);
        const here = fs.lstatSync(host, { bigint: true });
        if (here.ctimeNs > latest) return undefined;
        put(inside, index * FACTS, here);
        if (here.isDirectory()) todo.push(host);
      }
      hash.update(`${names.length} ${names.join('/')}\0`, 'latin1').update(inside); // No name has a slash or a zero.
    }
  } catch (cause) {
    throw imageError(path, cause);
  }
  return hash.digest('hex');
}

function put(numbers: BigUint64Array, at: number, facts: fs.BigIntStats): void {
  numbers[at] = facts.dev;
  numbers[at + 1] = facts.ino;
  numbers[at + 2] = facts.mode;
  numbers[at + 3] = facts.nlink;
  numbers[at + 4] = facts.uid;
  numbers[at + 5] = facts.gid;
  numbers[at + 6] = facts.rdev;
  numbers[at + 7] = facts.size;
  numbers[at + 8] = facts.mtimeNs;
  numbers[at + 9] = facts.ctimeNs;
}
