/**
 * From a cluster manifest and a look at the host to what would run: every node with its run manifest and bindings, every channel between two
 * nodes, and which process has which node.
 *
 *   group sort, count 2 ──► nodes sort-0, sort-1        channel sort → merge ──► sort-0 writes /dev/out/merge-0, merge-0 reads /dev/in/sort-0
 *
 * Invariants: one settings and one set of files give one plan, with nodes and links in the order of the manifest; nothing of the host's speed or
 * processes is in a node's run manifest, so its result does not depend on them. Nothing on the host is created or changed.
 * What this does NOT do: open, start or connect anything.
 */
import { limits, StillpointError } from '../core/index.ts';
import {
  checkManifest, compareChannelNames, complain, declareRun, LOCAL_HOST, parseClock, parseEntropy,
  type ChannelLimits, type ChannelSpec, type ClusterChannel, type ClusterHostSetting, type ClusterSettings, type HostBinding, type HostBindings, type HostInspector, type ImageSetting, type RunManifest, type RunSettings,
} from '../manifest/index.ts';
import { resolveRun, type RunImage } from '../session/index.ts';
import { groupNodes, type NodeDraft } from './plan-nodes.ts';

/** What planning asks of the host. */
export interface ClusterHost extends HostInspector {
  /** Regular files whose path matches a pattern with one `*` in its last part, sorted; undefined: its directory cannot be read. */
  matches(pattern: string): readonly string[] | undefined;
  isDirectory(path: string): boolean;
  readonly processors: number;
}

export interface PlannedNode {
  /** GROUP-I, or GROUP-I.rN for a replica. */
  readonly name: string;
  /** GROUP-I: the guest's argv[0], the same for all replicas. */
  readonly of: string;
  readonly replicas: number;
  readonly group: string;
  readonly index: number;
  /** Undefined: the host of the command. */
  readonly host: string | undefined;
  /** Number of the process that executes it. */
  readonly process: number;
  readonly manifest: RunManifest;
  readonly bindings: HostBindings;
  /** What the manifest's image is made from. */
  readonly images: readonly ImageSetting[];
}

/** A channel from one node to another; between replicas, one for each pair. */
export interface PlannedLink {
  readonly id: number;
  /** Number of the channel as the manifests know it: the same for all pairs of replicas. */
  readonly channel: number;
  readonly from: string;
  readonly to: string;
  /** Names of the channel in the two manifests: `out/b-0` and `in/a-0`. */
  readonly fromChannel: string;
  readonly toChannel: string;
  readonly hasMessages: boolean;
  /** Bytes that may be under way. */
  readonly windowBytes: number;
  /** A reader that makes nothing durable while the writer waits for it is cut off: the writer goes on. */
  readonly cutsSlow: boolean;
}

/** What the manifest says of the whole cluster goes into its plan as it is. */
export interface ClusterPlan extends Pick<ClusterSettings, 'name' | 'address' | 'transport' | 'checkpointEvery' | 'engine' | 'restarts' | 'logs' | 'store'> {
  readonly isEncrypted: boolean;
  readonly nodes: readonly PlannedNode[];
  readonly links: readonly PlannedLink[];
  /** Of all hosts. */
  readonly processes: number;
  /** The host of each process; undefined: the one of the command. */
  readonly processHosts: readonly (string | undefined)[];
  /** Other hosts that have nodes. */
  readonly hosts: readonly ClusterHostSetting[];
  /** Nothing is kept of the nodes: no journal, no second life for a killed one. */
  readonly isEphemeral: boolean;
}

