/**
 * Names of a directory tree of the host. A path is text as long as all below the root that the user named is ASCII, bytes from there on where it is not: a name need not be
 * UTF-8, and tens of thousands of paths as bytes cost as much as the system calls.
 * What this does NOT do: follow links, look at files.
 */
import * as fs from 'node:fs';

export type HostPath = string | Buffer;

const NOT_ASCII = /[\x80-\xff]/;

/** Names in a directory, as byte strings (char codes 0..255), unordered. Throws the errors of node:fs. */
export function namesIn(directory: HostPath): string[] {
  return fs.readdirSync(directory, 'latin1');
}

/** The path of a name in a directory. */
export function pathBelow(directory: HostPath, name: string): HostPath {
  if (typeof directory === 'string' && !NOT_ASCII.test(name)) return `${directory}/${name}`;
  return Buffer.concat([Buffer.from(directory), Buffer.from(`/${name}`, 'latin1')]);
}
