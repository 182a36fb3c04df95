/**
 * From a run's name to a service, to one transaction, to a savepoint. A run that is not there is made when a program is given.
 * Invariant: a machine that could not come to its first request is closed again, and a run that was made for it stays only if it did.
 * What this does NOT do: sockets.
 */
import { statfsSync } from 'node:fs';
import { StillpointError } from '../core/index.ts';
import { openMachine, openMachineRun, type Machine, type MachineRequest } from '../machine/index.ts';
import { defaultStoreDirectory, mark, removeRuns } from '../session/index.ts';
import { abortOpen, mustWaitFor, Service, TIMEOUT_MS_DEFAULT, type Answer, type ServiceOptions } from './service.ts';

/** Free bytes without which a run is not opened again after a full disk. */
const ROOM_BYTES_MIN = 1024 * 1024;

export interface ServiceRequest extends ServiceOptions {
  readonly name: string;
  readonly store?: string | undefined;
  readonly engine?: MachineRequest['engine'] | undefined;
  /** What the run is made from when the store has none of this name. */
  readonly fresh?: Omit<MachineRequest, 'name' | 'store' | 'engine'> | undefined;
}

/** A service whose guest waits for its first request. Throws what opening a run or starting a program throws. */
export async function openService(request: ServiceRequest): Promise<Service> {
  const { machine, isFresh } = await openOrMake(request);
  try {
    await start(machine, request);
    return new Service(machine, request, { name: request.name, store: request.store, isFresh, reopen: (isAgain) => reopen(request, isAgain) });
  } catch (error) {
    await giveUp(machine, { isFresh, request });
    throw error;
  }
}

async function reopen({ fresh: _, ...request }: ServiceRequest, isAgain: boolean): Promise<Machine> {
  if (isAgain) mustHaveRoom(request.store ?? defaultStoreDirectory());
  const { machine } = await openOrMake(request, isAgain);
  try {
    await start(machine, request);
    return machine;
  } catch (error) {
    await machine.close();
    throw error;
  }
}

/** What is put back to a checkpoint must find room to be written again. */
function mustHaveRoom(store: string): void {
  const { bavail, bsize } = statfsSync(store);
  if (bavail * bsize < ROOM_BYTES_MIN) throw new StillpointError('E_DISK_FULL', `${store}: no space for the store; free some and go on`);
}

async function openOrMake({ name, store, engine, fresh }: ServiceRequest, isAgain = false): Promise<{ readonly machine: Machine; readonly isFresh: boolean }> {
  const where = { name, ...(store === undefined ? {} : { store }), ...(engine === undefined ? {} : { engine }) };
  try {
    return { machine: await openMachineRun({ ...where, isAgain }), isFresh: false };
  } catch (error) {
    const isAbsent = error instanceof StillpointError && (error.code === 'E_RUN_UNKNOWN' || error.code === 'E_STORE_OPEN');
    if (!isAbsent || fresh === undefined) throw error;
    return { machine: await openMachine({ ...fresh, ...where }), isFresh: true };
  }
}

/** Lets the guest come to its first request. One that waits for it already is left alone. */
async function start(machine: Machine, { input = 'stdin', timeoutMs = TIMEOUT_MS_DEFAULT }: ServiceOptions): Promise<void> {
  const before = machine.instructions;
  const transaction = machine.begin({ timeoutMs });
  try {
    const end = await transaction.run();
    if (end.kind === 'exited') throw new StillpointError('E_RUN_FINISHED', 'the program ended without waiting for a request');
    mustWaitFor(input, end);
    if (machine.instructions === before) await transaction.abort();
    else await transaction.commit();
  } catch (error) {
    await abortOpen(transaction);
    throw error;
  }
}

async function giveUp(machine: Machine, { isFresh, request }: { readonly isFresh: boolean; readonly request: ServiceRequest }): Promise<void> {
  await machine.close();
  if (isFresh) await removeRuns([request.name], request.store);
}

export interface OnceResult extends Answer { readonly run: string; readonly instructions: bigint; readonly hasEnded: boolean }

/** One request to a run that nobody serves; the run is at rest again afterwards, at a checkpoint. Throws as Service.request does. */
export async function transactOnce(request: ServiceRequest, bytes: Uint8Array): Promise<OnceResult> {
  const service = await openService(request);
  const before = service.machine.instructions;
  try {
    const answer = await service.request(bytes);
    return { run: request.name, ...answer, instructions: service.machine.instructions - before, hasEnded: service.machine.hasEnded };
  } finally {
    await service.stop();
  }
}

export interface SavepointResult { readonly run: string; readonly checkpoint: number; readonly name: string | undefined; readonly note: string | undefined }

/** A named place to come back to: the state of the last commit of a run that nobody executes. */
export async function savepointRun(request: { readonly name: string; readonly store?: string | undefined; readonly as?: string | undefined; readonly note?: string | undefined }): Promise<SavepointResult> {
  const machine = await openMachineRun({ name: request.name, ...(request.store === undefined ? {} : { store: request.store }) });
  await machine.close(); // Which takes a checkpoint.
  return mark(request.name, { name: request.as, note: request.note }, request.store);
}