export const NODES_MAX = 256; // One host; each node is a machine of its own.
const LINKS_MAX = 65_536; // NODES_MAX squared: all to all.
/** Readers make half of it durable at a time: a commit costs milliseconds on a busy disk, one of twice the size not twice as many. */
const WINDOW_BYTES_DEFAULT = 4 * 1024 * 1024;
/** Of streams: two processes on busy processors wait for each other less often. */
const WINDOW_BYTES_WIDE = 8 * 1024 * 1024;
/** Streams that have the larger one: up to 256 MiB at each end. */
const WIDE_LINKS_MAX = 32;
const WINDOW_BYTES_MIN = limits.CHUNK_BYTES;
const WINDOW_BYTES_MAX = 64 * 1024 * 1024;
/** What a waiting writer's may grow to where nothing could go on otherwise: what still stands still then wants more than a host has. */
export const WINDOW_BYTES_GROWN = 1024 * 1024 * 1024;

export interface PlanOptions {
  readonly processes?: number | undefined;
  readonly isEphemeral?: boolean | undefined;
  /** The image of each group that has some. */
  readonly images?: ReadonlyMap<string, RunImage> | undefined;
}

/** Throws E_MANIFEST, E_CHANNEL_DECLARATION, E_CHANNEL_OPEN. */
export function planCluster(settings: ClusterSettings, host: ClusterHost, options: PlanOptions = {}): ClusterPlan {
  const { place } = settings;
  if (settings.groups.length === 0) throw complain(place(['groups']), 'there is no group');
  const drafts = settings.groups.flatMap((group) => groupNodes(group, settings, host));
  const members = drafts.flatMap((draft, position) => Array.from({ length: draft.group.replicas }, (_, replica): Member => ({ draft, position, name: memberName(draft, replica), replica })));
  if (members.length > NODES_MAX) throw complain(place(['groups']), `${members.length} nodes are asked for, at most ${NODES_MAX} are possible`);
  const channels = settings.channels.flatMap((channel, index) => joinGroups(channel, index, { settings, drafts })).map((link, id, all): Channel => ({ ...link, id: link.isPublished ? all.findIndex((other) => isSameOutput(other, link)) : id }));
  refuseDoubles(channels, settings);
  const links = channels.flatMap((channel) => pairsOfReplicas(channel, members)).map((link, id, all): PlannedLink => ({ ...link, id, windowBytes: link.windowBytes ?? defaultWindow(all.length, link.hasMessages) }));
  if (links.length > LINKS_MAX) throw complain(place(['channels']), `${links.length} channels are asked for, at most ${LINKS_MAX} are possible`);
  const { processOf, processHosts } = placeOnHosts(members, settings, options.processes ?? settings.processes ?? host.processors);
  const nodes = members.map((member, at) => toNode(member, { process: processOf[at]!, host: hostOf(member), settings, channels, inspector: host, images: options.images }));
  refuseSharedFiles(nodes, settings);
  const { name, address, checkpointEvery, engine, logs, store } = settings;
  const hosts = settings.hosts.filter((setting) => processHosts.includes(setting.name));
  const transport = hosts.length > 0 ? 'tcp' : settings.transport;
  if (transport === 'tcp' && settings.isEncrypted === false) throw complain(place(['encrypt']), `tcp is always encrypted${hosts.length > 0 ? ', and what goes to other hosts is tcp' : '; say transport: ipc, or leave encrypt out'}`);
  const isEncrypted = transport === 'tcp' || settings.isEncrypted === true;
  const isEphemeral = options.isEphemeral === true;
  const voted = settings.groups.find(({ replicas }) => replicas > 1);
  if (isEphemeral && voted !== undefined) throw complain(place(['groups', voted.name, 'replicas']), 'replicas are compared by their roots, which only recorded machines have; run the cluster without --ephemeral');
  return { name, address, nodes: hosts.length === 0 ? nodes : nodes.map(spread), links, processes: processHosts.length, processHosts, hosts, transport, isEncrypted, checkpointEvery, engine, restarts: isEphemeral ? 0 : settings.restarts, logs, store, isEphemeral };
}

/** Name of a node's run in the store. */
export function runNameOf(cluster: string, node: string): string {
  return `${cluster}.${node}`;
}

