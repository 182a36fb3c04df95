/**
 * The other process of commits-beside.test.ts: commits-child.mjs DIRECTORY WORKERS MILLISECONDS. Records numbered inputs with commits beside, prints how many are durable after each commit, and
 * kills itself that long after it has asked for the tenth commit on the threads.
 */
import { writeSync } from 'node:fs';
import { ChannelSet } from '../../dist/src/channel/index.js';
import { instructionCount } from '../../dist/src/core/index.js';
import { createNodeDigests } from '../../dist/src/core/live/digest.js';
import { runId } from '../../dist/src/journal/index.js';
import { CommitsBeside, inputsAheadOf } from '../../dist/src/session/commits-beside.js';
import { Recording } from '../../dist/src/session/recording.js';
import { SnapshotWriter } from '../../dist/src/snapshot/index.js';
import { openLmdbStore } from '../../dist/src/store/live/lmdb-store.js';
import { createRun } from '../../dist/src/txn/index.js';

const [, , directory = '', workers = '', milliseconds = '0'] = process.argv;
const INPUT_BYTES = 120_000;
const COMMITS = 10;

const digests = await createNodeDigests();
const store = new CommitsBeside(await openLmdbStore({ directory, mode: 'create' }), new URL(workers));
const context = { store, digests };
const writer = await createRun(context, {
  name: 'one', id: runId('0123456789abcdef0123456789abcdef'), createdMs: 0, bindings: '{}', owner: { host: 'host', pid: process.pid, started: '1', token: 'child' }, manifest: Uint8Array.of(9), program: Uint8Array.of(1), recorder: 'child',
});
const recording = new Recording({ writer, snapshots: new SnapshotWriter(store, digests), inputsAhead: inputsAheadOf(context), channels: new ChannelSet([], digests), wallClock: () => 0 });
let inputs = 0;
let commits = 0;
for (;;) {
  for (let more = 0; more < 12; more++, inputs++) {
    const bytes = new Uint8Array(INPUT_BYTES).fill(inputs);
    new DataView(bytes.buffer).setUint32(0, inputs);
    recording.append({ kind: 'input', at: instructionCount(BigInt(inputs)), channel: 'stdin', offset: inputs * INPUT_BYTES, bytes, isFinal: true });
  }
  await recording.settle();
  const asked = inputs;
  const isLast = store.isReady && ++commits === COMMITS;
  void recording.beginTail(instructionCount(BigInt(inputs)), { written: [], outputs: new Map() }).then(() => { writeSync(1, `${asked}\n`); });
  if (isLast) setTimeout(() => { process.kill(process.pid, 'SIGKILL'); }, Number(milliseconds));
  await new Promise((done) => { setImmediate(done); });
  while (commits === 0 && !store.isReady) await new Promise((done) => { setTimeout(done, 2); });
}
