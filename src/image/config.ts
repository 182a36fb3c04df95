/**
 * What an image says about the program that it was made for: the `config` of an OCI image configuration (OCI image specification 1.1, "Image
 * Configuration"), which is Docker's too.
 * Invariants: what was read once is written as one text, and reads as the same again; unknown fields are ignored, as the specification asks.
 * What this does NOT do: follow it (session), find it (oci.ts).
 */
import { StillpointError } from '../core/index.ts';

export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** `NAME=VALUE`. */
  readonly environment: readonly string[];
  /** `UID[:GID]` or names; empty: user 0. */
  readonly user: string;
  /** Absolute; empty: `/`. */
  readonly workingDirectory: string;
}

/** More words and variables than any image has, and a text that a record of the store holds. */
const WORDS_MAX = 10_000;
export const CONFIG_TEXT_MAX = 1024 * 1024;

/** Throws E_IMAGE_FORMAT. `document` is the parsed configuration. */
export function imageConfigOf(document: unknown, where: string): ImageConfig {
  const config = fieldOf(document, 'config') ?? {};
  const words = (field: string): readonly string[] => {
    const value = fieldOf(config, field) ?? [];
    if (!Array.isArray(value) || value.length > WORDS_MAX || !value.every(isText)) throw malformed(where, `${field} is no list of texts`);
    return value;
  };
  const text = (field: string): string => {
    const value = fieldOf(config, field) ?? '';
    if (!isText(value)) throw malformed(where, `${field} is no text`);
    return value;
  };
  const found = { entrypoint: words('Entrypoint'), command: words('Cmd'), environment: words('Env'), user: text('User'), workingDirectory: text('WorkingDir') };
  const odd = found.environment.find((entry) => entry.indexOf('=') <= 0);
  if (odd !== undefined) throw malformed(where, 'Env holds something that is not NAME=VALUE');
  if (found.workingDirectory !== '' && !found.workingDirectory.startsWith('/')) throw malformed(where, 'WorkingDir is no absolute path');
  if (encodeImageConfig(found).length > CONFIG_TEXT_MAX) throw malformed(where, `it has more than ${CONFIG_TEXT_MAX} characters`);
  return found;
}

/** One text for one configuration. */
export function encodeImageConfig({ entrypoint, command, environment, user, workingDirectory }: ImageConfig): string {
  return JSON.stringify({ config: { Entrypoint: entrypoint, Cmd: command, Env: environment, User: user, WorkingDir: workingDirectory } });
}

/** Throws E_IMAGE_FORMAT. */
export function decodeImageConfig(text: string, where: string): ImageConfig {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw malformed(where, 'it is not JSON');
  }
  return imageConfigOf(document, where);
}

/** A field of a foreign object; null counts as absent. */
function fieldOf(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, field)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[field] ?? undefined; // A foreign object: any field may be asked for.
}

/** Text that survives UTF-8 and C strings. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && !/[\0\p{Surrogate}]/u.test(value);
}

function malformed(where: string, what: string): StillpointError {
  return new StillpointError('E_IMAGE_FORMAT', `${where}: the configuration of the image is odd: ${what}`, { data: { path: where } });
}