/** A node whose run in its store says that others of the cluster are in other stores. */
function spread(node: PlannedNode): PlannedNode {
  const channels = new Map([...node.bindings.channels].map(([name, binding]): [string, HostBinding] => [name, binding.kind === 'peer' ? { ...binding, isSpread: true } : binding]));
  return { ...node, bindings: { ...node.bindings, channels } };
}

/** Where a member runs: nodes of a group go to its hosts in turn, and so do the replicas of a node. */
function hostOf({ draft, replica }: Member): string | undefined {
  const { placement } = draft.group;
  const name = placement[(draft.index + replica) % placement.length]!;
  return name === LOCAL_HOST ? undefined : name;
}

/** Processes of each host in turn, this one first; each takes the host's members in turn. */
function placeOnHosts(members: readonly Member[], { hosts }: ClusterSettings, wanted: number | 'one-per-node'): { readonly processOf: readonly number[]; readonly processHosts: readonly (string | undefined)[] } {
  const processOf: number[] = [];
  const processHosts: (string | undefined)[] = [];
  for (const host of [undefined, ...hosts.map(({ name }) => name)]) {
    const here = [...members.keys()].filter((at) => hostOf(members[at]!) === host);
    const count = Math.min(here.length, wanted === 'one-per-node' ? here.length : wanted);
    here.forEach((at, turn) => { processOf[at] = processHosts.length + turn % count; });
    processHosts.push(...Array.from({ length: count }, () => host));
  }
  return { processOf, processHosts };
}

/** A channel between two nodes, whatever their replicas. */
type LinkDraft = Omit<PlannedLink, 'id' | 'channel' | 'windowBytes'> & { readonly windowBytes: number | undefined; readonly isPublished: boolean; readonly limits: Partial<ChannelLimits> };
/** `id`: the same for all subscribers of one publisher's channel. */
type Channel = LinkDraft & { readonly id: number };
interface Member { readonly draft: NodeDraft; /** Of the node among all. */ readonly position: number; readonly name: string; readonly replica: number }

function memberName({ name, group }: NodeDraft, replica: number): string {
  return group.replicas === 1 ? name : `${name}.r${replica}`;
}

/** The buffer of a channel that names none, in a cluster with so many. */
export function defaultWindow(links: number, hasMessages: boolean): number {
  return hasMessages || links > WIDE_LINKS_MAX ? WINDOW_BYTES_DEFAULT : WINDOW_BYTES_WIDE;
}

function pairsOfReplicas(channel: Channel, members: readonly Member[]): readonly (Omit<PlannedLink, 'id' | 'windowBytes'> & Pick<LinkDraft, 'windowBytes'>)[] {
  const { id, isPublished: _isPublished, limits: _limits, ...link } = channel;
  const of = (node: string): readonly Member[] => members.filter(({ draft }) => draft.name === node);
  return of(channel.from).flatMap((from) => of(channel.to).map((to) => ({ ...link, channel: id, from: from.name, to: to.name })));
}

function joinGroups(channel: ClusterChannel, index: number, { settings, drafts }: { readonly settings: ClusterSettings; readonly drafts: readonly NodeDraft[] }): readonly LinkDraft[] {
  const { place } = settings;
  const nodesOf = (field: 'from' | 'to'): readonly NodeDraft[] => {
    const name = channel[field];
    const nodes = drafts.filter((draft) => draft.group.name === name);
    if (nodes.length === 0) throw complain(place(['channels', index, field]), `there is no group ${name}; there are ${settings.groups.map((group) => group.name).join(', ')}`);
    return nodes;
  };
  const { windowBytes } = channel;
  if (windowBytes !== undefined && (windowBytes < WINDOW_BYTES_MIN || windowBytes > WINDOW_BYTES_MAX)) throw complain(place(['channels', index, 'buffer']), `a buffer has from 64K to 64M`);
  const prefix = channel.name === undefined ? '' : `${channel.name}.`;
  const isPublished = channel.pattern === 'publish';
  if (isPublished && channel.name === undefined) throw complain(place(['channels', index]), 'the pattern publish wants a name: the topic');
  if (channel.cutsSlow && !channel.hasMessages) throw complain(place(['channels', index, 'slow']), 'a slow reader can be cut off between messages only; say messages: true, or slow: wait');
  return pairs(nodesOf('from'), nodesOf('to'), { channel, complainOf: (what) => complain(place(['channels', index]), what) }).map(([from, to]) => ({
    from: from.name, to: to.name, fromChannel: isPublished ? `out/${channel.name!}` : `out/${prefix}${to.name}`, toChannel: `in/${prefix}${from.name}`, hasMessages: channel.hasMessages, windowBytes, cutsSlow: channel.cutsSlow, isPublished, limits: channel.limits,
  }));
}

