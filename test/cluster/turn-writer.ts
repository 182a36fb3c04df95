/** Changes two words of a store together, over and over, until its standard input ends. Argument: the store. */
import { openLmdbStore } from '../../src/store/live/lmdb-store.ts';

const store = await openLmdbStore({ directory: process.argv[2]!, mode: 'existing' });
let isOver = false;
process.stdin.on('end', () => { isOver = true; }).resume();
for (let count = 0; !isOver; count++) {
  await store.commit({ puts: ['a', 'b'].map((name) => ({ table: 'meta' as const, key: new TextEncoder().encode(`turn ${name}`), value: new TextEncoder().encode(String(count)) })) });
  await new Promise((done) => { setImmediate(done); });
}
await store.close();
