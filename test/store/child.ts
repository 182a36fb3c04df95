/** The other process of lmdb-store.test.ts, lmdb-counter.test.ts, lmdb-environment.test.ts and lmdb-turn.test.ts: child.ts open|scan|read|count|reopen|hold|stop|look|write DIRECTORY …. Prints a code, never a stack, for operating errors. */
import { writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { StillpointError } from '../../src/core/index.ts';
import { TABLES } from '../../src/store/index.ts';
import { openLmdbStore } from '../../src/store/live/lmdb-store.ts';

const [, , verb, directory = '', name = '', times = '0'] = process.argv;
const key = (text: string): Uint8Array => new TextEncoder().encode(text);

async function scan(): Promise<void> {
  const store = await openLmdbStore({ directory, mode: 'existing' });
  let bytes = 0;
  for (const table of TABLES) for (const entry of store.range(table, { from: Uint8Array.of(0), to: Uint8Array.of(255, 255) })) bytes += entry.value.length;
  console.log(`${store.usage().tables.blobs.entries} entries of ${bytes} bytes`);
}

async function count(): Promise<void> {
  const store = await openLmdbStore({ directory, mode: 'create' });
  for (let done = 0; done < Number(times);) {
    const old = store.get('runs', key('counter'));
    const next = new Uint8Array(4);
    new DataView(next.buffer).setUint32(0, (old === undefined ? 0 : new DataView(old.slice().buffer).getUint32(0)) + 1);
    const outcome = await store.commit({ expect: [{ table: 'runs', key: key('counter'), value: old }], puts: [{ table: 'runs', key: key('counter'), value: next }, { table: 'blobs', key: key(`${name} ${done}`), value: next }] });
    if (outcome === 'done') done++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await store.close();
}

/** Opens the store, commits a few times and closes it, over and over; says what became of a commit that was done. */
async function reopen(): Promise<void> {
  const own = key(`own ${name}`);
  const bytes = (number: number): Uint8Array | undefined => (number === 0 ? undefined : key(String(number)));
  let last = 0;
  for (let round = 0; round < Number(times); round++) {
    const store = await openLmdbStore({ directory, mode: 'existing', isChecked: true });
    for (let more = round % 4; more >= 0; more--) {
      if (await store.commit({ expect: [{ table: 'runs', key: own, value: bytes(last) }], puts: [{ table: 'runs', key: own, value: bytes(last + 1)! }, { table: 'blobs', key: key(`${name} ${last % 50}`), value: new Uint8Array(3000) }] }) !== 'done') throw new Error(`commit ${last} of ${name} was lost`);
      const stored = store.get('runs', own);
      if (stored === undefined || new TextDecoder().decode(stored) !== String(++last)) throw new Error(`commit ${last} of ${name} is not seen`);
    }
    await store.close();
  }
  console.log(last);
}

/** Has the store open until its standard input ends. */
async function hold(): Promise<void> {
  const store = await openLmdbStore({ directory, mode: 'existing' });
  console.log('open');
  for await (const _ of process.stdin);
  await store.close();
}

/** As scan(), for reading only. */
async function read(): Promise<void> {
  const store = await openLmdbStore({ directory, mode: 'read-only' });
  console.log(`${store.usage().tables.meta.entries} entries`);
  await store.close();
}

/** Stops itself in the middle of a commit, and has the store open until its standard input ends. */
async function stop(): Promise<void> {
  const store = await openLmdbStore({ directory, mode: 'existing' });
  store.holdStill(() => {
    writeSync(1, 'held');
    process.kill(process.pid, 'SIGSTOP');
  });
  for await (const _ of process.stdin);
  await store.close();
}

/** A thread that has the store open for reading until it is told to close it. */
async function look(): Promise<void> {
  const store = await openLmdbStore({ directory, mode: 'read-only' });
  parentPort!.once('message', () => void store.close()); // Only started as a thread.
  console.log('open');
}

async function write(): Promise<void> {
  const store = await openLmdbStore({ directory, mode: 'existing' });
  for (let index = 0; ; index++) {
    const commit = `${name}-${index}`;
    await store.commit({ puts: [0, 1, 2].map((part) => ({ table: 'blobs' as const, key: key(`${commit}/${part}`), value: new Uint8Array(3000) })) });
    process.stdout.write(`${commit}\n`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

try {
  if (verb === 'open') await (await openLmdbStore({ directory, mode: 'create' })).close();
  else if (verb === 'scan') await scan();
  else if (verb === 'count') await count();
  else if (verb === 'reopen') await reopen();
  else if (verb === 'hold') await hold();
  else if (verb === 'read') await read();
  else if (verb === 'stop') await stop();
  else if (verb === 'look') await look();
  else await write();
} catch (error) {
  if (!(error instanceof StillpointError)) throw error;
  console.log(error.code);
}
