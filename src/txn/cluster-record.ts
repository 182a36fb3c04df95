/**
 * What the store of the host where `up` runs knows of a cluster over several hosts: where each node's run is, so that a command for the whole cluster finds all of it.
 *
 *   "cluster NAME"    hosts with their addresses, nodes with their hosts and files      written by each `up`
 *   "forking NAME"    the cluster whose fork is under way, and the runs that it makes, by host: the next command for that cluster undoes it and removes both words
 *
 * Both in the table `meta`. Invariants: "forking NAME" is put with "cluster NAME" before the first run of a fork is made, and goes when all are there; paths are those of up's host.
 * What this does NOT do: know whether a host is there, or what its store holds.
 */
import type { Digests } from '../core/index.ts';
import type { RunId } from '../journal/index.ts';
import type { StoreDelete, StorePut } from '../store/index.ts';
import type { StoreContext } from './ownership.ts';
import { canonicalMap, decodeRecord, encodeRecord, type Fields, type RecordKind } from './record.ts';

export interface ClusterRecordNode {
  /** Undefined: the one where `up` runs. */
  readonly host: string | undefined;
  /** By channel: the files of a node on another host, as up's host calls them; those of a fork have other names than the manifest's. */
  readonly files: ReadonlyMap<string, ClusterFile>;
}

export interface ClusterFile { readonly path: string; readonly isWritten: boolean }

export interface ClusterRecord {
  readonly name: string;
  readonly hosts: ReadonlyMap<string, { readonly address: string; readonly port: number }>;
  readonly nodes: ReadonlyMap<string, ClusterRecordNode>;
}

/** A fork under way: names of its runs, with their ids and hosts. `from`: whose coordinator makes it, or undoes it; of version 1 its own name. */
export interface ForkingRecord { readonly name: string; readonly from: string; readonly runs: ReadonlyMap<string, { readonly host: string | undefined; readonly id: RunId }> }

const CLUSTER: RecordKind = { format: 'stillpoint-cluster', version: 1, damaged: 'E_STORE_CORRUPT' };
const FORKING: RecordKind = { format: 'stillpoint-forking', version: 2, oldest: 1, damaged: 'E_STORE_CORRUPT' };
const NAME_MAX = 64;
const TEXT_MAX = 256;
const PATH_MAX = 4096;
const HOSTS_MAX = 1024;
const NODES_MAX = 4096;
const FILES_MAX = 4096;

/** Undefined: no cluster over several hosts was started here under this name. Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function readClusterRecord({ store, digests }: StoreContext, name: string): ClusterRecord | undefined {
  const bytes = name.length > NAME_MAX ? undefined : store.get('meta', keyOf('cluster', name));
  return bytes === undefined ? undefined : decodeClusterRecord(digests, name, bytes);
}

export function clusterPut({ digests }: StoreContext, record: ClusterRecord): StorePut {
  return { table: 'meta', key: keyOf('cluster', record.name), value: encodeClusterRecord(digests, record) };
}

export function clusterDelete(name: string): StoreDelete {
  return { table: 'meta', key: keyOf('cluster', name) };
}

export function readForking({ store, digests }: StoreContext, name: string): ForkingRecord | undefined {
  const bytes = name.length > NAME_MAX ? undefined : store.get('meta', keyOf('forking', name));
  return bytes === undefined ? undefined : decodeForking(digests, name, bytes);
}

/** The forks of a cluster that are under way, or that a command which died has left. */
export function forkingsFrom({ store, digests }: StoreContext, from: string): readonly ForkingRecord[] {
  const words = [...store.range('meta', { from: keyOf('forking', ''), to: new TextEncoder().encode('forking!') })];
  return words.map(({ key, value }) => decodeForking(digests, new TextDecoder().decode(key).slice('forking '.length), value)).filter((forking) => forking.from === from);
}

export function forkingPut({ digests }: StoreContext, record: ForkingRecord): StorePut {
  return { table: 'meta', key: keyOf('forking', record.name), value: encodeForking(digests, record) };
}

export function forkingDelete(name: string): StoreDelete {
  return { table: 'meta', key: keyOf('forking', name) };
}

/** Whether a word of `meta` is one of these. Throws when it is one that cannot be read. */
export function inspectClusterRecordWord({ digests }: StoreContext, key: string, value: Uint8Array): boolean {
  const [, kind, name] = /^(cluster|forking) ([^ ]+)$/.exec(key) ?? [];
  if (name === undefined) return false;
  if (kind === 'cluster') decodeClusterRecord(digests, name, value);
  else decodeForking(digests, name, value);
  return true;
}

export function encodeClusterRecord(digests: Digests, { name, hosts, nodes }: ClusterRecord): Uint8Array {
  return encodeRecord(digests, CLUSTER, {
    name, hosts: canonicalMap(hosts, ({ address, port }) => ({ address, port })),
    nodes: canonicalMap(nodes, ({ host, files }) => ({ host: host ?? '', files: canonicalMap(files, ({ path, isWritten }) => ({ path, isWritten: isWritten ? 1 : 0 })) })),
  });
}

export function decodeClusterRecord(digests: Digests, name: string, bytes: Uint8Array): ClusterRecord {
  const fields = decodeRecord(digests, CLUSTER, { bytes, subject: { cluster: name } });
  if (fields.text('name', NAME_MAX) !== name) throw fields.fail('is the record of another cluster');
  const hosts = fields.map('hosts', HOSTS_MAX, (entry) => whole(entry, { address: entry.text('address', TEXT_MAX), port: entry.count('port') }));
  const nodes = fields.map('nodes', NODES_MAX, (entry): ClusterRecordNode => {
    const host = entry.text('host', NAME_MAX);
    if (host !== '' && !hosts.has(host)) throw fields.fail(`has a node on the unknown host ${host}`);
    return whole(entry, { host: host === '' ? undefined : host, files: entry.map('files', FILES_MAX, (file) => whole(file, { path: file.text('path', PATH_MAX), isWritten: file.count('isWritten') === 1 })) });
  });
  fields.end();
  return { name, hosts, nodes };
}

export function encodeForking(digests: Digests, { name, from, runs }: ForkingRecord): Uint8Array {
  return encodeRecord(digests, FORKING, { name, from, runs: canonicalMap(runs, ({ host, id }) => ({ host: host ?? '', id })) });
}

export function decodeForking(digests: Digests, name: string, bytes: Uint8Array): ForkingRecord {
  const fields = decodeRecord(digests, FORKING, { bytes, subject: { cluster: name } });
  if (fields.text('name', NAME_MAX) !== name) throw fields.fail('is the record of another cluster');
  const from = fields.version === 1 ? name : fields.text('from', NAME_MAX);
  const runs = fields.map('runs', NODES_MAX, (entry) => {
    const [host, id] = [entry.text('host', NAME_MAX), entry.text('id', 32)];
    if (!/^[0-9a-f]{32}$/.test(id)) throw fields.fail('has a run that none can be');
    return whole(entry, { host: host === '' ? undefined : host, id: id as RunId }); // 32 digits.
  });
  fields.end();
  return { name, from, runs };
}

/** Nothing else is in the entry. */
function whole<T>(entry: Fields, value: T): T {
  entry.end();
  return value;
}

function keyOf(kind: 'cluster' | 'forking', name: string): Uint8Array {
  return new TextEncoder().encode(`${kind} ${name}`);
}