function pairs(from: readonly NodeDraft[], to: readonly NodeDraft[], { channel, complainOf }: { readonly channel: ClusterChannel; readonly complainOf: (what: string) => StillpointError }): readonly (readonly [NodeDraft, NodeDraft])[] {
  const isSameGroup = channel.from === channel.to;
  const { pattern } = channel;
  if ((pattern === 'ring' || pattern === 'self') && !isSameGroup) throw complainOf(`the pattern ${pattern} joins nodes of one group`);
  if (pattern === 'ring') return from.map((node, index) => [node, to[(index + 1) % to.length]!]);
  if (pattern === 'self') return from.map((node) => [node, node]);
  if (pattern === 'one-to-one') {
    if (from.length !== to.length) throw complainOf(`one-to-one wants groups of one size; ${channel.from} has ${from.length} nodes, ${channel.to} has ${to.length}`);
    return from.map((node, index) => [node, to[index]!]);
  }
  if (pattern === 'fan-in' && to.length !== 1) throw complainOf(`fan-in leads to one node; ${channel.to} has ${to.length}`);
  if (pattern === 'fan-out' && from.length !== 1) throw complainOf(`fan-out comes from one node; ${channel.from} has ${from.length}`);
  return from.flatMap((node) => to.filter((other) => other !== node).map((other) => [node, other] as const));
}

/** Channels of a topic are one for their publisher. */
function isSameOutput(a: LinkDraft, b: LinkDraft): boolean {
  return a.isPublished && b.isPublished && a.from === b.from && a.fromChannel === b.fromChannel;
}

/** A guest tells its channels apart by name. */
function refuseDoubles(links: readonly Channel[], settings: ClusterSettings): void {
  const seen = new Map<string, Channel>();
  for (const link of links) {
    const [written, read] = [`${link.from} ${link.fromChannel}`, `${link.to} ${link.toChannel}`];
    const other = seen.get(written);
    if (other !== undefined && (other.id !== link.id || other.hasMessages !== link.hasMessages)) throw double(settings, { node: link.from, channel: link.fromChannel });
    if (seen.has(read)) throw double(settings, { node: link.to, channel: link.toChannel });
    seen.set(written, link).set(read, link);
  }
}

function double({ place }: ClusterSettings, { node, channel }: { readonly node: string; readonly channel: string }): StillpointError {
  return complain(place(['channels']), `node ${node} has two channels /dev/${channel}; give one of them another name`);
}

