/**
 * Translations on disk: one file a program in a directory of the user's cache, and one for the engine's own modules, written when the process ends.
 *
 *   file = 'SPTRANS1'   SHA-256 of the rest (32 bytes)   the program's batches with machine code, slots and map space as V8 serialises values
 *
 * Invariants: a file is used only when this user owns it and its directory, nobody else may write to them, and its digest is right; anything else is as if
 * it were not there. A file appears whole (rename). The name of a file has the digest of this translator in it, so another version never reads it.
 * The directory holds at most DIRECTORY_BYTES_MAX; what was not used for longest goes first. Trouble with files costs time, never a run.
 * What this does NOT do: decide whether code fits memory (translations.ts does, page by page).
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import { makeDirectories, userDirectory } from '../../core/live/directories.ts';
import { EngineModules, type KeptCode } from '../kept-module.ts';
import { ProgramTranslations, type KeptProgram, type TranslationStore } from '../translations.ts';
import { machineCode } from './machine-code.ts';

const MAGIC = Buffer.from('SPTRANS1');
const DIGEST_BYTES = 32;
const FILE_BYTES_MAX = 128 * 1024 * 1024;
const DIRECTORY_BYTES_MAX = 256 * 1024 * 1024;
const SUFFIX = '.translations';
/** In place of a program's key: the engine's own modules. */
const ENGINE = 'engine';
/** Bits of a mode that let others write. */
const OTHERS_WRITE = 0o022;

/** `$STILLPOINT_TRANSLATIONS`: a directory, or `off`; else stillpoint/translations under $XDG_CACHE_HOME (default ~/.cache). Undefined: off. */
export function translationDirectory(environment: NodeJS.ProcessEnv): string | undefined {
  const named = environment['STILLPOINT_TRANSLATIONS'];
  if (named === 'off') return undefined;
  if (named !== undefined && named !== '') return named;
  return join(userDirectory(environment, 'XDG_CACHE_HOME', '.cache'), 'stillpoint', 'translations');
}

/** What the files of this translator hold. */
export interface TranslationSummary {
  readonly directory: string;
  readonly programs: number;
  readonly units: number;
  readonly instructions: number;
  /** Of WebAssembly. */
  readonly codeBytes: number;
  /** Of what V8 has optimised. */
  readonly machineCodeBytes: number;
  /** On disk, those of other versions too. */
  readonly fileBytes: number;
  /** What translating and compiling all of it took. */
  readonly milliseconds: number;
}

