/**
 * The files of the host that one command names: what it writes is nothing else that it names, under whatever names (links, paths), and no file of the store.
 * What this does NOT do: standard streams, which a shell may well redirect to one file; devices and pipes.
 */
import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { StillpointError } from '../core/index.ts';
import type { HostBindings, RunManifest } from '../manifest/index.ts';
import { DATA_FILE, isErrno, LOCK_FILE } from '../store/live/lmdb-files.ts';

export interface NamedFile { readonly what: string; readonly path: string; readonly writes: boolean }
/** Option → file, of what is written when the run is over. */
export type FilesBeside = Readonly<Record<string, string | undefined>>;

/** Throws E_USAGE. */
export function mustBeApart(files: readonly NamedFile[]): void {
  const seen = new Map<string, NamedFile>();
  for (const file of files) {
    const place = file.path === '' ? undefined : placeOf(file.path); // Empty: lost with a run's record.
    if (place === undefined) continue;
    const other = seen.get(place);
    if (other !== undefined && (other.writes || file.writes)) throw new StillpointError('E_USAGE', `${other.what} and ${file.what} cannot both have the file ${file.path}: one of them writes it`);
    seen.set(place, file);
  }
}

/** Program, channels, what is written beside, and the store. */
export function filesOfRun({ manifest, bindings, beside, store }: { readonly manifest: RunManifest; readonly bindings: HostBindings; readonly beside: FilesBeside; readonly store: string | undefined }): readonly NamedFile[] {
  const writes = new Map(manifest.channels.map((spec) => [spec.name, spec.writes]));
  return [
    ...store === undefined ? [] : [DATA_FILE, LOCK_FILE].map((name) => ({ what: 'the store', path: join(store, name), writes: true })),
    ...manifest.programPath === undefined ? [{ what: 'the program', path: bindings.program, writes: false }] : [],
    ...[...bindings.channels].flatMap(([name, binding]) => (binding.kind === 'file' ? [{ what: `channel ${name}`, path: binding.path, writes: writes.get(name) === true }] : [])),
    ...Object.entries(beside).flatMap(([option, path]) => (path === undefined ? [] : [{ what: `option --${option}`, path, writes: true }])),
  ];
}

/** Equal for two names of one regular file, also of one that is still to be made. Undefined: it is something else, or cannot be looked at, which whoever opens it will say. */
function placeOf(path: string): string | undefined {
  try {
    const facts = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (facts === undefined) return join(realpathSync(dirname(resolve(path))), basename(path));
    return facts.isFile() ? `${facts.dev} ${facts.ino}` : undefined;
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE')) throw cause;
    return undefined;
  }
}
