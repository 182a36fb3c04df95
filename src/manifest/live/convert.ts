/**
 * `convert`: ZeroVM's manifests (text, one file for each node) and job descriptions (JSON, zapp.yaml) as a cluster manifest in YAML.
 * Invariants: what is printed is accepted by our own reader; remarks stand at its top as comments. What this does NOT do: run or open anything that the
 * descriptions name (but /dev/nvram's file, which holds arguments).
 */
import { readFileSync } from 'node:fs';
import * as yaml from 'yaml';
import * as z from 'zod';
import { StillpointError } from '../../core/index.ts';
import type { ConvertedCluster } from '../converted-cluster.ts';
import { convertZerovmJob } from '../zerovm-job.ts';
import { convertZerovmManifests, isZerovmManifest } from '../zerovm-manifest.ts';
import { parseClusterText } from './cluster-file.ts';
import { ManifestDocument } from './manifest-document.ts';
import { readManifestText } from './manifest-text.ts';

const words = z.union([z.string(), z.array(z.string())]);
const variables = z.record(z.string(), z.union([z.string(), z.number()]));
const group = z.strictObject({
  name: z.string(),
  exec: z.strictObject({ path: z.string(), name: z.string().optional(), args: words.optional(), env: variables.optional() }).optional(),
  path: z.string().optional(), args: words.optional(), env: variables.optional(),
  devices: z.array(z.looseObject({ name: z.string(), path: z.string().optional() })).optional(),
  connect: z.array(z.string()).optional(),
  count: z.int().min(1).max(256).optional(),
  replicate: z.int().min(1).max(3).optional(),
  attach: z.string().optional(), location: z.string().optional(),
});
const job = z.array(group);
const zapp = z.looseObject({ execution: z.looseObject({ groups: job }) });

/** The cluster manifest for these files: several of the text kind, or one job description. Throws E_MANIFEST, E_USAGE. */
export function convertToCluster(files: readonly string[], name: string | undefined): string {
  const texts = files.map((path) => ({ path, text: readManifestText(path) }));
  const converted = texts.every(({ text }) => isZerovmManifest(text)) ? convertZerovmManifests(texts, readText) : convertJob(texts);
  const content = { version: 1, ...(name === undefined ? {} : { name }), groups: converted.groups, ...(converted.channels.length === 0 ? {} : { channels: converted.channels }) };
  const comments = [`Converted from ${files.join(', ')}. Paths are relative to this file.`, ...converted.remarks].map((line) => `# ${line.replaceAll('\n', ' ')}\n`).join('');
  const text = `${comments}${yaml.stringify(content, { lineWidth: 0 })}`;
  parseClusterText(text, name ?? 'converted'); // Whoever gets it can use it.
  return text;
}

function convertJob(texts: readonly { readonly path: string; readonly text: string }[]): ConvertedCluster {
  const [only] = texts;
  if (only === undefined || texts.length > 1) throw new StillpointError('E_USAGE', 'give several manifests of the text kind, one for each node, or one job description (JSON or zapp.yaml)');
  const isList = /^\s*(\[|-\s)/.test(only.text);
  if (isList) {
    const document = new ManifestDocument(only.text, only.path, job);
    return convertZerovmJob(document.content, (field) => document.place(field));
  }
  const document = new ManifestDocument(only.text, only.path, zapp);
  return convertZerovmJob(document.content.execution.groups, (field) => document.place(['execution', 'groups', ...field]));
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}
