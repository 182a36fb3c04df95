/**
 * Strongly connected components of a graph: its loops, whole. One that is entered at more than one node is a loop that structured code cannot have.
 * What this does NOT do: change the graph (graph.ts, split-loops.ts).
 */
interface Node { readonly edges: readonly number[] }

/** For each node, those that lead to it. */
export function predecessorsOf(drafts: readonly Node[]): readonly (readonly number[])[] {
  const predecessors: number[][] = drafts.map(() => []);
  drafts.forEach(({ edges }, from) => { for (const target of edges) predecessors[target]!.push(from); });
  return predecessors;
}

/** Nodes of a component that are reached from outside it, in order; the unit's entry is reached from outside. */
export function entriesOf(predecessors: readonly (readonly number[])[], members: ReadonlySet<number>): number[] {
  const entries: number[] = [];
  for (const member of members) if (member === 0 || predecessors[member]!.some((from) => !members.has(from))) entries.push(member);
  return entries.sort((a, b) => a - b);
}

/** Strongly connected components of the graph among `inside` (Tarjan, with a stack of its own). */
export function components(drafts: readonly Node[], inside: ReadonlySet<number>): number[][] {
  const found: number[][] = [];
  const order = new Int32Array(drafts.length).fill(-1);
  const low = new Int32Array(drafts.length);
  const isOpen = new Uint8Array(drafts.length);
  const path: number[] = [];
  let count = 0;
  for (const root of inside) {
    if (order[root]! >= 0) continue;
    const work: { node: number; next: number }[] = [];
    const enter = (node: number): void => {
      order[node] = low[node] = count++;
      isOpen[node] = 1;
      path.push(node);
      work.push({ node, next: 0 });
    };
    enter(root);
    while (work.length > 0) {
      const top = work.at(-1)!;
      const target = drafts[top.node]!.edges[top.next++];
      if (target === undefined) {
        work.pop();
        const parent = work.at(-1);
        if (parent !== undefined) low[parent.node] = Math.min(low[parent.node]!, low[top.node]!);
        if (low[top.node] === order[top.node]) found.push(closeComponent(path, isOpen, top.node));
      } else if (inside.has(target)) {
        if (order[target]! < 0) enter(target);
        else if (isOpen[target] === 1) low[top.node] = Math.min(low[top.node]!, order[target]!);
      }
    }
  }
  return found;
}

function closeComponent(path: number[], isOpen: Uint8Array, root: number): number[] {
  const component: number[] = [];
  for (let node = -1; node !== root;) {
    node = path.pop()!;
    isOpen[node] = 0;
    component.push(node);
  }
  return component;
}

/** Whether every loop among `nodes`, and every loop inside one, has one entry. `root`: the node that is entered from outside them. */
export function isReducible(drafts: readonly Node[], nodes: readonly number[], root: number): boolean {
  const open: { readonly nodes: readonly number[]; readonly around: ReadonlySet<number> }[] = [{ nodes, around: new Set(nodes) }];
  for (let top = open.pop(); top !== undefined; top = open.pop()) {
    for (const component of components(drafts, new Set(top.nodes))) {
      if (component.length === 1) continue;
      const members = new Set(component);
      const entries = new Set(component.filter((node) => node === root));
      for (const from of top.around) if (!members.has(from)) for (const target of drafts[from]!.edges) if (members.has(target)) entries.add(target);
      if (entries.size > 1) return false;
      open.push({ nodes: component.filter((node) => !entries.has(node)), around: members });
    }
  }
  return true;
}
