/**
 * The shape of a manifest file (`--manifest FILE`), as a zod schema; docs/formats/manifest.schema.json is the same as JSON Schema and a test
 * keeps them equal. Invariants: unknown keys are errors; texts with a syntax of their own are checked later (manifest-file.ts).
 */
import * as z from 'zod';
import { ENGINES } from '../engine.ts';

const size = z.union([z.int().nonnegative(), z.string().regex(/^[0-9]+[KMGTkmgt]?$/, 'is no size: 4096, 64M, 2G')]).describe('bytes: 4096, 64M, 2G (powers of 1024)');
const count = z.union([z.int().nonnegative(), z.string().regex(/^[0-9]+[KMGTkmgt]?$/, 'is no number: 42, 500M')]).describe('a number: 42, 500M (powers of 1000)');
const limits = z.strictObject({ gets: count.optional(), getBytes: size.optional(), puts: count.optional(), putBytes: size.optional() });
const standard = z.strictObject({ live: z.boolean().optional(), limits: limits.optional() });
const file = z.string().min(1).describe('path on the host, relative to the manifest file');
const shared = { live: z.boolean().optional(), limits: limits.optional() };
const channel = z.union([
  z.strictObject({ in: file, ...shared }),
  z.strictObject({ out: file, ...shared }),
  z.strictObject({ append: file, ...shared }),
  z.strictObject({ rw: file, ...shared }),
]).describe('one of in, out, append, rw with a file');

export const manifestFileSchema = z.strictObject({
  version: z.literal(1),
  program: z.string().min(1).optional().describe('path of the program, relative to the manifest file'),
  arguments: z.array(z.string()).optional().describe('after the name of the program; @FILE becomes a channel'),
  environment: z.record(z.string().regex(/^[^=]+$/, 'is no name of a variable'), z.string()).optional(),
  workingDirectory: z.string().optional().describe('absolute path inside the guest'),
  user: z.union([z.int().nonnegative(), z.string()]).optional().describe('UID, UID:GID, NAME or NAME:GROUP of the image (default: guest, or what the image says)'),
  entrypoint: z.string().optional().describe('goes before program and arguments, instead of what the image says'),
  memory: size.optional(),
  maxInstructions: count.optional(),
  clock: z.string().optional().describe('zero, virtual, virtual:SECONDS, recorded'),
  entropy: z.string().optional().describe('seed:N, recorded'),
  schedule: z.string().optional().describe('seed:N (default: in order of birth)'),
  stdin: standard.optional(),
  stdout: standard.optional(),
  stderr: standard.optional(),
  channels: z.record(z.string(), channel).optional().describe('name of a channel: its file'),
  images: z.array(z.string().min(1)).optional().describe('below the guest\'s files, lowest first: SOURCE[:MOUNT], SOURCE a name or a path with a slash'),
  checkpointEvery: z.string().optional().describe('10s, 500M'),
  keepCheckpoints: z.string().optional().describe('last=10,hourly=24,daily=30, or all'),
  store: z.string().optional(),
  name: z.string().optional(),
  ephemeral: z.boolean().optional(),
  engine: z.enum(ENGINES).optional(),
  report: z.string().optional(),
  exportLayer: z.string().optional().describe('tar archive of what the guest changed in its files'),
}).describe('Stillpoint run manifest');

export type ManifestFile = z.infer<typeof manifestFileSchema>;

/** The schema as published. */
export function manifestJsonSchema(): object {
  return { ...z.toJSONSchema(manifestFileSchema, { io: 'input' }), patternProperties: { '^x-': {} } };
}
