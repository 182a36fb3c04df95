/**
 * The process of joint-kill.test.ts: joint-child.mjs HOME ROUNDS. Adds one to a cell in each of three stores, one joint transaction a round, prints each
 * value that was committed, and at its start and end what recovery left: `doubt N`, `cells a b c`. Killed at any moment.
 */
import { join } from 'node:path';
import { withCoordinator, withStoreParticipant } from '../../dist/src/session/joint.js';

const [, , home = '', rounds = '0'] = process.argv;
const CELL = { table: 'meta', key: new TextEncoder().encode('lease 00000000000000000000000000000000') }; // A word that any store may have.

function valueOf(store) {
  const bytes = store.get(CELL.table, CELL.key);
  return bytes === undefined ? 0 : new DataView(Uint8Array.from(bytes).buffer).getUint32(0);
}

function change(store, by) {
  const before = store.get(CELL.table, CELL.key);
  const value = new Uint8Array(4);
  new DataView(value.buffer).setUint32(0, valueOf(store) + by);
  return { expect: [{ ...CELL, value: before }], puts: [{ ...CELL, value }] };
}

await withStoreParticipant({ store: join(home, 'a'), name: 'a' }, (a, { store: storeA }) =>
  withStoreParticipant({ store: join(home, 'b'), name: 'b' }, (b, { store: storeB }) =>
    withCoordinator({ store: join(home, 'c'), participants: [a, b] }, async ({ coordinator, context, recovered }) => {
      const say = async () => {
        await storeA.commit({});
        await storeB.commit({}); // Makes them see what recovery did.
        const doubts = [...await a.inDoubt(coordinator.identity), ...await b.inDoubt(coordinator.identity)];
        console.log(`doubt ${doubts.length + recovered.unresolved.length}`);
        console.log(`cells ${[storeA, storeB, context.store].map(valueOf).join(' ')}`);
      };
      await say();
      for (let round = 0; round < Number(rounds); round++) {
        await coordinator.commit({ branches: [a.branch(change(storeA, 1)), b.branch(change(storeB, 1))], local: [change(context.store, 1)] });
        console.log(`committed ${valueOf(context.store)}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await say();
    })));