function toNode(member: Member, context: { readonly process: number; readonly host: string | undefined; readonly settings: ClusterSettings; readonly channels: readonly Channel[]; readonly inspector: ClusterHost; readonly images: PlanOptions['images'] }): PlannedNode {
  const { settings, inspector } = context;
  const draft = ownOutputs(member);
  const wished = runSettings(draft, member.position, settings);
  const { manifest, bindings } = withPlace(draft, settings, () => {
    const resolved = resolveRun(wished, context.images?.get(draft.group.name));
    return declareRun(resolved.settings, standardless(inspector), resolved.declared);
  });
  const peers = peersOf(draft, context.channels);
  const paths = new Set(peers.map(({ spec }) => spec.path));
  const taken = manifest.channels.find(({ path }) => paths.has(path));
  if (taken !== undefined) throw complain(settings.place(['groups', draft.group.name, 'files', taken.name]), `node ${draft.name} has a channel to or from another node at ${taken.path}; give the file another name`);
  const channels = [...manifest.channels, ...peers.map(({ spec }) => spec)].sort((a, b) => compareChannelNames(a.name, b.name));
  const whole: RunManifest = { ...manifest, arguments: [draft.name, ...manifest.arguments.slice(1)], channels };
  if (channels.length > limits.CHANNELS_MAX) throw complain(settings.place(['channels']), `node ${draft.name} has ${channels.length} channels, at most ${limits.CHANNELS_MAX} are possible`);
  checkManifest(whole);
  refuseStandardFiles(draft, settings, inspector);
  const standard: readonly [string, HostBinding][] = [
    ['stdin', draft.stdin === undefined ? { kind: 'empty' } : { kind: 'file', path: draft.stdin }],
    ['stdout', { kind: 'file', path: draft.stdout ?? `${settings.logs}/${member.name}.out` }],
    ['stderr', { kind: 'file', path: draft.stderr ?? `${settings.logs}/${member.name}.err` }],
  ];
  const bound = new Map<string, HostBinding>([...bindings.channels, ...standard, ...peers.map(({ spec, binding }): [string, HostBinding] => [spec.name, binding])]);
  return { name: member.name, of: draft.name, replicas: draft.group.replicas, group: draft.group.name, index: draft.index, host: context.host, process: context.process, manifest: whole, bindings: { ...bindings, channels: bound }, images: draft.group.images };
}

/** Names of run manifests' fields that cluster manifests call otherwise. */
const FIELDS: Readonly<Record<string, string>> = { memoryBytes: 'memory', programName: 'program', programPath: 'program' };

/** What is refused of a node by what knows no cluster manifest, with the field of its group. */
function withPlace<Result>({ group }: NodeDraft, { place }: ClusterSettings, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    const { code, message, data: { field } } = error;
    const isOfManifest = code === 'E_MANIFEST' && typeof field === 'string';
    const name = isOfManifest ? FIELDS[field] ?? field : code === 'E_USER_UNKNOWN' ? 'user' : message.startsWith('argument ') ? 'arguments' : undefined;
    if (name === undefined) throw error;
    throw complain({ ...place(['groups', group.name, name]), code }, isOfManifest ? message.replace(`run manifest: ${field} `, '') : message);
  }
}

function refuseStandardFiles({ group, stdin, stdout, stderr }: NodeDraft, { place }: ClusterSettings, host: ClusterHost): void {
  if (stdin !== undefined && host.file(stdin) === undefined) throw complain(place(['groups', group.name, 'stdin']), `there is no file ${stdin}`);
  for (const [stream, path] of Object.entries({ stdin, stdout, stderr })) if (path !== undefined && host.isDirectory(path)) throw complain({ ...place(['groups', group.name, stream]), code: 'E_CHANNEL_OPEN' }, `${path} is a directory`);
}

/** Each replica writes files of its own, FILE.rN; the winner's becomes FILE when the cluster has ended. */
function ownOutputs({ draft, replica }: Member): NodeDraft {
  if (draft.group.replicas === 1) return draft;
  const own = (path: string | undefined): string | undefined => (path === undefined || path.startsWith('/dev/') ? path : `${path}.r${replica}`);
  return { ...draft, stdout: own(draft.stdout), stderr: own(draft.stderr), files: draft.files.map((file) => (file.kind !== 'in' ? { ...file, file: own(file.file)! } : file)) };
}

