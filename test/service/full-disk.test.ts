/**
 * A service on a disk that fills up: requests that find no room have not happened and say so, what was answered stays, and when there is room again the service goes on by itself.
 * The disk is a small file system of its own (tmpfs); the output file is on it, or alone on another one.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { checkStore, openService, replayRun, StillpointError, type Service } from '../../src/index.ts';
import { guestProgram, scratch } from '../machine/rig.ts';

const place = scratch();
const mounts: string[] = [];
let service: Service | undefined;
afterEach(async () => {
  await service?.stop();
  for (const mount of mounts.splice(0)) execFileSync('umount', ['-l', mount]);
});
afterAll(() => place.remove());

function smallDisk(name: string): string {
  const path = join(place.path, name);
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=5m', 'tmpfs', path]);
  mounts.push(path);
  return path;
}

function fill(disk: string): void {
  for (const bytes of [1 << 20, 1 << 16, 4096]) {
    for (let part = 0; ; part++) {
      try {
        writeFileSync(join(disk, `fill-${bytes}-${part}`), new Uint8Array(bytes));
      } catch {
        break; // Full, which is what is wanted.
      }
    }
  }
}

function free(disk: string): void {
  execFileSync('sh', ['-c', `rm -f ${disk}/fill-*`]);
}

const ask = async (request: string): Promise<string> => Buffer.from((await service!.request(Buffer.from(request))).response).toString();
const tried = async (request: string): Promise<string> => ask(request).catch((error: unknown) => (error instanceof StillpointError ? error.code : String(error)));
const numbers = (log: string): readonly number[] => readFileSync(log, 'latin1').split('\n').slice(0, -1).map((line) => Number(line.split(' ')[3]));

/** The service looks twice a second. */
async function whenThereIsRoom(request: string): Promise<string> {
  for (;;) {
    const answer = await tried(request);
    if (answer !== 'E_DISK_FULL') return answer;
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

/** Sends until `count` have found no room; how many were answered. */
async function sendUntilFull(from: number, count: number): Promise<number> {
  let answered = from;
  for (let refused = 0; refused < count;) {
    const answer = await tried(`t 1 2 1 ${answered + 1}`);
    if (answer.startsWith('ok')) answered++;
    else expect([answer, ++refused]).toEqual(['E_DISK_FULL', refused]);
  }
  return answered;
}

it('a full disk under the store: no trace of what was refused, and the service goes on', async () => {
  const disk = smallDisk('store-disk');
  const [store, log] = [join(disk, 'store'), join(disk, 'log.txt')];
  service = await openService({ name: 'bank', store, engine: 'wasm', fresh: { program: guestProgram('ledger'), out: [`log=${log}`], memory: '16M' } });
  for (let number = 1; number <= 5; number++) expect(await ask(`t 1 2 1 ${number}`)).toMatch(/^ok/);
  fill(disk);
  const answered = await sendUntilFull(5, 4);
  expect([service.failure?.code, service.canRecover]).toEqual(['E_DISK_FULL', true]);
  free(disk);
  expect(await whenThereIsRoom('b 1')).toBe(`balance ${1000 - answered}\n`);
  expect(await ask(`t 1 2 1 ${answered + 1}`)).toBe(`ok ${999 - answered} ${1001 + answered}\n`);
  expect([await ask('s'), service.failure]).toEqual(['sum 1000000\n', undefined]);
  await service.stop();
  expect(numbers(log)).toEqual(Array.from({ length: answered + 1 }, (_, index) => index + 1));
  expect((await replayRun({ name: 'bank', store, comparesFiles: true }, {})).isIdentical).toBe(true);
  expect((await checkStore({ store, repairs: false })).findings).toEqual([]);
});

it('a full disk under an output file: what was answered is on disk, and the file is completed', async () => {
  const disk = smallDisk('log-disk');
  const [store, log] = [join(place.path, 'store'), join(disk, 'log.txt')];
  service = await openService({ name: 'bank', store, engine: 'wasm', fresh: { program: guestProgram('ledger'), out: [`log=${log}`], memory: '16M' } });
  expect(await ask('t 1 2 1 1')).toMatch(/^ok/);
  fill(disk);
  const answered = await sendUntilFull(1, 3);
  expect(answered).toBeGreaterThan(100); // A page of lines, and the one that found no room.
  expect(numbers(log).length).toBeLessThan(answered);
  free(disk);
  expect(await whenThereIsRoom(`t 1 2 1 ${answered + 1}`)).toBe(`ok ${999 - answered} ${1001 + answered}\n`);
  await service.stop();
  expect(numbers(log)).toEqual(Array.from({ length: answered + 1 }, (_, index) => index + 1));
  rmSync(store, { recursive: true });
});
