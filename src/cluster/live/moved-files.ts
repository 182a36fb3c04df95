/**
 * `up --resume --bind`: where the files of a cluster's nodes lie now, when its store came to another host or its directory moved.
 *
 *   map-0:text=/new/part-0.txt     the file of one channel of a node
 *   /old/job=/new/job              every file of the nodes that lies below a directory
 *
 * Invariants: a file goes by the first wish that fits it, one of a channel before those of directories; a wish that fits nothing is an error. What this does NOT do: nodes on other hosts, whose agents keep their files.
 */
import { join, resolve } from 'node:path';
import { StillpointError } from '../../core/index.ts';
import { isAlive, movedBindings, nodeRecord, type NewPlace } from '../../session/index.ts';
import { rebindRuns, type StoreContext } from '../../txn/index.ts';
import { runNameOf, type ClusterPlan } from '../plan.ts';

interface Wish { readonly text: string; readonly isOfDirectory: boolean; readonly newPlace: NewPlace; isUsed: boolean }

/** All of them, or none. Throws E_USAGE, E_CHANNEL_OPEN, E_RUN_OWNED. */
export async function moveFilesOfCluster(context: StoreContext, plan: ClusterPlan, texts: readonly string[]): Promise<void> {
  const wishes = texts.map((text) => parseWish(plan, text)).sort((a, b) => Number(a.isOfDirectory) - Number(b.isOfDirectory));
  const runs = plan.nodes.filter(({ host }) => host === undefined).map(({ name }) => runNameOf(plan.name, name)).filter((run) => nodeRecord(context, run) !== undefined);
  const bindings = movedBindings(context, runs, (file) => {
    for (const wish of wishes) {
      const path = wish.newPlace(file);
      if (path === undefined) continue;
      wish.isUsed = true;
      return path;
    }
    return undefined;
  });
  const idle = wishes.find(({ isUsed }) => !isUsed);
  if (idle !== undefined) throw wrong(idle.text, idle.isOfDirectory ? `no node of cluster ${plan.name} on this host has a file there` : 'the node has no run yet, or no file for this channel');
  if (bindings.size > 0) await rebindRuns(context, bindings, isAlive);
}

function parseWish(plan: ClusterPlan, text: string): Wish {
  const [, from, to] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (from === undefined || to === undefined) throw wrong(text, 'it is neither NODE:CHANNEL=FILE nor /OLD/DIRECTORY=NEW/DIRECTORY');
  if (from.startsWith('/')) return { text, isOfDirectory: true, isUsed: false, newPlace: placeBelow(resolve(from), resolve(to)) };
  const [, name, channel] = /^([^:]+):(.+)$/s.exec(from) ?? [];
  const node = plan.nodes.find((one) => one.name === name);
  if (node === undefined || channel === undefined) throw wrong(text, `cluster ${plan.name} has no node ${name ?? from}`);
  if (node.host !== undefined) throw wrong(text, `node ${node.name} runs on host ${node.host}, whose agent keeps its files`);
  const run = runNameOf(plan.name, node.name);
  return { text, isOfDirectory: false, isUsed: false, newPlace: (file) => (file.run === run && file.channel === channel ? resolve(to) : undefined) };
}

function placeBelow(from: string, to: string): NewPlace {
  return ({ path }) => (path === from || path.startsWith(from === '/' ? from : `${from}/`) ? join(to, path.slice(from.length)) : undefined);
}

function wrong(text: string, why: string): StillpointError {
  return new StillpointError('E_USAGE', `option --bind: ${text}: ${why}`);
}
