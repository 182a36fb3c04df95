/**
 * `replay` of a cluster over several hosts: each store executes its own nodes again; what nodes in other stores have read of them comes as digests.
 *
 *   all stores ─► what was read at ends whose writers are elsewhere ─► by link, to the stores of their writers ─► all stores execute their nodes again, side by side
 *
 * Invariants: everything that was read is known before the first writer's journal is looked at, so that of a running cluster no writer is behind its reader; of several
 * differences the one of the first store counts, the one here first. What this does NOT do: execute anything itself (replay.ts).
 */
import { StillpointError } from '../../core/index.ts';
import type { SessionHooks } from '../../session/index.ts';
import { differs, type ClusterReplay, type ClusterReplayRequest } from '../replay.ts';
import type { BlockDifference } from '../readings.ts';
import type { Desk } from './desk.ts';
import type { RemoteDesk } from './remote-desk.ts';
import { withSpread, type SpreadRequest } from './spread.ts';

type AnyDesk = Desk | RemoteDesk;

/** Throws E_DIVERGED_*, E_CLUSTER_HOST, E_RUN_UNKNOWN, other codes for damage. */
export async function replaySpread(request: SpreadRequest, { engine, comparesFiles }: Pick<ClusterReplayRequest, 'engine' | 'comparesFiles'>, hooks: (node: string) => SessionHooks): Promise<ClusterReplay> {
  return withSpread({ ...request, hooks }, async ({ cluster, here, others }) => {
    const desks: readonly AnyDesk[] = [here, ...others.values()];
    const ends = await Promise.all(desks.map((desk) => desk.answer({ kind: 'ends', cluster })));
    const writes = ends.map((mine) => new Set(mine.filter(({ reads }) => !reads).map(({ link }) => link)));
    const isElsewhere = (link: number, own: number): boolean => writes.some((links, index) => index !== own && links.has(link));
    const readings = await Promise.all(desks.map((desk, own) => desk.answer({ kind: 'readings', ends: ends[own]!.filter(({ reads, link }) => reads && isElsewhere(link, own)) })));
    const ofOthers = (own: number): (typeof readings)[number] => readings.flatMap((mine, index) => (index === own ? [] : mine.filter(({ link }) => writes[own]!.has(link))));
    const answers = await Promise.allSettled(desks.map((desk, own) => desk.answer({ kind: 'replay', cluster, engine, comparesFiles, readings: ofOthers(own) })));
    for (const answer of answers) {
      if (answer.status === 'rejected') throw answer.reason;
      const { difference } = answer.value;
      if (difference !== undefined) throw await differenceOf(difference, desks[ends.findIndex((mine) => mine.some(({ run }) => run === difference.reader))]!);
    }
    const replays = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    const sum = (pick: (replay: (typeof replays)[number]) => number): number => replays.reduce((total, replay) => total + pick(replay), 0);
    if (replays.every(({ nodes }) => nodes.length === 0)) throw new StillpointError('E_RUN_UNKNOWN', `no host holds a run of cluster ${cluster}: none of its nodes had begun`, { data: { cluster } });
    const nodes = replays.flatMap((replay) => replay.nodes).sort((a, b) => (a.name < b.name ? -1 : 1));
    return { cluster, isIdentical: true, nodes, channels: sum(({ channels }) => channels), bytes: sum(({ bytes }) => bytes) };
  });
}

/** The first byte that differs: the reader's store has the other block. */
async function differenceOf(difference: BlockDifference, reader: AnyDesk): Promise<Error> {
  const { offset, bytes, reader: run, reads: channel } = difference;
  const read = await reader.answer({ kind: 'block', run, channel, offset });
  const at = bytes.findIndex((byte, index) => byte !== read[index]);
  return at < 0 ? differs(difference, offset + bytes.length, 'fewer bytes than') : differs(difference, offset + at, 'other bytes than');
}
