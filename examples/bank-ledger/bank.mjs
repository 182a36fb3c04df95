/**
 * A bank whose program crashes in the middle of a transfer, and whose books are right all the same.
 *   stillpoint cc -O2 -o ledger.elf ledger.c && node bank.mjs ledger.elf STORE RECORDS-FILE
 * Every request is one transaction. Run it again with the same store: the bank goes on where it was.
 */
import { openMachine, openMachineRun } from 'stillpoint';

const [, , program, store, records] = process.argv;

/** The bank as the store has it, or a new one. */
async function openBank() {
  try {
    return await openMachineRun({ name: 'bank', store });
  } catch (error) {
    if (error.code !== 'E_RUN_UNKNOWN' && error.code !== 'E_STORE_OPEN') throw error;
  }
  const bank = await openMachine({ program, name: 'bank', store, out: [`records=${records}`] });
  await bank.transact((transaction) => transaction.run()); // Up to its first request.
  return bank;
}

const bank = await openBank();

/** One request, one transaction: its answer, or why it never happened. */
async function request(text) {
  try {
    return await bank.transact(async (transaction) => {
      transaction.send('stdin', text);
      await transaction.run();
      return transaction.readText('stdout').trim();
    }, { maxInstructions: 10_000_000n });
  } catch (error) {
    return `${error.code}: it never happened`;
  }
}

for (const text of ['total', 'transfer 1 2 300', 'transfer 1 13 200', 'balance 1', 'total']) console.log(`${text.padEnd(20)} ${await request(text)}`);

// Two continuations, one is kept.
const [generous, careful] = [bank.branch(), bank.branch()];
await generous.transact(async (transaction) => { transaction.send('stdin', 'transfer 2 3 900'); await transaction.run(); });
await careful.transact(async (transaction) => { transaction.send('stdin', 'transfer 2 3 9'); await transaction.run(); });
await bank.promote(careful);
console.log(`balance 2            ${await request('balance 2')}`);
await bank.close();