export class TranslationFiles implements TranslationStore {
  readonly #directory: string;
  readonly #programs = new Map<string, ProgramTranslations>();
  #engine: EngineModules | undefined = undefined;
  #isSaving = false;
  #prefix: string | undefined = undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  digest(...parts: readonly Uint8Array[]): string {
    return digestOf(...parts).toString('hex');
  }

  program(key: string): ProgramTranslations {
    const known = this.#programs.get(key);
    if (known !== undefined) return known;
    const program = new ProgramTranslations(this.#open<KeptProgram>(key), machineCode());
    this.#programs.set(key, program);
    return program;
  }

  engine(): EngineModules {
    return (this.#engine ??= new EngineModules(() => this.#open<ReadonlyMap<string, KeptCode>>(ENGINE), machineCode()));
  }

  /** What is kept under a key, to be saved when the process ends. */
  #open<Kept>(key: string): Kept | undefined {
    if (!this.#isSaving) process.once('exit', () => { this.save(); });
    this.#isSaving = true;
    const now = new Date();
    quietly(() => { utimesSync(this.#path(key), now, now); }); // The least lately used go first.
    return this.#load<Kept>(key);
  }

  /** Writes what is new. */
  save(): void {
    for (const [key, kept] of [...this.#programs, ...(this.#engine === undefined ? [] : [[ENGINE, this.#engine] as const])]) {
      quietly(() => {
        const news = kept.news();
        if (news !== undefined) this.#write(key, news);
      });
    }
    quietly(() => { this.#makeRoom(); });
  }

  summary(): TranslationSummary {
    const sum = { programs: 0, units: 0, instructions: 0, codeBytes: 0, machineCodeBytes: 0, fileBytes: 0, milliseconds: 0 };
    const own = `${this.#prefix ??= translatorDigest()}-`;
    for (const name of quietly(() => readdirSync(this.#directory)) ?? []) {
      if (!name.endsWith(SUFFIX)) continue;
      sum.fileBytes += quietly(() => lstatSync(join(this.#directory, name)).size) ?? 0;
      const key = name.startsWith(own) ? name.slice(own.length, -SUFFIX.length) : ENGINE;
      const program = key === ENGINE ? undefined : this.#load<KeptProgram>(key);
      if (program === undefined) continue;
      sum.programs++;
      sum.milliseconds += program.milliseconds;
      for (const { batch: { units, module }, code } of program.batches) {
        sum.units += units.length;
        sum.codeBytes += module.length;
        sum.machineCodeBytes += code?.length ?? 0;
        for (const { instructions } of units) sum.instructions += instructions;
      }
    }
    return { directory: this.#directory, ...sum, milliseconds: Math.round(sum.milliseconds) };
  }

  #path(key: string): string {
    return join(this.#directory, `${this.#prefix ??= translatorDigest()}-${key.slice(0, 40)}${SUFFIX}`);
  }

  #load<Kept>(key: string): Kept | undefined {
    return quietly(() => {
      if (!isOurs(lstatSync(this.#directory))) return undefined;
      const path = this.#path(key);
      const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        const facts = fstatSync(file);
        if (!facts.isFile() || !isOurs(facts) || facts.size > FILE_BYTES_MAX) return undefined;
        const bytes = readFileSync(file);
        const start = MAGIC.length + DIGEST_BYTES;
        const content = bytes.subarray(start);
        if (bytes.length < start || !bytes.subarray(0, MAGIC.length).equals(MAGIC) || !digestOf(content).equals(bytes.subarray(MAGIC.length, start))) return undefined;
        return deserialize(content) as Kept; // Written by this translator: the name and the digest say so.
      } finally {
        closeSync(file);
      }
    });
  }

  #write(key: string, kept: unknown): void {
    makeDirectories(this.#directory, 0o700);
    if (!isOurs(lstatSync(this.#directory))) return;
    const content = serialize(kept);
    if (content.length > FILE_BYTES_MAX) return;
    const path = this.#path(key);
    const fresh = `${path}.${process.pid}.new`;
    writeFileSync(fresh, Buffer.concat([MAGIC, digestOf(content), content]), { mode: 0o600 });
    renameSync(fresh, path);
  }

  /** Also removes what a killed process has left half written. */
  #makeRoom(): void {
    const files = readdirSync(this.#directory).filter((name) => name.includes(SUFFIX)).map((name) => ({ path: join(this.#directory, name), facts: statSync(join(this.#directory, name)) }));
    files.sort((a, b) => b.facts.mtimeMs - a.facts.mtimeMs);
    let bytes = 0;
    for (const { path, facts } of files) {
      bytes += facts.size;
      const isLeft = path.endsWith('.new') && Date.now() - facts.mtimeMs > 3_600_000;
      if (bytes > DIRECTORY_BYTES_MAX || isLeft) quietly(() => { unlinkSync(path); });
    }
  }
}

function digestOf(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function isOurs({ uid, mode }: { readonly uid: number; readonly mode: number }): boolean {
  return process.getuid !== undefined && uid === process.getuid() && (mode & OTHERS_WRITE) === 0;
}

/** A missing directory, a full disk, a file that goes away: the next run translates again. */
function quietly<Result>(act: () => Result): Result | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof Error && ('code' in error || error.name === 'Error')) return undefined;
    throw error;
  }
}

/** Names the code of this translator, and what compiles it, by its bytes: all files beside this one where they are bundled, else the folders that have a part in it. */
function translatorDigest(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const roots = here.endsWith('live') ? ['isa', 'engine', 'wasm'].map((name) => join(here, '../..', name)) : [here];
  const files = roots.flatMap((root) => readdirSync(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile() && /\.[jt]s$/.test(entry.name)).map((entry) => join(entry.parentPath, entry.name)).sort();
  return digestOf(...files.map((file) => readFileSync(file)), Buffer.from(`${process.versions.v8} ${process.arch}`)).toString('hex').slice(0, 16);
}
