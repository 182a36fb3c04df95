/**
 * ZeroVM's manifests as a cluster: one text of lines `Key = value` for each node, nodes that name each other by number.
 *
 *   Channel = source, alias, type, etag, gets, get-bytes, puts, put-bytes
 *     /data/x   /dev/input  …  reads only        files.input: { in: /data/x }          the guest finds it at /dev/in/input
 *     /data/y   /dev/log    type 1, both ways    files.log: { append: /data/y }        at /dev/rw/log; type 3: rw
 *     tcp:2:    /dev/in/b   …  reads             channel from the group with Node = 2  at /dev/in/GROUP-0
 *
 * Invariants: every complaint names file and line; both ends of a channel between nodes must be there. Pure: texts come in, `read` gives /dev/nvram's.
 * What this does NOT do: look at the host, keep time-outs and digests (a run is limited by instructions and always has digests).
 */
import { complain } from './parse-values.ts';
import { remark, splitArguments, type ConvertedChannel, type ConvertedCluster, type ConvertedGroup, type ConvertedLimits } from './converted-cluster.ts';
import type { Place } from './settings.ts';

export interface ZerovmText { readonly path: string; readonly text: string }

interface Line { readonly key: string; readonly value: string; readonly place: Place }
interface NetworkEnd { readonly peer: number; readonly reads: boolean; readonly limits: ConvertedLimits; readonly place: Place }
interface Node { readonly name: string; readonly number: number | undefined; readonly group: ConvertedGroup; readonly ends: readonly NetworkEnd[] }

const VERSION = 20130611;
const KEYS = ['Version', 'Program', 'Memory', 'Timeout', 'Channel', 'NameServer', 'Node', 'Job', 'Etag'];
const FIELDS = 8;

/** Whether a text is of this kind. */
export function isZerovmManifest(text: string): boolean {
  return /^\s*Version\s*=/m.test(text) && /^\s*Program\s*=/m.test(text);
}

/** Throws E_MANIFEST. `read`: the text of a file, undefined when it cannot be read. */
export function convertZerovmManifests(texts: readonly ZerovmText[], read: (path: string) => string | undefined): ConvertedCluster {
  const cluster: ConvertedCluster = { groups: {}, channels: [], remarks: [] };
  const nodes = texts.map((text) => toNode(text, { cluster, read }));
  for (const { name, group } of nodes) cluster.groups[name] = group;
  cluster.channels.push(...joinNodes(nodes));
  if (nodes.some(({ ends }) => ends.length > 0)) remark(cluster, 'The guests find their peers at /dev/in/GROUP-0 and /dev/out/GROUP-0, not under the aliases of the old manifests.');
  return cluster;
}

function toNode({ path, text }: ZerovmText, { cluster, read }: { readonly cluster: ConvertedCluster; readonly read: (path: string) => string | undefined }): Node {
  const lines = linesOf(path, text);
  const whole: Place = { code: 'E_MANIFEST', where: path };
  const one = (key: string): Line => lines.find((line) => line.key === key) ?? fail(whole, `the key ${key} is missing`);
  const version = one('Version');
  if (numberOf(version) !== VERSION) throw complain(version.place, `version ${version.value} is not ${VERSION}, the one that can be converted`);
  const [bytes = '', ...tag] = one('Memory').value.split(',');
  if (tag.length !== 1) throw complain(one('Memory').place, 'Memory is BYTES, TAG');
  const group: ConvertedGroup = { program: one('Program').value, memory: numberOf({ ...one('Memory'), value: bytes.trim() }) };
  const ends: NetworkEnd[] = [];
  for (const line of lines) {
    if (line.key === 'Timeout') remark(cluster, 'Timeout (wall-clock seconds) has no counterpart; maxInstructions limits a node the same way on every host.');
    if (line.key === 'NameServer') remark(cluster, 'NameServer is not needed: the cluster introduces its nodes to each other.');
    if (line.key === 'Job') throw complain(line.place, 'a daemon (Job) has no counterpart; resume and fork take its place');
    if (line.key === 'Etag') remark(cluster, 'Etag is not needed: every channel and every state has a digest.');
    if (line.key === 'Channel') addChannel(line, { group, ends, cluster, read });
  }
  const node = lines.find(({ key }) => key === 'Node');
  return { name: nameOf(path, cluster), number: node === undefined ? undefined : numberOf(node), group, ends };
}

