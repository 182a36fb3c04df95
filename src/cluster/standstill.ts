/**
 * Finds the moment at which nothing in a cluster can go on by itself: every node that has not ended waits for a peer, and nothing has moved for a
 * while. Two kinds: somebody waits for room, then buffers must grow (a network of machines with blocking reads is determinate only if buffers never
 * decide); or everybody waits for bytes that nobody will write, or for room beyond what there may be.
 *
 * Invariants: a node that computes, or waits for the host, is never taken for a waiting one; one report is never enough. Buffers grow soon, which costs
 * nothing; the end of a cluster wants patience, because bytes on their way through a busy host or a cut link look the same.
 * What this does NOT do: keep time (reports come at intervals) or act (coordinator.ts).
 */
import type { NodeWait } from './hub.ts';

/** Equal reports of every node in a row, ten of which come in a second: until buffers grow, and until nothing will ever come. */
export interface Patience { readonly full: number; readonly dead: number }

/** Where there are several hosts a link may be cut: longer than a lost host is waited for. */
export const PATIENCE: Readonly<Record<'oneHost' | 'severalHosts', Patience>> = { oneHost: { full: 3, dead: 50 }, severalHosts: { full: 20, dead: 150 } };

export class Standstill {
  readonly #nodes = new Map<string, { wait: NodeWait; equal: number }>();
  readonly #patience: Patience;

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /** What a process tells of its nodes. */
  report(waits: readonly NodeWait[]): void {
    for (const wait of waits) {
      const before = this.#nodes.get(wait.node);
      const isEqual = before !== undefined && wait.wait !== undefined && before.wait.wait === wait.wait && before.wait.peer === wait.peer && before.wait.progress === wait.progress;
      this.#nodes.set(wait.node, { wait, equal: isEqual ? before.equal + 1 : 1 });
    }
  }

  /** Begins anew: something has changed that reports do not show. */
  reset(): void {
    this.#nodes.clear();
  }

  /** Whether the nodes that have not ended all stand still, and who waits for whom. */
  find(open: readonly string[]): { readonly kind: 'full' | 'dead'; readonly waits: readonly NodeWait[] } | undefined {
    const found = open.map((node) => this.#nodes.get(node));
    if (open.length === 0 || !found.every((state) => state !== undefined && state.equal >= this.#patience.full && state.wait.wait !== undefined)) return undefined;
    const waits = found.map((state) => state!.wait);
    if (waits.some(({ canGrow }) => canGrow)) return { kind: 'full', waits };
    return found.every((state) => state!.equal >= this.#patience.dead) ? { kind: 'dead', waits } : undefined;
  }
}
