/**
 * Cluster manifests in YAML or JSON: text → settings. Paths in the file are relative to the file.
 * Invariants: every complaint is E_MANIFEST, one line, with file, line and field. What this does NOT do: look at the host beyond this one file;
 * match files or count nodes (cluster/plan.ts).
 */
import { basename, dirname, join, resolve } from 'node:path';
import type { ChannelLimits } from '../channel-spec.ts';
import { AGENT_PORT_DEFAULT, LOCAL_HOST, type ClusterChannel, type ClusterGroup, type ClusterHostSetting, type ClusterSettings } from '../cluster-settings.ts';
import type { ChannelKind } from '../settings.ts';
import { parseDirectory, parseImage, parseUser } from '../parse-options.ts';
import { checkName, complain, parseCap, parseCheckpointInterval, parseCount, parseMemory, parseSize } from '../parse-values.ts';
import { clusterFileSchema, type ClusterFile } from './cluster-schema.ts';
import { ManifestDocument } from './manifest-document.ts';
import { readManifestText } from './manifest-text.ts';

type Document = ManifestDocument<ClusterFile>;

const RESTARTS_DEFAULT = 10;
/** A run has the name CLUSTER.GROUP-I or CLUSTER.GROUP-I.rN in the store: together at most 64. */
const CLUSTER_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/;
const GROUP_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,23}$/;

/** Reads and parses a cluster manifest; `name` wins over its own. Throws E_MANIFEST. */
export function readClusterFile(path: string, name?: string): ClusterSettings {
  return parseClusterText(readManifestText(path), path, name);
}

/** Parses the text of a cluster manifest; `path` is for messages and relative files. */
export function parseClusterText(text: string, path: string, wish?: string): ClusterSettings {
  const document = new ManifestDocument(text, path, clusterFileSchema);
  const file = document.content;
  const name = wish ?? file.name ?? basename(path).replace(/\.[^.]*$/, '');
  if (!CLUSTER_NAME.test(name)) throw complain(document.place(['name']), `'${name.slice(0, 80)}' is not a cluster name (1 to 32 of a-z A-Z 0-9 _ -, first a letter or digit)`);
  return {
    name,
    groups: Object.entries(file.groups).map(([groupName, group]) => toGroup(groupName, group, document)),
    channels: (file.channels ?? []).map((channel, index) => toChannel(channel, index, document)),
    hosts: Object.entries(file.hosts ?? {}).map(([host, address]) => toHost(host, address, document)),
    address: file.address,
    processes: file.processes,
    transport: file.transport ?? 'ipc',
    isEncrypted: file.encrypt,
    checkpointEvery: file.checkpointEvery === undefined ? undefined : parseCheckpointInterval(file.checkpointEvery, document.place(['checkpointEvery'])),
    engine: file.engine,
    restarts: file.restarts ?? RESTARTS_DEFAULT,
    logs: file.logs === undefined ? join(resolve(dirname(path)), `${name}.logs`) : document.absolute(file.logs),
    store: file.store === undefined ? undefined : document.absolute(file.store),
    place: (field) => document.place(field),
  };
}

