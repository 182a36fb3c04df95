/**
 * The nodes of one group: as many as were asked for, or one for each file that matches, with {index}, {count}, {match} and {node} filled in.
 * Invariants: nodes are in the order of their index, files in the order of their paths. What this does NOT do: look into files.
 */
import { complain, type ClusterFileSetting, type ClusterGroup, type ClusterSettings } from '../manifest/index.ts';
import type { ClusterHost } from './plan.ts';

export interface NodeDraft {
  readonly name: string;
  readonly group: ClusterGroup;
  readonly index: number;
  readonly arguments: readonly string[];
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly files: readonly ClusterFileSetting[];
  readonly stdin: string | undefined;
  readonly stdout: string | undefined;
  readonly stderr: string | undefined;
}

/** Throws E_MANIFEST, E_CHANNEL_OPEN. */
export function groupNodes(group: ClusterGroup, settings: ClusterSettings, host: ClusterHost): readonly NodeDraft[] {
  const matches = matchesOf(group, settings, host);
  const count = group.count ?? matches?.length ?? 1;
  if (matches !== undefined && matches.length !== count) throw complain(settings.place(['groups', group.name, 'count']), `${count} nodes are asked for, ${matches.length} files match`);
  return Array.from({ length: count }, (_, index) => draft(group, { index, count, match: matches?.[index] }));
}

/** What the wildcard of the group's first `in` stands for, file by file; undefined when there is none. */
function matchesOf(group: ClusterGroup, settings: ClusterSettings, host: ClusterHost): readonly string[] | undefined {
  for (const { name, file } of group.files) {
    if (file.split('*').length > 2 || file.slice(0, file.lastIndexOf('/')).includes('*')) throw complain(settings.place(['groups', group.name, 'files', name]), 'there can be one * and only in the last part of the path');
  }
  const first = group.files.find(({ kind, file }) => kind === 'in' && file.includes('*'));
  if (first === undefined) {
    const stray = group.files.find(({ file }) => file.includes('*'));
    if (stray !== undefined) throw complain(settings.place(['groups', group.name, 'files', stray.name]), 'a * needs an in with a * that says what it stands for');
    return undefined;
  }
  const files = host.matches(first.file);
  if (files === undefined) throw complain({ ...settings.place(['groups', group.name, 'files', first.name]), code: 'E_CHANNEL_OPEN' }, `the directory of ${first.file} cannot be read`);
  if (files.length === 0) throw complain(settings.place(['groups', group.name, 'files', first.name]), `no file matches ${first.file}`);
  const before = first.file.indexOf('*');
  const after = first.file.length - before - 1;
  return files.map((file) => file.slice(before, file.length - after));
}

function draft(group: ClusterGroup, { index, count, match }: { readonly index: number; readonly count: number; readonly match: string | undefined }): NodeDraft {
  const name = `${group.name}-${index}`;
  const values: Readonly<Record<string, string>> = { index: String(index), count: String(count), node: name, ...(match === undefined ? {} : { match }) };
  const fill = (text: string): string => text.replace(/\{([a-z]+)\}/g, (whole, key: string) => (Object.hasOwn(values, key) ? values[key]! : whole));
  const fillPath = (path: string): string => fill(match === undefined ? path : path.replace('*', () => match));
  const maybe = (path: string | undefined): string | undefined => (path === undefined ? undefined : fillPath(path));
  const facts = { STILLPOINT_NODE: name, STILLPOINT_GROUP: group.name, STILLPOINT_INDEX: String(index), STILLPOINT_COUNT: String(count) };
  return {
    name, group, index,
    arguments: group.arguments.map(fill),
    environment: [...Object.entries(facts), ...group.environment].map(([key, value]) => ({ name: key, value: fill(value) })),
    files: group.files.map((file) => ({ ...file, file: fillPath(file.file) })),
    stdin: maybe(group.stdin), stdout: maybe(group.stdout), stderr: maybe(group.stderr),
  };
}
