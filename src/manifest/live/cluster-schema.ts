/**
 * The shape of a cluster manifest (`stillpoint up FILE`), as a zod schema; docs/formats/cluster.schema.json is the same as JSON Schema and a test
 * keeps them equal. Invariants: unknown keys are errors; texts with a syntax of their own are checked later (cluster-file.ts, cluster/plan.ts).
 */
import * as z from 'zod';
import { CHANNEL_PATTERNS } from '../cluster-settings.ts';
import { ENGINES } from '../engine.ts';

const size = z.union([z.int().nonnegative(), z.string().regex(/^[0-9]+[KMGTkmgt]?$/, 'is no size: 4096, 64M, 4G')]).describe('bytes: 4096, 64M, 4G (powers of 1024)');
const count = z.union([z.int().nonnegative(), z.string().regex(/^[0-9]+[KMGTkmgt]?$/, 'is no number: 42, 500M')]).describe('a number: 42, 500M (powers of 1000)');
const path = z.string().min(1).describe('path on the host, relative to the manifest file');
const limits = z.strictObject({ gets: count.optional(), getBytes: size.optional(), puts: count.optional(), putBytes: size.optional() }).describe('quotas: numbers and bytes of reads and writes');
const file = z.union([z.strictObject({ in: path }), z.strictObject({ out: path }), z.strictObject({ append: path }), z.strictObject({ rw: path })]).describe('in, out, append or rw with a file; one * in the first in makes one node for each matching file and is the matched text elsewhere');

const group = z.strictObject({
  program: path,
  images: z.array(z.string().min(1)).optional().describe('below the files of each node, lowest first: SOURCE[:MOUNT], SOURCE a name of the store or a path with a slash; a program without a slash, or an absolute one, is looked up there first'),
  arguments: z.array(z.string()).optional().describe('after the name of the node; {index}, {count}, {match}, {node} are filled in; @FILE becomes a channel'),
  environment: z.record(z.string().regex(/^[^=]+$/, 'is no name of a variable'), z.string()).optional(),
  count: z.int().min(1).max(256).optional().describe('nodes of the group (default 1, or one for each matching file)'),
  placement: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional().describe('names of hosts that the nodes run on, in turn; local is the host of the command (default: local)'),
  replicas: z.int().min(1).max(9).optional().describe('each node runs so often, results are voted on: two detect a difference, three outvote one (default 1)'),
  workingDirectory: z.string().optional().describe('absolute path inside the guest'),
  user: z.union([z.int().nonnegative(), z.string()]).optional().describe('UID, UID:GID, NAME or NAME:GROUP of the image (default: guest, or what the image says)'),
  memory: size.optional(),
  maxInstructions: count.optional(),
  clock: z.string().optional().describe('zero, virtual, virtual:SECONDS, recorded'),
  entropy: z.string().optional().describe('seed:N, recorded (default: another seed for each node)'),
  files: z.record(z.string(), file).optional().describe('name: the guest finds it at /dev/in/NAME, /dev/out/NAME or (append, rw) /dev/rw/NAME'),
  limits: z.record(z.string(), limits).optional().describe('by name of a file or stdin, stdout, stderr'),
  stdin: path.optional(),
  stdout: path.optional().describe('default: NODE.out in the directory of the logs'),
  stderr: path.optional().describe('default: NODE.err in the directory of the logs'),
}).describe('nodes that run one program');

const channel = z.strictObject({
  from: z.string(),
  to: z.string(),
  pattern: z.enum(CHANNEL_PATTERNS).optional().describe('default: all-to-all'),
  name: z.string().optional().describe('the guests see /dev/out/NAME.GROUP-I and /dev/in/NAME.GROUP-I; with the pattern publish it is the topic, and the writer has one /dev/out/NAME'),
  messages: z.boolean().optional().describe('each write is one message, each read gives one'),
  buffer: size.optional().describe('bytes under way before the writer waits (default 4M)'),
  slow: z.enum(['wait', 'cut']).optional().describe('a reader that does not keep up is waited for (default) or, with messages, cut off'),
  limits: limits.optional().describe('gets of each reader, puts of each writer'),
}).describe('channels from the nodes of one group to the nodes of another');

export const clusterFileSchema = z.strictObject({
  version: z.literal(1),
  name: z.string().optional().describe('default: name of the manifest file'),
  groups: z.record(z.string(), group).describe('name of a group: its nodes'),
  channels: z.array(channel).optional(),
  hosts: z.record(z.string().min(1), z.string().min(1)).optional().describe('NAME: ADDRESS or ADDRESS:PORT of the agent there (default port 7410)'),
  address: z.string().min(1).optional().describe('where other hosts reach this one (default: the address that leads to the first of them)'),
  processes: z.union([z.int().min(1).max(256), z.literal('one-per-node')]).optional().describe('on each host; default: one for each processor of this one'),
  transport: z.enum(['ipc', 'tcp']).optional().describe('between processes; tcp is always encrypted, and what goes to other hosts is tcp (default: ipc)'),
  encrypt: z.boolean().optional().describe('encrypt ipc, too; tcp always is, and refuses false'),
  restarts: z.int().min(0).max(1_000_000).optional().describe('how often killed processes are started again (default 10)'),
  logs: path.optional().describe('directory of standard output and error (default: NAME.logs)'),
  checkpointEvery: z.string().optional().describe('10s, 500M'),
  engine: z.enum(ENGINES).optional(),
  store: path.optional(),
}).describe('Stillpoint cluster manifest');

export type ClusterFile = z.infer<typeof clusterFileSchema>;

/** The schema as published. */
export function clusterJsonSchema(): object {
  return { ...z.toJSONSchema(clusterFileSchema, { io: 'input' }), patternProperties: { '^x-': {} } };
}
