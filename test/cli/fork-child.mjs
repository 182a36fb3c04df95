/**
 * The fork of fork-kill.test.ts: fork-child.mjs STORE FROM NAME COMMIT before|after. Kills itself at that commit, counted from 1.
 */
import { forkFrom } from '../../dist/src/session/branch.js';
import { LmdbStore } from '../../dist/src/store/live/lmdb-store.js';

const [, , store = '', from = '', name = '', commit = '', when = ''] = process.argv;
const { commit: commitAsIs } = LmdbStore.prototype;
let commits = 0;
LmdbStore.prototype.commit = async function (batch) {
  const isLast = ++commits === Number(commit);
  if (isLast && when === 'before') process.kill(process.pid, 'SIGKILL');
  const answer = await commitAsIs.call(this, batch);
  if (isLast) process.kill(process.pid, 'SIGKILL');
  return answer;
};
await forkFrom({ from, name, store, bind: [], freshEntropy: false });
