/**
 * What every session is made from: hashes, store, and a guest with its channels, built from a run manifest.
 * Invariants: the store is closed by whoever opened it; text of the host (Unicode) becomes byte strings here and nowhere else.
 * What this does NOT do: run the guest.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { seedFromNumber, type Digests } from '../core/index.ts';
import { createNodeDigests } from '../core/live/digest.ts';
import { userDirectory } from '../core/live/directories.ts';
import { ChannelSet } from '../channel/index.ts';
import { interpretingInWasm, translating } from '../engine/index.ts';
import { TranslationFiles, translationDirectory, type TranslationSummary } from '../engine/live/translation-files.ts';
import { enableWasmFeatures } from '../engine/live/v8-flags.ts';
import type { ImageTree } from '../image/index.ts';
import { riscv64, type Isa } from '../isa/index.ts';
import type { EngineName, RunManifest } from '../manifest/index.ts';
import { Guest, type BootOptions, type RestoredImage } from '../posix/index.ts';
import { openLmdbStore, type LmdbStore } from '../store/live/lmdb-store.ts';
import { StillpointError } from '../core/index.ts';
import type { StoreContext } from '../txn/index.ts';
import { removeFilesOfKilledForks } from './fork-files.ts';

export type { EngineName } from '../manifest/index.ts';

/** $STILLPOINT_STORE, else stillpoint/store under $XDG_STATE_HOME (default ~/.local/state). */
export function defaultStoreDirectory(): string {
  const named = process.env['STILLPOINT_STORE'];
  if (named !== undefined && named !== '') return named;
  return join(userDirectory(process.env, 'XDG_STATE_HOME', '.local/state'), 'stillpoint', 'store');
}

/** Runs `use` with a store that is closed afterwards. 'existing' and 'read-only' fail with E_STORE_OPEN when there is none. */
export async function withStore<Result>(directory: string | undefined, mode: 'create' | 'existing' | 'read-only', use: (context: StoreContext & { readonly store: LmdbStore }) => Promise<Result>): Promise<Result> {
  const path = directory ?? defaultStoreDirectory();
  if (mode !== 'create' && !existsSync(path)) throw new StillpointError('E_STORE_OPEN', `there is no store at ${path}; stillpoint run makes one, --store names another`, { data: { store: path } });
  const digests = await createNodeDigests();
  const store = await openLmdbStore({ directory: path, mode });
  try {
    if (mode !== 'read-only') await removeFilesOfKilledForks({ store, digests });
    return await use({ store, digests });
  } finally {
    await store.close();
  }
}

/** A store that its caller closes. Throws as the store does; 'existing' fails with E_STORE_OPEN when there is none. */
export async function openStoreAt(directory: string, mode: 'create' | 'existing'): Promise<LmdbStore> {
  if (mode !== 'create' && !existsSync(directory)) throw new StillpointError('E_STORE_OPEN', `there is no store at ${directory}; stillpoint run makes one, --store names another`, { data: { store: directory } });
  return openLmdbStore({ directory, mode });
}

/** A store that its caller closes, made when there is none, with what tells it from other stores. */
export async function openDeskStore(directory: string): Promise<StoreContext & { readonly store: LmdbStore; readonly identity: string }> {
  const digests = await createNodeDigests();
  const store = await openLmdbStore({ directory, mode: 'create' });
  await removeFilesOfKilledForks({ store, digests });
  return { store, digests, identity: Buffer.from(store.get('meta', new TextEncoder().encode('format'))!).toString('hex') }; // Every store has it.
}

/** A fresh guest and its channels. Throws E_ELF_* and E_PROGRAM_*, which name the program. */
export function bootGuest(manifest: RunManifest, parts: { readonly program: Uint8Array; readonly digests: Digests; readonly engine: EngineName; readonly image?: ImageTree | undefined }): { readonly guest: Guest; readonly channels: ChannelSet } {
  const channels = new ChannelSet(manifest.channels, parts.digests);
  const guest = ofProgram(manifest, () => Guest.boot({
    image: parts.image, isInImage: manifest.programPath !== undefined,
    ...machineOptions(manifest, parts.engine), channels, program: parts.program,
    argv: manifest.arguments.map(byteString), environment: manifest.environment.map(byteString), workingDirectory: byteString(manifest.workingDirectory),
    schedule: manifest.schedule, user: manifest.user, makesWorkingDirectory: manifest.makesWorkingDirectory, memoryBytes: manifest.memoryBytes, programPath: byteString(manifest.programPath ?? `/bin/${manifest.programName}`),
  }));
  return { guest, channels };
}

/** What is wrong with a program's file, with the name of the program. */
function ofProgram<Result>({ programName }: RunManifest, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof StillpointError) || !error.code.startsWith('E_ELF_')) throw error;
    throw new StillpointError(error.code, `${programName}: ${error.message}`, { data: error.data, cause: error });
  }
}

/** The guest of a snapshot, with the digests its channels had. */
export function restoreGuest(manifest: RunManifest, parts: { readonly state: RestoredImage; readonly savedDigests: Uint8Array; readonly digests: Digests; readonly engine: EngineName; readonly image?: ImageTree | undefined; readonly isLazy?: boolean | undefined }): { readonly guest: Guest; readonly channels: ChannelSet } {
  const channels = new ChannelSet(manifest.channels, parts.digests);
  const guest = Guest.restore(parts.state, { ...machineOptions(manifest, parts.engine), channels, image: parts.image, isLazy: parts.isLazy });
  channels.restoreDigests(parts.savedDigests);
  return { guest, channels };
}

function machineOptions(manifest: RunManifest, engine: EngineName): Pick<BootOptions, 'isa' | 'clock' | 'entropy'> {
  const { clock, entropy } = manifest;
  return {
    isa: isaFor(engine),
    clock: clock.kind === 'virtual' ? { kind: 'virtual', start: clock.startNanoseconds } : clock,
    entropy: entropy.kind === 'seed' ? { kind: 'seed', seed: seedFromNumber(entropy.seed) } : entropy,
  };
}

/** What `--engine` chooses when nothing is said. */
export const ENGINE_DEFAULT: EngineName = 'translate';

/** Every engine gives the same bits; only speed differs. */
function isaFor(engine: EngineName): Isa {
  switch (engine) {
    case 'translate':
      enableWasmFeatures();
      return translating(riscv64, { clock: () => performance.now(), store: translationStore() });
    case 'wasm': return interpretingInWasm(riscv64);
    case 'interpret': return riscv64;
    default: return engine satisfies never;
  }
}

let translations: TranslationFiles | undefined;

/** One for the process: machines that run the same program share what is translated. */
function translationStore(): TranslationFiles | undefined {
  const directory = translationDirectory(process.env);
  if (directory === undefined) return undefined;
  return (translations ??= new TranslationFiles(directory));
}

/** What the translation cache holds; undefined where it is switched off. */
export function translationSummary(): TranslationSummary | undefined {
  return translationStore()?.summary();
}

/** Unicode text as the guest's bytes: one character a byte. */
export function byteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
