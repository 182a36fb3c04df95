/**
 * What a service does between two requests when its owner asks: savepoint, rollback, branch, promote.
 *
 *   requests ─► … ─► answered ─► the machine rests at a checkpoint ─► the verb, as the command of that name ─► the machine again ─► requests that waited
 *
 * Invariants: it takes its turn among the requests: those before it have happened and are on disk, those after it see what it did. A verb that fails leaves the
 * run as it was, and the service goes on.
 * What this does NOT do: sockets; queue (service.ts).
 */
import { StillpointError } from '../core/index.ts';
import { forkFrom, mark, promote, rollback } from '../session/index.ts';

export interface ControlPlace { readonly name: string; readonly store: string | undefined }
export type ControlResult = Readonly<Record<string, unknown>>;
type Verb = (place: ControlPlace, parameters: ReadonlyMap<string, string>) => Promise<ControlResult>;

const VERBS: Readonly<Record<string, { readonly takes: readonly string[]; readonly work: Verb }>> = {
  savepoint: { takes: ['name', 'note'], work: async ({ name, store }, wish) => ({ ...await mark(name, { name: wish.get('name'), note: wish.get('note') }, store) }) },
  rollback: { takes: ['to', 'keep'], work: async ({ name, store }, wish) => ({ ...await rollback({ name, store, to: needed(wish, 'to'), keep: wish.get('keep'), freshEntropy: false }) }) },
  branch: { takes: ['name', 'at'], work: async ({ name, store }, wish) => ({ ...await forkFrom({ from: wish.has('at') ? `${name}@${wish.get('at')}` : name, name: needed(wish, 'name'), store, bind: [], freshEntropy: false }) }) },
  promote: { takes: ['branch', 'keep', 'files'], work: async ({ name, store }, wish) => ({ ...await promote({ branch: needed(wish, 'branch'), onto: name, keep: wish.get('keep'), store, takesFiles: flag(wish, 'files') }) }) },
};

export const CONTROL_VERBS: readonly string[] = Object.keys(VERBS);

/** What to do with the run at rest. Throws E_USAGE: no such verb, a parameter that it does not take, or one that is missing. */
export function controlVerb(verb: string, parameters: ReadonlyMap<string, string>): (place: ControlPlace) => Promise<ControlResult> {
  const found = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  if (found === undefined) throw new StillpointError('E_USAGE', `there is no ${verb.slice(0, 80)}; there are ${CONTROL_VERBS.join(', ')}`);
  for (const name of parameters.keys()) if (!found.takes.includes(name)) throw new StillpointError('E_USAGE', `${verb} takes ${found.takes.join(', ')} and not ${name.slice(0, 80)}`);
  return (place) => found.work(place, parameters);
}

function needed(parameters: ReadonlyMap<string, string>, name: string): string {
  const value = parameters.get(name);
  if (value === undefined || value === '') throw new StillpointError('E_USAGE', `the parameter ${name} is missing: ?${name}=…`);
  return value;
}

function flag(parameters: ReadonlyMap<string, string>, name: string): boolean {
  const value = parameters.get(name);
  if (value !== undefined && value !== '1' && value !== '0') throw new StillpointError('E_USAGE', `the parameter ${name} is 1 or 0`);
  return value === '1';
}
