/**
 * Directories of the host: where a user's own are, and making them.
 * What this does NOT do: remove any, or say an error in our words: what Node throws goes on to the caller, who knows what the directory is for.
 */
import { mkdirSync, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';

/**
 * `$variable`, else `below` in the user's home. The XDG base directory specification: a path that is not absolute is no answer. $HOME is taken by the same rule,
 * else what the host's list of users says.
 */
export function userDirectory(environment: Readonly<Record<string, string | undefined>>, variable: 'XDG_STATE_HOME' | 'XDG_CACHE_HOME', below: string): string {
  const named = environment[variable];
  if (named !== undefined && isAbsolute(named)) return named;
  const home = homedir();
  return join(isAbsolute(home) ? home : userInfo().homedir, below);
}

/**
 * Makes a directory and those above it; one that is there is left alone. Gives back the first that was made. Throws what mkdir throws.
 * Not mkdir's own `recursive`: Node tries for ever where a directory that is there takes no new ones and says ENOENT, as /proc does.
 */
export function makeDirectories(path: string, mode = 0o777): string | undefined {
  const wanted = [resolve(path)];
  for (let above = dirname(wanted[0]!); statSync(above, { throwIfNoEntry: false }) === undefined; above = dirname(above)) wanted.push(above);
  let first: string | undefined;
  for (const directory of wanted.reverse()) {
    try {
      mkdirSync(directory, { mode });
      first ??= directory;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST' || !statSync(directory).isDirectory()) throw cause;
    }
  }
  return first;
}
