/**
 * The other hosts of a plan, ready to run their nodes: agents are asked what they know, and get the files that the nodes need.
 * Invariants: everything that can be refused on this host is refused before an agent is asked for anything. What this does NOT do: start processes.
 */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { StillpointError } from '../../core/index.ts';
import { makeDirectories } from '../../core/live/directories.ts';
import { RECORDER } from '../../session/index.ts';
import type { NodeEnd } from '../node-end.ts';
import type { ClusterPlan, PlannedNode } from '../plan.ts';
import { ownAddress, resolveAddress } from './addresses.ts';
import { sha256OfFile, travelling, trouble, writeAt, writtenFiles } from './agent-files.ts';
import { AGENT_PROTOCOL, type NeededFile } from './agent-messages.ts';
import { readKeyFile } from './curve.ts';
import { RemoteHost } from './remote-host.ts';

export interface OpenHosts {
  readonly hosts: ReadonlyMap<string, RemoteHost>;
  /** Where processes of each host listen; undefined: this one. */
  readonly addressOf: (host: string | undefined) => string;
  /** Of nodes on other hosts. */
  readonly known: readonly string[];
  readonly ended: readonly NodeEnd[];
  /** Brings the files to the hosts, and makes those that will come back. Throws as openHosts(). */
  ship(how: { readonly isResume: boolean }): Promise<void>;
  close(): Promise<void>;
}

export interface HostsRequest { readonly plan: ClusterPlan; readonly isResume: boolean; readonly keys?: string | undefined }

/** Throws E_USAGE (keys), E_CHANNEL_OPEN (a file that cannot travel), E_CLUSTER_FAILED (an agent that does not answer), and what agents refuse with. */
export async function openHosts({ plan, isResume, keys }: HostsRequest): Promise<OpenHosts> {
  if (keys === undefined) throw new StillpointError('E_USAGE', `nodes of ${plan.name} are placed on other hosts; --keys FILE names the key file that their agents have, too (stillpoint keys FILE makes one)`);
  const pair = readKeyFile(keys);
  const needed = new Map<string, readonly NeededFile[]>();
  for (const { name } of plan.hosts) needed.set(name, await neededFiles(nodesOf(plan, name)));
  const addresses = new Map<string | undefined, string>();
  for (const { name, address } of plan.hosts) addresses.set(name, await resolveAddress(address));
  addresses.set(undefined, plan.address ?? await ownAddress(addresses.get(plan.hosts[0]!.name)!));
  const hosts = new Map(plan.hosts.map((setting) => [setting.name, new RemoteHost({ ...setting, address: addresses.get(setting.name)! }, pair)]));
  const close = async (): Promise<void> => { await Promise.all([...hosts.values()].map((host) => host.close())); };
  try {
    const said = await Promise.all([...hosts].map(([name, host]) => host.begin({
      kind: 'hello', protocol: AGENT_PROTOCOL, version: RECORDER, cluster: plan.name, isEphemeral: plan.isEphemeral, isResume, nodes: nodesOf(plan, name), links: plan.links.filter(({ from }) => hostOf(plan, from) === name), files: needed.get(name)!,
    })));
    return { hosts, addressOf: (host) => addresses.get(host)!, known: said.flatMap(({ known }) => known), ended: said.flatMap(({ ended }) => ended), ship: (how) => ship(hosts, plan, how), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function ship(hosts: ReadonlyMap<string, RemoteHost>, plan: ClusterPlan, { isResume }: { readonly isResume: boolean }): Promise<void> {
  for (const node of plan.nodes) {
    if (node.host === undefined || isResume) continue;
    for (const { path, isStream } of writtenFiles(node)) if (isStream) makeEmpty(path);
  }
  await Promise.all([...hosts.values()].map((host) => host.ship()));
}

function makeEmpty(path: string): void {
  try {
    makeDirectories(dirname(path));
    writeAt(path, { offset: 0, bytes: new Uint8Array(0), isNew: true });
  } catch (cause) {
    throw trouble(path, cause);
  }
}

function nodesOf(plan: ClusterPlan, host: string): readonly PlannedNode[] {
  return plan.nodes.filter((node) => node.host === host);
}

function hostOf(plan: ClusterPlan, name: string): string | undefined {
  return plan.nodes.find((node) => node.name === name)?.host;
}

/** Program, images and files of nodes, each once; what is written and not there yet is not needed. */
async function neededFiles(nodes: readonly PlannedNode[]): Promise<readonly NeededFile[]> {
  const found = new Map<string, NeededFile>();
  const add = async (path: string, isWritten: boolean, what: string): Promise<void> => {
    if (found.has(path)) return;
    const facts = statSync(path, { throwIfNoEntry: false });
    if (facts === undefined && isWritten) return;
    if (facts?.isFile() !== true) throw new StillpointError('E_CHANNEL_OPEN', `${path}: ${what} of a node on another host is a regular file`, { data: { path } });
    found.set(path, { path, size: facts.size, sha256: await sha256OfFile(path), isWritten });
  };
  for (const node of nodes) {
    if (node.manifest.programPath === undefined) await add(node.bindings.program, false, 'the program');
    for (const { source } of node.images) if (source.includes('/')) await add(source, false, 'an image');
    for (const spec of node.manifest.channels) {
      const path = travelling(node.bindings.channels.get(spec.name));
      if (path !== undefined && (spec.reads || spec.access === 'append')) await add(path, spec.writes, `the file of channel ${spec.name}`);
    }
  }
  return [...found.values()];
}
