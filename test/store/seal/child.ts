/** The process of lmdb-seal.test.ts: goes on with the commits of script.ts in the store it is given, in two store objects, until it is killed. Says `begin NUMBER` and `ack NUMBER`. */
import { writeSync } from 'node:fs';
import { openLmdbStore } from '../../../src/store/live/lmdb-store.ts';
import { batchOf, isSeconds } from './script.ts';

const directory = process.argv[2] ?? '';
const key = (text: string): Uint8Array => new TextEncoder().encode(text);
const [first, second] = [await openLmdbStore({ directory, mode: 'create' }), await openLmdbStore({ directory, mode: 'existing' })];
const count = first.get('runs', key('count'));
for (let number = count === undefined ? 0 : Number(new TextDecoder().decode(count)) + 1; ; number++) {
  writeSync(1, `begin ${number}\n`);
  if (number > 0) await (isSeconds(number) ? second : first).commit(batchOf(number));
  writeSync(1, `ack ${number}\n`);
  if (number % 7 === 0) await first.commit({});
  if (number % 11 === 0) await second.commit({ expect: [{ table: 'runs', key: key('count'), value: key('something else') }], puts: [{ table: 'runs', key: key('count'), value: key('wrong') }] });
  await new Promise((resolve) => { setImmediate(resolve); });
}
