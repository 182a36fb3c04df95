/**
 * ZeroVM's job descriptions (the JSON of its cluster service, the groups of a zapp.yaml) as a cluster: groups of nodes with devices and links.
 *
 *   exec.path, args, env      program, arguments, environment          devices stdin, stdout, stderr   streams
 *   count, replicate          count, replicas                          input, output (also with *)     files.input, files.output
 *   connect: [b]              a channel from every node to every node of b
 *
 * Invariants: pure; every complaint names the field. What this does NOT do: fetch objects, unpack images: those are complaints.
 */
import { complain } from './parse-values.ts';
import { escapeWord, remark, splitArguments, type ConvertedCluster, type ConvertedGroup } from './converted-cluster.ts';
import type { Place } from './settings.ts';

export interface ZerovmDevice { readonly name: string; readonly path?: string | undefined; readonly [other: string]: unknown }
export interface ZerovmGroup {
  readonly name: string;
  readonly exec?: { readonly path: string; readonly args?: string | readonly string[] | undefined; readonly env?: Readonly<Record<string, string | number>> | undefined } | undefined;
  readonly path?: string | undefined;
  readonly args?: string | readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string | number>> | undefined;
  readonly devices?: readonly ZerovmDevice[] | undefined;
  readonly connect?: readonly string[] | undefined;
  readonly count?: number | undefined;
  readonly replicate?: number | undefined;
  readonly attach?: string | undefined;
  readonly location?: string | undefined;
}

const GROUP_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,23}$/;
const DROPPED = ['content_type', 'meta', 'mode', 'min_size'];

/** Throws E_MANIFEST. `place`: where a field of the list of groups stands. */
export function convertZerovmJob(groups: readonly ZerovmGroup[], place: (field: readonly (string | number)[]) => Place): ConvertedCluster {
  const cluster: ConvertedCluster = { groups: {}, channels: [], remarks: [] };
  groups.forEach((group, index) => {
    const at = (...field: readonly (string | number)[]): Place => place([index, ...field]);
    if (!GROUP_NAME.test(group.name)) throw complain(at('name'), `'${group.name.slice(0, 80)}' is not a group name (1 to 24 of a-z A-Z 0-9 _ -, first a letter)`);
    if (Object.hasOwn(cluster.groups, group.name)) throw complain(at('name'), `there are two groups ${group.name}`);
    cluster.groups[group.name] = toGroup(group, { at, cluster });
  });
  groups.forEach(({ name, connect = [], count = 1 }, index) => connect.forEach((to, link) => {
    if (!Object.hasOwn(cluster.groups, to)) throw complain(place([index, 'connect', link]), `there is no group ${to}; there are ${Object.keys(cluster.groups).join(', ')}`);
    if (to === name && count === 1) return remark(cluster, `Group ${name} has one node: its link to itself joins nothing.`);
    cluster.channels.push({ from: name, to });
  }));
  if (groups.some(({ connect = [], count = 1 }) => connect.length > 0 || count === 1)) remark(cluster, 'The only node of a group is GROUP-0 here, also in /dev/in and /dev/out.');
  return cluster;
}

function toGroup(group: ZerovmGroup, { at, cluster }: { readonly at: (...field: readonly (string | number)[]) => Place; readonly cluster: ConvertedCluster }): ConvertedGroup {
  const field = group.exec === undefined ? [] : ['exec'];
  const { path, args, env } = group.exec ?? group;
  if (path === undefined) throw complain(at(...field, 'path'), 'there is no program');
  const found: ConvertedGroup = { program: plainPath(path, at(...field, 'path')) };
  if (args !== undefined) found.arguments = typeof args === 'string' ? splitArguments(args, at(...field, 'args')) : args.map(escapeWord);
  if (env !== undefined) found.environment = Object.fromEntries(Object.entries(env).map(([key, value]) => [key, String(value)]));
  if (group.count !== undefined) found.count = group.count;
  if (group.replicate !== undefined && group.replicate > 1) found.replicas = group.replicate;
  for (const dropped of ['attach', 'location'] as const) if (group[dropped] !== undefined) remark(cluster, `${dropped} of group ${group.name} is not carried over: all nodes run on one host.`);
  (group.devices ?? []).forEach((device, index) => addDevice(found, device, { at: (...rest) => at('devices', index, ...rest), cluster, name: group.name }));
  return found;
}

function addDevice(group: ConvertedGroup, device: ZerovmDevice, { at, cluster, name }: { readonly at: (...field: readonly string[]) => Place; readonly cluster: ConvertedCluster; readonly name: string }): void {
  for (const dropped of DROPPED) if (device[dropped] !== undefined) remark(cluster, `${dropped} of devices is not carried over.`);
  const path = device.path === undefined ? undefined : plainPath(device.path, at('path'));
  switch (device.name) {
    case 'stdin':
      if (path === undefined) throw complain(at('path'), 'the device stdin has no path');
      group.stdin = path;
      return;
    case 'stdout':
    case 'stderr':
      if (path === undefined) remark(cluster, 'What nodes print without a file is in the directory of the logs.');
      else group[device.name] = path;
      return;
    case 'input':
      if (path === undefined) throw complain(at('path'), 'the device input has no path');
      group.files = { ...group.files, input: { in: path } };
      return remark(cluster, 'The guests find /dev/input at /dev/in/input and /dev/output at /dev/out/output.');
    case 'output':
      if (path === undefined) remark(cluster, 'Outputs without a path are files GROUP-I.output here.');
      group.files = { ...group.files, output: { out: path ?? `${name}-{index}.output` } };
      return remark(cluster, 'The guests find /dev/input at /dev/in/input and /dev/output at /dev/out/output.');
    case 'debug':
      return remark(cluster, 'The device debug is not carried over.');
    default:
      throw complain(at('name'), `the device ${device.name.slice(0, 40)} has no counterpart here${device.name === 'image' ? ': a node of a cluster has no image' : ''}`);
  }
}

/** A file of this host. */
function plainPath(path: string, place: Place): string {
  if (/^[a-z]+:\/\//.test(path)) throw complain(place, `${path.slice(0, 80)} is no file of this host; name the file by its path`);
  return path;
}
