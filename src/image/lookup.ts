/**
 * Finds programs in an image as a shell does: by absolute path or through PATH, symbolic links followed.
 * What this does NOT do: permissions of directories, interpreters.
 */
import { limits } from '../core/index.ts';
import { KIND, type ImageTree } from './tree.ts';

/** PATH when the environment names none: what container images have. */
export const PATH_DEFAULT = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Inode of an absolute path, or undefined. Byte strings. */
export function findInImage(tree: ImageTree, path: string): number | undefined {
  const todo = parts(path);
  const way: number[] = [0];
  let links = 0;
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    const directory = way.at(-1)!;
    if ((tree.node(directory).mode & KIND.mask) !== KIND.directory) return undefined;
    if (name === '..') {
      if (way.length > 1) way.pop();
      continue;
    }
    const position = tree.findEntry(directory, name);
    if (position < 0) return undefined;
    const inode = tree.entryInode(directory, position);
    if ((tree.node(inode).mode & KIND.mask) !== KIND.symlink) {
      way.push(inode);
      continue;
    }
    if (++links > limits.SYMLINKS_MAX) return undefined;
    const target = tree.target(inode);
    if (target.startsWith('/')) way.length = 1;
    todo.push(...parts(target));
    if (todo.length > limits.PATH_BYTES_MAX) return undefined;
  }
  return way.at(-1);
}

/** Components, the last one first. */
function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.').reverse();
}

/** Where a program lies: the path by which it was found, and its inode. `name` without a slash goes through `searchPath`. */
export function findProgram(tree: ImageTree, name: string, searchPath: string): { readonly path: string; readonly inode: number } | undefined {
  if (name.includes('/') && !name.startsWith('/')) return undefined;
  const paths = name.startsWith('/') ? [name] : searchPath.split(':').filter((directory) => directory.startsWith('/')).map((directory) => `${directory.replace(/\/+$/, '')}/${name}`);
  for (const path of paths) {
    const inode = findInImage(tree, path);
    if (inode === undefined) continue;
    const { mode } = tree.node(inode);
    if ((mode & KIND.mask) === KIND.file && (mode & 0o111) !== 0) return { path, inode };
  }
  return undefined;
}
