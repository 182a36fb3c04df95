/**
 * The main job as a story: a C program is compiled, run and recorded on real text, killed in the middle, resumed, compared with the same program on the host,
 * replayed and verified; then one byte of its journal is flipped and the replay names the place. Uses the built command; leaves nothing behind.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const CLI = join(ROOT, 'dist/bin/stillpoint.js');
const INPUT_BYTES = 24 * 1024 * 1024;
const directory = mkdtempSync(join(tmpdir(), 'stillpoint-demo-'));
const store = join(directory, 'store');
const input = join(directory, 'text');
const output = join(directory, 'words.txt');
const program = join(directory, 'word-count.elf');
const isColoured = process.stdout.isTTY === true;

function tell(text) {
  process.stdout.write(`\n${isColoured ? '\x1b[1m' : ''}${text}${isColoured ? '\x1b[0m' : ''}\n`);
}

function stillpoint(args, { shows = true, expects = 0 } = {}) {
  if (shows) process.stdout.write(`$ stillpoint ${args.join(' ').replaceAll(`${directory}/`, '')}\n`);
  const result = spawnSync(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', env: { ...process.env, STILLPOINT_STORE: store } });
  process.stdout.write(result.stdout + result.stderr.replaceAll(`${directory}/`, ''));
  if (result.status !== expects) throw new Error(`ended with ${result.status} instead of ${expects}`);
  return result;
}

/** Real text: the licences, headers and sources that are on this machine, over and over. */
function gatherText() {
  const places = ['/usr/share/common-licenses', '/usr/include', join(ROOT, 'node_modules/typescript/lib'), join(ROOT, 'docs'), join(ROOT, 'src')];
  const files = places.flatMap((place) => list(place)).sort();
  let size = 0;
  writeFileSync(input, '');
  while (size < INPUT_BYTES) {
    for (const file of files) {
      if (size >= INPUT_BYTES) break;
      const bytes = readFileSync(file).subarray(0, INPUT_BYTES - size);
      appendFileSync(input, bytes);
      size += bytes.length;
    }
  }
}

function list(place) {
  try {
    return readdirSync(place, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && /(\.(h|md|ts|d\.ts)|^[A-Z0-9.-]+)$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name)).filter((file) => statSync(file).size < 1024 * 1024);
  } catch {
    return []; // A machine without this directory has text elsewhere.
  }
}

function sha256(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** Runs until the store holds about half of the job, then kills with SIGKILL. */
async function runAndKill(args) {
  process.stdout.write(`$ stillpoint ${args.join(' ').replaceAll(`${directory}/`, '')}\n`);
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, STILLPOINT_STORE: store } });
  const ended = new Promise((done) => { child.on('close', (status, signal) => done({ status, signal })); });
  let isOver = false;
  void ended.then(() => { isOver = true; });
  while (!isOver && recorded().instructions < 800e6) await new Promise((done) => { setTimeout(done, 100); });
  child.kill('SIGKILL');
  const { signal } = await ended;
  process.stdout.write(`\n  kill -9 after ${recorded().checkpoints} checkpoints: ${signal === 'SIGKILL' ? 'the process is gone' : 'it had ended already'}\n`);
}

function recorded() {
  const result = spawnSync(process.execPath, [CLI, 'ls', '--json', '--store', store], { encoding: 'utf8' });
  const [run] = result.status === 0 ? JSON.parse(result.stdout) : [];
  return { instructions: Number(run?.instructions ?? 0), checkpoints: run?.checkpoints ?? 0 };
}

/** Flips one bit of a frame in the middle of the journal, as a bad disk would. */
async function damageJournal() {
  const { openLmdbStore } = await import(join(ROOT, 'dist/src/store/live/lmdb-store.js'));
  const database = await openLmdbStore({ directory: store, mode: 'existing' });
  const frames = [...database.range('frames', { from: new Uint8Array([0]), to: new Uint8Array(21).fill(255) })];
  const { key, value } = frames[Math.floor(frames.length / 2)];
  value[Math.floor(value.length / 3)] ^= 1;
  await database.commit({ puts: [{ table: 'frames', key, value }] });
  await database.close();
  process.stdout.write(`  one bit of frame ${Math.floor(frames.length / 2)} of ${frames.length} is flipped\n`);
}

async function main() {
  tell('1. A C program, compiled with the stock cross compiler; the same program for this host.');
  stillpoint(['cc', '-O2', join(ROOT, 'examples/word-count.c'), '-o', program], { shows: true });
  execFileSync('gcc', ['-O2', join(ROOT, 'examples/word-count.c'), '-o', join(directory, 'word-count.native')]);
  gatherText();
  process.stdout.write(`  input: ${(statSync(input).size / 1e6).toFixed(1)} MB of text from this machine\n`);

  tell('2. Run and recorded, with checkpoints on the way — and killed in the middle.');
  mkdirSync(directory, { recursive: true });
  await runAndKill(['run', '--name', 'words', '--checkpoint-every', '700ms', '--out', `words=${output}`, program, `@${input}`, '/dev/out/words']);

  tell('3. Resumed: it goes on from its last checkpoint.');
  stillpoint(['ls']);
  stillpoint(['resume', 'words', '--checkpoint-every', '2s']);

  tell('4. Compared with the same program on this host.');
  execFileSync(join(directory, 'word-count.native'), [input, join(directory, 'native.txt')]);
  const [ours, native] = [sha256(output), sha256(join(directory, 'native.txt'))];
  process.stdout.write(`  stillpoint ${ours}\n  native     ${native}\n  ${readFileSync(output, 'utf8').trimEnd().split('\n').at(-1)}\n`);
  if (ours !== native) throw new Error('the outputs differ');

  tell('5. Replayed from the journal alone: every output, every root, the end.');
  stillpoint(['replay', 'words', '--jobs', '2']);

  tell('6. One bit of the journal flips; the replay names the place.');
  await damageJournal();
  stillpoint(['replay', 'words'], { expects: 125 });
  tell('Nothing was lost, nothing was repeated, and nothing can be forged unseen.');
}

try {
  await main();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