/** Lines that do not split at one `=` are decoration, as in the original, unless they begin with a key. */
function linesOf(path: string, text: string): readonly Line[] {
  const found: Line[] = [];
  text.split('\n').forEach((raw, index) => {
    const place: Place = { code: 'E_MANIFEST', where: `${path}:${index + 1}` };
    const parts = raw.split('=').map((part) => part.trim());
    const [key = '', value = ''] = parts;
    if (parts.length !== 2 || key === '') {
      if (KEYS.includes(key)) throw complain(place, `${key}: a value that holds = is ignored by ZeroVM; take it out`);
      return;
    }
    if (!KEYS.includes(key)) throw complain(place, `${key.slice(0, 40)} is not a known key (${KEYS.join(', ')})`);
    if (key !== 'Channel' && found.some((line) => line.key === key)) throw complain(place, `${key} is given twice`);
    found.push({ key, value, place });
  });
  return found;
}

function addChannel(line: Line, into: { readonly group: ConvertedGroup; readonly ends: NetworkEnd[]; readonly cluster: ConvertedCluster; readonly read: (path: string) => string | undefined }): void {
  const { place } = line;
  const fields = line.value.split(',').map((field) => field.trim());
  if (fields.length !== FIELDS) throw complain(place, `a channel has ${FIELDS} fields, this one has ${fields.length}`);
  const [source = '', alias = ''] = fields;
  const [type = 0, , gets = 0, getBytes = 0, puts = 0, putBytes = 0] = fields.slice(2).map((value) => numberOf({ ...line, value }));
  const [reads, writes] = [gets > 0 && getBytes > 0, puts > 0 && putBytes > 0];
  if (!reads && !writes) throw complain(place, `channel ${alias} may neither be read nor written`);
  if (source.includes(';')) throw complain(place, `channel ${alias} has several sources; replicas: N on a group runs a node several times and votes`);
  const limits: ConvertedLimits = { ...(reads ? { gets, getBytes } : {}), ...(writes ? { puts, putBytes } : {}) };
  if (source.startsWith('tcp:')) return addNetwork({ source, alias, limits, place, reads, writes }, into.ends);
  if (alias === '/dev/nvram') return addNvram(source, place, into);
  addFile({ source, alias, type, limits, place, reads, writes }, into);
}

interface ChannelFacts { readonly source: string; readonly alias: string; readonly limits: ConvertedLimits; readonly place: Place; readonly reads: boolean; readonly writes: boolean }

function addNetwork({ source, alias, limits, place, reads, writes }: ChannelFacts, ends: NetworkEnd[]): void {
  const peer = /^tcp:([0-9]+):$/.exec(source)?.[1];
  if (peer === undefined) throw complain(place, `channel ${alias}: ${source} is no node (tcp:NUMBER:); addresses of hosts have no counterpart`);
  if (reads && writes) throw complain(place, `channel ${alias} between nodes goes one way`);
  ends.push({ peer: Number(peer), reads, limits, place });
}

function addFile({ source, alias, type, limits, place, reads, writes }: ChannelFacts & { readonly type: number }, { group, cluster }: { readonly group: ConvertedGroup; readonly cluster: ConvertedCluster }): void {
  const name = /^\/dev\/([A-Za-z0-9][A-Za-z0-9._-]*)$/.exec(alias)?.[1];
  if (name === undefined) throw complain(place, `${alias} is not the alias of a channel (/dev/NAME)`);
  if (name === 'stdin' || name === 'stdout' || name === 'stderr') {
    if (reads !== (name === 'stdin') || reads === writes) throw complain(place, `${alias} goes the other way`);
    if (source !== '/dev/null') group[name] = source;
  } else {
    if (reads && writes && type !== 1 && type !== 3) throw complain(place, `channel ${alias} of type ${type} cannot go both ways`);
    const file = reads && writes ? (type === 1 ? { append: source } : { rw: source }) : reads ? { in: source } : { out: source };
    if (group.files?.[name] !== undefined) throw complain(place, `channel ${alias} is there twice`);
    group.files = { ...group.files, [name]: file };
    remark(cluster, 'The guests find /dev/NAME at /dev/in/NAME (reads), /dev/out/NAME (writes) or /dev/rw/NAME (both).');
  }
  if (source !== '/dev/null') group.limits = { ...group.limits, [name]: limits };
}

