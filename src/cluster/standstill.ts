/**
 * Finds the moment at which nothing in a cluster can go on by itself: every node that has not ended waits for a peer, and nothing has moved for a
 * while. Two kinds: somebody waits for room, then buffers must grow (a network of machines with blocking reads is determinate only if buffers never
 * decide); or everybody waits for bytes that nobody will write.
 *
 * Invariants: a node that computes, or waits for the host, is never taken for a waiting one; one report is never enough.
 * What this does NOT do: keep time (reports come at intervals) or act (coordinator.ts).
 */
import type { NodeWait } from './hub.ts';

/** So many equal reports of a node in a row; they come ten times a second. */
const REPORTS_MIN = 3;

export class Standstill {
  readonly #nodes = new Map<string, { wait: NodeWait; equal: number }>();

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
    if (open.length === 0 || !found.every((state) => state !== undefined && state.equal >= REPORTS_MIN && state.wait.wait !== undefined)) return undefined;
    const waits = found.map((state) => state!.wait);
    return { kind: waits.some(({ wait }) => wait === 'writing') ? 'full' : 'dead', waits };
  }
}
