/**
 * The process that the kill tests kill: a bank of a run in a store, transfers with consecutive numbers, aborts, crashes of the guest, readers on forks.
 * It tells its parent on standard output, synchronously: `start SUM RECORDS` when it has opened, `ack NUMBER` when a commit is durable, `bad WHAT`.
 * Arguments: library, program, store, log file, seed. It goes on until it is killed, or until its standard input ends.
 */
import { existsSync, readFileSync, writeSync } from 'node:fs';

const [, , library, program, store, log, seedText] = process.argv;
const { openMachine, openMachineRun } = await import(library);
const say = (text) => writeSync(1, `${text}\n`);
let state = Number(seedText) >>> 0;
const draw = (below) => {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
};
const ask = async (transaction, request) => {
  transaction.send('stdin', request);
  await transaction.run();
  return transaction.readText('stdout');
};
const sumOf = async (machine) => {
  const transaction = machine.begin();
  const answer = await ask(transaction, 's');
  await transaction.abort();
  return answer.trim();
};

let machine;
try {
  machine = await openMachineRun({ name: 'bank', store });
} catch (error) {
  if (error.code !== 'E_RUN_UNKNOWN' && error.code !== 'E_STORE_OPEN') throw error;
  machine = await openMachine({ program, name: 'bank', store, out: [`log=${log}`], memory: '16M' });
  await machine.transact((transaction) => transaction.run());
}
const records = existsSync(log) ? readFileSync(log, 'latin1').split('\n').length - 1 : 0;
say(`start ${await sumOf(machine)} ${records}`);

let isOver = false;
process.stdin.on('end', () => { isOver = true; }).resume();
const underWay = [];
for (let number = records + 1; !isOver;) {
  const transaction = machine.begin({ maxInstructions: draw(6) === 0 ? BigInt(1 + draw(9000)) : 10_000_000n });
  try {
    const choice = draw(10);
    if (choice === 0) {
      await ask(transaction, `c ${draw(1000)} ${draw(1000)} 1 999999`);
      say('bad a guest that crashed was not noticed');
    }
    if (choice === 1) await ask(transaction, `t ${draw(1000)} ${draw(1000)} 1 999999`);
    if (choice <= 1) await transaction.abort();
    else {
      const transfers = 1 + draw(3);
      for (let index = 0; index < transfers; index++) {
        const answer = await ask(transaction, `t ${draw(1000)} ${draw(1000)} 1 ${number + index}`);
        if (!answer.startsWith('ok')) throw new Error(`an account is poor: ${answer}`);
      }
      const last = number + transfers - 1;
      number = last + 1;
      underWay.push(transaction.commit().then(() => say(`ack ${last}`)));
    }
  } catch (error) {
    if (error.code !== 'E_TXN_FAULT' && error.code !== 'E_TXN_CAP') throw error;
  }
  if (draw(20) === 0) {
    const fork = machine.fork();
    const sum = await sumOf(fork);
    if (sum !== 'sum 1000000') say(`bad a reader saw ${sum}`);
  }
  if (underWay.length >= 1 + draw(8)) await Promise.all(underWay.splice(0));
}
await Promise.all(underWay);
await machine.close();
