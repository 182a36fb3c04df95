/**
 * Judges histories of transactions over registers, independently of how they came about: which anomalies they hold, by the graph of dependencies.
 *
 *   write-write  who wrote the version after mine          read-write (anti)  who overwrote what I read
 *   write-read   whose version did I read                  a cycle: no serial order explains the history
 *
 * Every written value is unique, and who writes a register has read it before in the same transaction, so that the order of versions is known from
 * the history alone. Names of anomalies as in Adya's thesis and the papers after it.
 * What this does NOT do: know machines, commits or time.
 */

/** What one transaction did, in order. Value 0 is the initial version of every register. */
export interface Observed { readonly name: string; readonly isCommitted: boolean; readonly operations: readonly Access[] }
export interface Access { readonly kind: 'read' | 'write'; readonly register: number; readonly value: number }

export type Anomaly = 'dirty read' | 'intermediate read' | 'lost update' | 'write skew' | 'long fork' | 'cycle';

interface Edge { readonly to: string; readonly kind: 'ww' | 'wr' | 'rw'; readonly register: number }

/** The anomalies of a history, each once, sorted. */
export function anomaliesOf(history: readonly Observed[]): readonly Anomaly[] {
  const found = new Set<Anomaly>(directAnomalies(history));
  const graph = dependencies(history.filter(({ isCommitted }) => isCommitted));
  for (const cycle of cyclesOf(graph)) found.add(classify(cycle));
  return [...found].sort();
}

/** Reads of what was never committed, or not the last word of its writer. */
function directAnomalies(history: readonly Observed[]): readonly Anomaly[] {
  const found: Anomaly[] = [];
  const writers = new Map<number, { readonly by: Observed; readonly isLast: boolean }>();
  for (const by of history) {
    const writes = by.operations.filter(({ kind }) => kind === 'write');
    for (const [index, { register, value }] of writes.entries()) writers.set(value, { by, isLast: !writes.slice(index + 1).some((later) => later.register === register) });
  }
  for (const reader of history.filter(({ isCommitted }) => isCommitted)) {
    for (const { kind, value } of reader.operations) {
      const writer = kind === 'read' ? writers.get(value) : undefined;
      if (writer === undefined || writer.by === reader) continue;
      if (!writer.by.isCommitted) found.push('dirty read');
      else if (!writer.isLast) found.push('intermediate read');
    }
  }
  return found;
}

/** Version read first and version left, by register, of one transaction. */
function versionsOf({ operations }: Observed): Map<number, { readonly before: number | undefined; readonly after: number | undefined }> {
  const versions = new Map<number, { before: number | undefined; after: number | undefined }>();
  for (const { kind, register, value } of operations) {
    const known = versions.get(register) ?? { before: undefined, after: undefined };
    if (kind === 'write') known.after = value;
    else if (known.before === undefined && known.after === undefined) known.before = value;
    versions.set(register, known);
  }
  return versions;
}

function dependencies(committed: readonly Observed[]): ReadonlyMap<string, readonly Edge[]> {
  const graph = new Map<string, Edge[]>(committed.map(({ name }) => [name, []]));
  const versions = committed.map((one) => ({ one, versions: versionsOf(one) }));
  for (const a of versions) {
    for (const b of versions) {
      if (a === b) continue;
      for (const [register, mine] of a.versions) {
        const theirs = b.versions.get(register);
        if (theirs === undefined) continue;
        if (mine.after !== undefined && theirs.before === mine.after) graph.get(a.one.name)!.push({ to: b.one.name, kind: 'wr', register });
        if (mine.after !== undefined && theirs.after !== undefined && theirs.before === mine.after) graph.get(a.one.name)!.push({ to: b.one.name, kind: 'ww', register });
        if (mine.before !== undefined && theirs.after !== undefined && theirs.before === mine.before) graph.get(a.one.name)!.push({ to: b.one.name, kind: 'rw', register });
      }
    }
  }
  return graph;
}

/** Shortest cycles, one through each edge that lies on one. */
function* cyclesOf(graph: ReadonlyMap<string, readonly Edge[]>): Generator<readonly Edge[]> {
  for (const [start, edges] of graph) {
    for (const first of edges) {
      const back = shortestPath(graph, first.to, start);
      if (back !== undefined) yield [first, ...back];
    }
  }
}

function shortestPath(graph: ReadonlyMap<string, readonly Edge[]>, from: string, to: string): readonly Edge[] | undefined {
  const reached = new Map<string, readonly Edge[]>([[from, []]]);
  for (const [at, path] of reached) {
    if (at === to) return path;
    for (const edge of graph.get(at) ?? []) if (!reached.has(edge.to)) reached.set(edge.to, [...path, edge]);
  }
  return undefined;
}

function classify(cycle: readonly Edge[]): Anomaly {
  const anti = cycle.filter(({ kind }) => kind === 'rw');
  const registers = new Set(cycle.map(({ register }) => register));
  if (registers.size === 1 && anti.length > 0) return 'lost update';
  if (anti.length === cycle.length && cycle.length === 2) return 'write skew';
  if (anti.length >= 2 && cycle.some(({ kind }) => kind === 'wr')) return 'long fork';
  return 'cycle';
}