function addNvram(source: string, place: Place, { group, cluster, read }: { readonly group: ConvertedGroup; readonly cluster: ConvertedCluster; readonly read: (path: string) => string | undefined }): void {
  const text = read(source);
  if (text === undefined) throw complain(place, `${source} (the arguments and environment of the node) cannot be read`);
  const environment: Record<string, string> = {};
  let section = '';
  for (const raw of text.split('\n').map((line) => line.trim())) {
    if (raw === '' || raw.startsWith('#')) continue;
    const named = /^\[([a-z]+)\]$/.exec(raw)?.[1];
    if (named !== undefined) {
      section = named;
      if (section === 'fstab') throw complain(place, `${source}: [fstab] has no counterpart in a cluster; let the program read the archive as a file`);
      if (section !== 'args' && section !== 'env') remark(cluster, `[${section}] of ${source} is not carried over.`);
    }
    const [, args] = section === 'args' ? /^args\s*=\s*(.*)$/.exec(raw) ?? [] : [];
    if (args !== undefined) group.arguments = splitArguments(args, place).slice(1); // The first is the program's own name.
    const [, name, value] = section === 'env' ? /^name\s*=\s*([^,]+),\s*value\s*=\s*(.*)$/.exec(raw) ?? [] : [];
    if (name !== undefined && value !== undefined) environment[name.trim()] = value.replace(/\\x([0-9a-fA-F]{2})/g, (_whole, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  }
  if (Object.keys(environment).length > 0) group.environment = environment;
}

/** Each channel between nodes has two ends, in two manifests. */
function joinNodes(nodes: readonly Node[]): readonly ConvertedChannel[] {
  const byNumber = new Map<number, Node>();
  for (const node of nodes) {
    const { number, ends } = node;
    if (number === undefined && ends.length > 0) throw complain(ends[0]!.place, 'a manifest with channels to other nodes has a key Node');
    if (number !== undefined && byNumber.has(number)) throw complain({ code: 'E_MANIFEST', where: node.name }, `two manifests have Node = ${number}`);
    if (number !== undefined) byNumber.set(number, node);
  }
  const channels: ConvertedChannel[] = [];
  for (const reader of nodes) {
    for (const end of reader.ends) {
      const peer = byNumber.get(end.peer) ?? fail(end.place, `there is no manifest with Node = ${end.peer}`);
      const nth = reader.ends.filter((other) => other.reads === end.reads && other.peer === end.peer).indexOf(end);
      const other = peer.ends.filter((candidate) => candidate.reads !== end.reads && candidate.peer === reader.number)[nth];
      if (other === undefined) throw complain(end.place, `node ${end.peer} does not declare its end of this channel`);
      if (!end.reads) continue;
      channels.push({ from: peer.name, to: reader.name, ...(peer === reader ? { pattern: 'self' as const } : {}), ...(nth > 0 ? { name: `link${nth + 1}` } : {}), limits: { ...end.limits, ...other.limits } });
    }
  }
  return channels;
}

function nameOf(path: string, { groups }: ConvertedCluster): string {
  const base = (path.split('/').at(-1) ?? '').replace(/\.[^.]*$/, '').replace(/[^A-Za-z0-9_-]/g, '-').replace(/^[^A-Za-z]+/, '').slice(0, 20) || 'node';
  let name = base;
  for (let number = 2; Object.hasOwn(groups, name); number++) name = `${base}-${number}`;
  groups[name] = { program: '' }; // Taken; filled in by the caller.
  return name;
}

/** Decimal, 0x… or 0… (octal), as ZeroVM reads them. */
function numberOf({ value, key, place }: Line): number {
  const number = /^0[0-7]+$/.test(value) ? Number.parseInt(value, 8) : /^(0x[0-9a-fA-F]+|[0-9]+)$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw complain(place, `${key}: ${value.slice(0, 40)} is not a number`);
  return number;
}

function fail(place: Place, what: string): never {
  throw complain(place, what);
}
