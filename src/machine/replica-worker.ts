/**
 * The thread of a speculation: a replica of the machine, brought to a commit of it, in which one client at a time does what it likes until it is undone, or
 * until the machine takes it over.
 *
 *   load (a whole state) | follow (commits: their inputs, executed) ─► begin ─► steps ─► finish ─► keep | undo
 *                                                                                └─► again: undone, the commits since followed, the same steps
 *
 * Invariants: between speculations the replica has the root of the machine at the commit that it was brought to; requests are worked on one after the other.
 * What this does NOT do: decide who commits (pool.ts), reach files of the host.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { assert, StillpointError, type ErrorCode, type ErrorData } from '../core/index.ts';
import { createNodeDigests } from '../core/live/digest.ts';
import type { OutputOperation } from '../channel/index.ts';
import type { FreshFrame } from '../journal/index.ts';
import { decodeManifest, type EngineName, type ImageSetting } from '../manifest/index.ts';
import { hostFacts, monotonicMs, openCatalog, openImages, openStoreAt } from '../session/index.ts';
import type { ChangeSet } from '../txn/index.ts';
import { packState, unpackState, type PackedState, type ReplicaParts } from './replica-state.ts';
import { Script, type Step } from './script.ts';
import type { Core } from './core.ts';
import { Feed } from './feed.ts';
import { Transaction, type TransactionOptions } from './transaction.ts';

/** Where the image of the machine is: in a store, or in its sources. */
export type ImagePlace = { readonly kind: 'store'; readonly directory: string } | { readonly kind: 'sources'; readonly settings: readonly ImageSetting[] };
export interface ReplicaSetup { readonly manifest: Uint8Array; readonly engine: EngineName; readonly image: ImagePlace | undefined }
/** What one commit of the machine was: its inputs, and the instruction count that it reached. */
export interface Happened { readonly frames: readonly FreshFrame[]; readonly at: bigint }
/** What a speculation would be as a commit. */
export interface Finished extends Happened { readonly changes: ChangeSet; readonly operations: readonly OutputOperation[]; readonly instructions: bigint }
export type ReplicaOptions = Pick<TransactionOptions, 'maxInstructions' | 'timeoutMs'>;

export type ReplicaRequest =
  | { readonly kind: 'load'; readonly state: PackedState }
  | { readonly kind: 'follow'; readonly commits: readonly Happened[] }
  | { readonly kind: 'begin'; readonly options: ReplicaOptions }
  | { readonly kind: 'step'; readonly step: Step }
  | { readonly kind: 'again'; readonly commits: readonly Happened[] }
  | { readonly kind: 'finish' }
  /** The whole state as it is now. */
  | { readonly kind: 'state' }
  | { readonly kind: 'keep' }
  | { readonly kind: 'undo' };
export type ReplicaAnswer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: { readonly code: ErrorCode | undefined; readonly message: string; readonly data: ErrorData } };

const setup = workerData as ReplicaSetup; // Given by Replica.
const port = parentPort!; // This file is only loaded as a worker.
const manifest = decodeManifest(setup.manifest);
const digests = await createNodeDigests();
const parts: Omit<ReplicaParts, 'feed'> = { manifest, digests, engine: setup.engine, image: await openImage() };

let core: Core | undefined;
let open: { transaction: Transaction; script: Script; readonly options: ReplicaOptions; began: bigint } | undefined;
let line: Promise<void> = Promise.resolve();

port.on('message', ({ id, ...request }: ReplicaRequest & { readonly id: number }) => {
  line = line.then(() => answer(id, request));
});

async function openImage(): Promise<ReplicaParts['image']> {
  if (setup.image === undefined) return undefined;
  if (setup.image.kind === 'sources') return (await openImages(setup.image.settings, undefined)).image?.tree;
  assert(manifest.image !== undefined, 'a machine with an image in a store names it');
  return openCatalog({ store: await openStoreAt(setup.image.directory, 'existing'), digests }, manifest.image); // Closed with the thread.
}

async function answer(id: number, request: ReplicaRequest): Promise<void> {
  try {
    const value = await work(request);
    port.postMessage({ id, value } satisfies ReplicaAnswer, request.kind === 'state' ? [(value as PackedState).pages.buffer] : []);
  } catch (error) {
    const known = error instanceof StillpointError;
    const message = error instanceof Error ? error.message : String(error);
    port.postMessage({ id, error: { code: known ? error.code : undefined, message, data: known ? error.data : {} } } satisfies ReplicaAnswer);
  }
}

async function work(request: ReplicaRequest): Promise<unknown> {
  switch (request.kind) {
    case 'load':
      assert(open === undefined, 'a replica is replaced between speculations');
      core = unpackState(request.state, { ...parts, feed: new Feed({ ports: new Map(), host: hostFacts }) });
      return undefined;
    case 'follow': return follow(request.commits);
    case 'begin': {
      assert(open === undefined, 'a replica has one speculation at a time');
      open = { ...begin(request.options), script: new Script(), options: request.options };
      return undefined;
    }
    case 'step': return current().script.take(current().transaction, request.step);
    case 'again': {
      const mine = current();
      if (mine.transaction.state === 'open') await mine.transaction.abort();
      await follow(request.commits);
      Object.assign(mine, begin(mine.options));
      await mine.script.again(mine.transaction);
      return finish();
    }
    case 'finish': return finish();
    case 'state': return packState(machine());
    case 'keep':
      await current().transaction.commit();
      open = undefined;
      return undefined;
    case 'undo': {
      const { transaction } = open ?? {};
      open = undefined;
      if (transaction?.state === 'open') await transaction.abort();
      return undefined;
    }
    default: return request satisfies never;
  }
}

function machine(): Core {
  assert(core !== undefined, 'a replica is loaded first');
  return core;
}

function current(): NonNullable<typeof open> {
  if (open === undefined) throw new StillpointError('E_TXN_OVER', 'the speculation has ended already');
  return open;
}

/** Executes what the machine committed meanwhile. */
async function follow(commits: readonly Happened[]): Promise<void> {
  const { feed, channels } = machine();
  for (const { frames, at } of commits) {
    feed.repeat(frames, (name) => channels.get(name)?.spec.access !== 'sequential');
    await machine().runTo(at, { seeds: [], release: async () => { channels.takeOutput(); } });
    feed.takeFrames();
    channels.takeOutput();
  }
}

function begin(options: ReplicaOptions): { readonly transaction: Transaction; readonly began: bigint } {
  const own = machine();
  const transaction = new Transaction({
    core: own, monotonicMs, capAt: manifest.maxInstructions ?? undefined,
    commit: async () => {
      own.feed.takeFrames();
      own.channels.takeOutput();
      own.guest.release();
    },
    prepare: () => Promise.reject(new StillpointError('E_USAGE', 'a speculation cannot be prepared')),
    aborted: async () => { own.guest.release(); },
  }, options);
  return { transaction, began: own.guest.retired };
}

function finish(): Finished {
  const { began, transaction } = current();
  if (transaction.state !== 'open') throw new StillpointError('E_TXN_OVER', 'the speculation has ended already');
  const { feed, channels, guest, at } = machine();
  feed.settle(channels, at);
  return { frames: [...feed.frames], at, changes: guest.changed(), operations: channels.pendingOutput(), instructions: at - began };
}