function peersOf(draft: NodeDraft, links: readonly Channel[]): readonly { readonly spec: ChannelSpec; readonly binding: HostBinding }[] {
  const found = new Map<string, { readonly spec: ChannelSpec; readonly binding: HostBinding }>();
  const add = (name: string, { hasMessages, id, limits: wanted }: Channel, end: { readonly reads: boolean; readonly peer: string }): void => {
    const { reads, peer } = end;
    const quota = reads ? { gets: wanted.gets ?? null, getBytes: wanted.getBytes ?? null, puts: null, putBytes: null } : { gets: null, getBytes: null, puts: wanted.puts ?? null, putBytes: wanted.putBytes ?? null };
    if (found.has(name)) return; // Of one topic, to another subscriber.
    found.set(name, { spec: { name, path: `/dev/${name}`, access: 'sequential', reads, writes: !reads, live: hasMessages, seenAs: 'pipe', initialSize: 0, limits: quota, digest: 'blocks' }, binding: { kind: 'peer', link: id, peer } });
  };
  for (const link of links) {
    if (link.from === draft.name) add(link.fromChannel, link, { reads: false, peer: link.to });
    if (link.to === draft.name) add(link.toChannel, link, { reads: true, peer: link.from });
  }
  return [...found.values()];
}

function runSettings(draft: NodeDraft, position: number, { place }: ClusterSettings): RunSettings {
  const { group } = draft;
  const field = (name: string): ReturnType<ClusterSettings['place']> => place(['groups', group.name, name]);
  const clock = group.clock === undefined ? undefined : parseClock(group.clock, field('clock'));
  const entropy: RunSettings['entropy'] = group.entropy === undefined ? { kind: 'seed', seed: BigInt(position) } : parseEntropy(group.entropy, field('entropy'));
  const alone = ([['clock', clock], ['entropy', entropy]] as const).find(([, source]) => source?.kind === 'recorded');
  if (alone !== undefined && group.replicas > 1) throw complain(field(alone[0]), `replicas that read the host's ${alone[0]} differ, each has its own; say something else than recorded, or replicas: 1`);
  return {
    program: group.program, arguments: draft.arguments, environment: draft.environment,
    ...(group.workingDirectory === undefined ? {} : { workingDirectory: group.workingDirectory }),
    ...(group.user === undefined ? {} : { user: group.user }),
    ...(group.memoryBytes === undefined ? {} : { memoryBytes: group.memoryBytes }),
    ...(group.maxInstructions === undefined ? {} : { maxInstructions: group.maxInstructions }),
    ...(clock === undefined ? {} : { clock }), entropy,
    channels: draft.files.map(({ name, kind, file }) => ({ name, kind, file, place: place(['groups', group.name, 'files', name]) })),
    live: [], limits: group.limits.map(({ channel, limits: given }) => ({ channel, limits: given, place: field('limits') })), images: group.images, entrypoint: '', host: {},
  };
}

/** A node's standard streams are files of its own, not those of the command. */
function standardless(host: ClusterHost): HostInspector {
  return {
    file: (path) => host.file(path),
    absolute: (path) => host.absolute(path),
    standard: (stream) => ({ kind: 'file', size: 0, canRead: stream === 'stdin', canWrite: stream !== 'stdin' }),
  };
}

/** A file that one node writes belongs to that node alone. */
function refuseSharedFiles(nodes: readonly PlannedNode[], settings: ClusterSettings): void {
  const users = new Map<string, { readonly node: string; readonly writes: boolean }>();
  for (const node of nodes) {
    for (const spec of node.manifest.channels) {
      const binding = node.bindings.channels.get(spec.name);
      if (binding?.kind !== 'file' || binding.path.startsWith('/dev/')) continue;
      const other = users.get(binding.path);
      if (other !== undefined && (other.writes || spec.writes)) throw complain(settings.place(['groups', node.group]), `nodes ${other.node} and ${node.name} cannot both have the file ${binding.path}: one of them writes it; put {index} or * into its name`);
      users.set(binding.path, { node: node.name, writes: spec.writes });
    }
  }
}

