/**
 * Files of runs at rest that lie elsewhere now: what `resume --bind` says of one run, for many at once.
 * Invariant: only files change places, and only to where they are. What this does NOT do: parse options, open channels (ports.ts), write (txn/rebind.ts).
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { StillpointError } from '../core/index.ts';
import { decodeManifest, type HostBinding } from '../manifest/index.ts';
import { openJournal, readRun, type RunRecord, type StoreContext } from '../txn/index.ts';
import { decodeBindings, encodeBindings } from './bindings-codec.ts';

/** The new place of a channel's file, or of the program; undefined: it stays. */
export type NewPlace = (file: { readonly run: string; readonly channel: string | undefined; readonly path: string }) => string | undefined;

/** The new bindings of runs that have a file elsewhere, by name, for rebindRuns(). Throws E_CHANNEL_OPEN. */
export function movedBindings(context: StoreContext, runs: readonly string[], newPlace: NewPlace): ReadonlyMap<string, string> {
  const changed = new Map<string, string>();
  for (const run of runs) {
    const record = readRun(context, run);
    const bindings = decodeBindings(record.bindings, run);
    const moved = [...bindings.channels].flatMap(([channel, binding]): [string, Extract<HostBinding, { kind: 'file' }>][] => {
      const path = binding.kind === 'file' ? newPlace({ run, channel, path: binding.path }) : undefined;
      return path === undefined ? [] : [[channel, { kind: 'file', path }]];
    });
    if (moved.length === 0) continue;
    mustBeThere(context, record, moved);
    const program = newPlace({ run, channel: undefined, path: bindings.program }) ?? bindings.program;
    changed.set(run, encodeBindings({ ...bindings, program, channels: new Map([...bindings.channels, ...moved]) }));
  }
  return changed;
}

/** What was read, or has been written to, is there; the rest has a directory to come to be in. */
function mustBeThere(context: StoreContext, record: RunRecord, moved: readonly (readonly [string, { readonly path: string }])[]): void {
  const specs = new Map(decodeManifest(openJournal(context, record).genesis().manifest).channels.map((spec) => [spec.name, spec]));
  for (const [channel, { path }] of moved) {
    const spec = specs.get(channel);
    const isNeeded = spec?.reads === true || (record.outputs.get(channel)?.synced ?? 0) > 0;
    const why = !existsSync(isNeeded ? path : dirname(path)) ? `its ${isNeeded ? 'file' : 'directory'} is not there` : isAllowed(path, spec?.writes === true ? constants.W_OK : constants.R_OK) ? undefined : `this user may not ${spec?.writes === true ? 'write' : 'read'} it`;
    if (why !== undefined) throw new StillpointError('E_CHANNEL_OPEN', `run ${record.name}, channel ${channel} (${path}): ${why}`, { data: { run: record.name, channel, path } });
  }
}

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause;
    return cause.code === 'ENOENT'; // It comes to be.
  }
}
