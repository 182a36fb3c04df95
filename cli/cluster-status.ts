/**
 * What `up` shows of a cluster that runs: one line for all of it and, where the terminal has room, nodes with their states and channels with their bytes.
 * Invariant: as much detail as fits: node by node and channel by channel, else by group. What this does NOT do: write to the terminal (progress.ts).
 */
import { counted, type ClusterPlan, type ClusterStatus, type NodeStatus, type PlannedLink, type PlannedNode } from '../src/index.ts';
import { scaled, table } from './terminal.ts';

type Node = Pick<PlannedNode, 'name' | 'of' | 'group'>;
type Link = Pick<PlannedLink, 'id' | 'from' | 'to' | 'fromChannel'>;
interface Shape { readonly nodes: readonly Node[]; readonly links: readonly Link[] }

const STATES: readonly NodeStatus['state'][] = ['waiting', 'running', 'ended', 'stopped', 'failed'];

/** `3 of 5 ended  1 waiting  812 M instructions  in 12 MB  out 3 MB`. */
export function statusText({ nodes, restarts }: ClusterStatus): string {
  const parts = [
    `${count(nodes, 'ended')} of ${nodes.length} ended`, ...(count(nodes, 'waiting') > 0 ? [`${count(nodes, 'waiting')} waiting`] : []),
    `${scaled(sum(nodes, ({ instructions }) => Number(instructions)))} instructions`, `in ${bytes(sum(nodes, ({ inputBytes }) => inputBytes))}`, `out ${bytes(sum(nodes, ({ outputBytes }) => outputBytes))}`,
    ...(restarts > 0 ? [counted(restarts, 'restart')] : []),
  ];
  return parts.join('  ');
}

/** The details in at most so many lines. */
export function statusDetails(plan: ClusterPlan | Shape, status: ClusterStatus, linesMax: number): readonly string[] {
  const forms = [() => [...byNode(status), ...byLink(plan, status)], () => [...byNode(status), ...byPair(plan, status)], () => [...byGroup(plan, status), ...byPair(plan, status)]];
  let lines: readonly string[] = [];
  for (const form of forms) {
    lines = form();
    if (lines.length <= linesMax) return lines;
  }
  return [...lines.slice(0, Math.max(0, linesMax - 1)), '…'].slice(0, linesMax);
}

function byNode({ nodes }: ClusterStatus): readonly string[] {
  return rows('NODE', nodes.map((node) => nodeRow(node.name, [node])));
}

function byGroup({ nodes: planned }: Shape, { nodes }: ClusterStatus): readonly string[] {
  const groupOf = new Map(planned.map(({ name, group }) => [name, group]));
  return rows('GROUP', [...grouped(nodes, ({ name }) => groupOf.get(name)!)].map(([group, members]) => nodeRow(group, members)));
}

function nodeRow(name: string, nodes: readonly NodeStatus[]): readonly string[] {
  const states = STATES.filter((state) => count(nodes, state) > 0).map((state) => (nodes.length === 1 ? state : `${count(nodes, state)} ${state}`)).join(', ');
  return [name, states, scaled(sum(nodes, ({ instructions }) => Number(instructions))), bytes(sum(nodes, ({ inputBytes }) => inputBytes)), bytes(sum(nodes, ({ outputBytes }) => outputBytes))];
}

function rows(title: string, found: readonly (readonly string[])[]): readonly string[] {
  return table([title, 'STATE', 'INSTRUCTIONS', 'IN', 'OUT'], found).split('\n');
}

function byLink(plan: Shape, { written }: ClusterStatus): readonly string[] {
  const ofs = new Map(plan.nodes.map(({ name, of }) => [name, of]));
  return channels(plan.links.map((link) => [`${link.from} → ${link.to}${named(link, ofs)}`, bytes(written.get(link.id) ?? 0)]));
}

/** Channels between the same two groups together. */
function byPair(plan: Shape, { written }: ClusterStatus): readonly string[] {
  const nodes = new Map(plan.nodes.map((node) => [node.name, node]));
  const ofs = new Map(plan.nodes.map(({ name, of }) => [name, of]));
  const pairs = grouped(plan.links, (link) => `${nodes.get(link.from)!.group} → ${nodes.get(link.to)!.group}${named(link, ofs)}`);
  return channels([...pairs].map(([pair, links]) => [pair, bytes(links.reduce((total, { id }) => total + (written.get(id) ?? 0), 0))]));
}

function channels(found: readonly (readonly string[])[]): readonly string[] {
  return found.length === 0 ? [] : table(['CHANNEL', 'BYTES'], found).split('\n');
}

/** The name of a channel that has one of its own: ` (NAME)`. */
function named({ to, fromChannel }: Link, ofs: ReadonlyMap<string, string>): string {
  const of = ofs.get(to)!;
  const name = fromChannel.replace(/^out\//, '');
  if (name === of || name === 'stdout') return '';
  return ` (${name.endsWith(`.${of}`) ? name.slice(0, -of.length - 1) : name})`;
}

function grouped<Item>(items: readonly Item[], keyOf: (item: Item) => string): ReadonlyMap<string, readonly Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) groups.set(keyOf(item), [...groups.get(keyOf(item)) ?? [], item]);
  return groups;
}

function count(nodes: readonly NodeStatus[], state: NodeStatus['state']): number {
  return nodes.filter((node) => node.state === state).length;
}

function sum(nodes: readonly NodeStatus[], pick: (node: NodeStatus) => number): number {
  return nodes.reduce((total, node) => total + pick(node), 0);
}

function bytes(amount: number): string {
  return `${scaled(amount)}B`;
}