function toGroup(name: string, group: ClusterFile['groups'][string], document: Document): ClusterGroup {
  const place = (...field: readonly (string | number)[]): ReturnType<Document['place']> => document.place(['groups', name, ...field]);
  if (!GROUP_NAME.test(name)) throw complain(place(), `'${name.slice(0, 80)}' is not a group name (1 to 24 of a-z A-Z 0-9 _ -, first a letter)`);
  const absolute = (file: string | undefined): string | undefined => (file === undefined ? undefined : document.absolute(file));
  const images = (group.images ?? []).map((text, index) => {
    const { source, mount } = parseImage(text, place('images', index));
    return { source: source.includes('/') ? document.absolute(source) : source, mount, place: place('images', index) };
  });
  return {
    name,
    program: images.length > 0 && !group.program.includes('/') ? group.program : document.absolute(group.program),
    images,
    arguments: (group.arguments ?? []).map((text) => (text.startsWith('@') && !text.startsWith('@@') && text.length > 1 ? `@${document.absolute(text.slice(1))}` : text)),
    environment: Object.entries(group.environment ?? {}),
    count: group.count,
    placement: placementOf(group, document, place('placement')),
    replicas: group.replicas ?? 1,
    workingDirectory: group.workingDirectory === undefined ? undefined : parseDirectory(group.workingDirectory, place('workingDirectory')),
    user: group.user === undefined ? undefined : parseUser(String(group.user), place('user')),
    memoryBytes: group.memory === undefined ? undefined : parseMemory(String(group.memory), place('memory')),
    maxInstructions: group.maxInstructions === undefined ? undefined : parseCap(String(group.maxInstructions), place('maxInstructions')),
    clock: group.clock,
    entropy: group.entropy,
    files: Object.entries(group.files ?? {}).map(([channel, file]) => {
      checkName(channel, place('files', channel));
      const [kind, path] = Object.entries(file)[0] as [ChannelKind, string]; // The schema knows four, each alone.
      return { name: channel, kind, file: document.absolute(path) };
    }),
    limits: Object.entries(group.limits ?? {}).map(([channel, limits]) => ({ channel, limits: toLimits(limits, place('limits', channel)) })),
    stdin: absolute(group.stdin), stdout: absolute(group.stdout), stderr: absolute(group.stderr),
  };
}

function toHost(name: string, address: string, document: Document): ClusterHostSetting {
  const place = document.place(['hosts', name]);
  if (!GROUP_NAME.test(name) || name === LOCAL_HOST) throw complain(place, `'${name.slice(0, 80)}' is not the name of another host (1 to 24 of a-z A-Z 0-9 _ -, first a letter; ${LOCAL_HOST} is this one)`);
  const [, host, port] = /^([A-Za-z0-9.-]+)(?::([0-9]{1,5}))?$/.exec(address) ?? [];
  if (host === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) throw complain(place, `'${address.slice(0, 80)}' is not ADDRESS or ADDRESS:PORT`);
  return { name, address: host, port: port === undefined ? AGENT_PORT_DEFAULT : Number(port) };
}

function placementOf({ placement }: ClusterFile['groups'][string], { content: { hosts = {} } }: Document, place: ReturnType<Document['place']>): readonly string[] {
  const names = typeof placement === 'string' ? [placement] : placement ?? [LOCAL_HOST];
  const unknown = names.find((name) => name !== LOCAL_HOST && !Object.hasOwn(hosts, name));
  if (unknown === undefined) return names;
  const others = Object.keys(hosts);
  throw complain(place, `there is no host ${unknown}; ${others.length === 0 ? `there is only ${LOCAL_HOST}, others are named under hosts` : `there are ${[LOCAL_HOST, ...others].join(', ')}`}`);
}

function toChannel(channel: NonNullable<ClusterFile['channels']>[number], index: number, document: Document): ClusterChannel {
  if (channel.name !== undefined) checkName(channel.name, document.place(['channels', index, 'name']));
  return {
    from: channel.from, to: channel.to, pattern: channel.pattern ?? 'all-to-all', name: channel.name, hasMessages: channel.messages === true,
    windowBytes: channel.buffer === undefined ? undefined : parseSize(String(channel.buffer), document.place(['channels', index, 'buffer'])),
    cutsSlow: channel.slow === 'cut',
    limits: toLimits(channel.limits ?? {}, document.place(['channels', index, 'limits'])),
  };
}

function toLimits(limits: NonNullable<ClusterFile['groups'][string]['limits']>[string], place: ReturnType<Document['place']>): Partial<ChannelLimits> {
  const found = Object.entries(limits).map(([key, value]) => [key, key.endsWith('Bytes') ? parseSize(String(value), place) : Number(parseCount(String(value), place))]);
  return Object.fromEntries(found) as Partial<ChannelLimits>; // The schema knows the keys.
}
