/**
 * The verbs of transactional programs: serve, txn, savepoint, branch, promote. rollback is with the branches.
 */
import { Option, type Command } from 'commander';
import { checkCommand, forkFrom, openDoor, openService, parseServiceOptions, promote, removeRuns, savepointRun, standardInput, transactOnce, type Address, type Door, type EngineName, type MachineRequest, type Service, type ServiceRequest } from '../../src/index.ts';
import { stopOnSignals } from '../stop-signals.ts';
import { note, say, sayJson, whenOutputIsLost } from '../terminal.ts';
import { collect, parseEngine } from './run.ts';

interface ServiceFlags {
  readonly store?: string; readonly in: string[]; readonly out: string[]; readonly append: string[]; readonly rw: string[]; readonly limit: string[]; readonly image: string[]; readonly env: string[];
  readonly cwd?: string; readonly workdir?: string; readonly user?: string; readonly clock?: string; readonly entropy?: string; readonly schedule?: string; readonly memory?: string; readonly engine?: EngineName;
  readonly input?: string; readonly output?: string; readonly frame?: string; readonly timeout?: string; readonly maxInstructions?: string; readonly maxRequest?: string; readonly check?: string; readonly json?: boolean;
}

export function addServiceCommands(program: Command): void {
  addServe(program);
  addTxn(program);
  addSavepoint(program);
  addBranch(program);
  addPromote(program);
}

/** What serve and txn have in common. */
function addServiceOptions(command: Command): Command {
  return command
    .argument('<run>', 'name of the run').argument('[program]', 'a riscv64 Linux program: makes the run when the store has none of this name').argument('[arguments...]', 'its arguments')
    .option('--check <command>', 'a command of the host that gets the answer on standard input (the request is in the file $STILLPOINT_REQUEST); unless it exits 0 nothing has happened')
    .option('--frame <frame>', 'line: a request that does not end in a newline gets one; raw: bytes as they are (default: line)')
    .option('--timeout <time>', 'host time of one request: 500ms, 10s (default: 30s)').option('--max-instructions <count>', 'instructions of one request').option('--max-request <size>', 'largest request (default: 1M)')
    .option('--input <channel>', 'channel that takes requests (default: stdin)').option('--output <channel>', 'channel that gives answers (default: stdout)')
    .option('--store <dir>', 'the store').option('--engine <engine>', 'translate, wasm or interpret', parseEngine)
    .option('--in <name=file>', 'of a new run, as with stillpoint run', collect, []).option('--out <name=file>', 'the same', collect, []).option('--append <name=file>', 'the same', collect, [])
    .option('--rw <name=file>', 'the same', collect, []).option('--limit <channel:limits>', 'the same', collect, []).option('--image <source[:mount]>', 'the same', collect, []).option('-e, --env <key=value>', 'the same', collect, [])
    .option('-w, --workdir <dir>', 'the same').addOption(new Option('--cwd <dir>').hideHelp()).option('-u, --user <user>', 'the same')
    .option('--clock <clock>', 'the same').option('--entropy <source>', 'the same').option('--schedule <seed>', 'the same').option('--memory <size>', 'the same');
}

function toRequest(name: string, program: string | undefined, programArguments: readonly string[], flags: ServiceFlags): ServiceRequest {
  const { in: inputs, out, append, rw, limit, image, env, user, clock, entropy, schedule, memory } = flags;
  const workingDirectory = flags.workdir ?? flags.cwd;
  const options = parseServiceOptions({ frame: flags.frame, timeout: flags.timeout, maxInstructions: flags.maxInstructions, maxRequest: flags.maxRequest });
  const fresh: MachineRequest | undefined = program === undefined ? undefined : {
    program, arguments: programArguments, in: inputs, out, append, rw, limit, image, environment: env, ...(workingDirectory === undefined ? {} : { workingDirectory }), ...(user === undefined ? {} : { user }), ...(schedule === undefined ? {} : { schedule }),
    ...(clock === undefined ? {} : { clock }), ...(entropy === undefined ? {} : { entropy }), ...(memory === undefined ? {} : { memory }),
  };
  return { ...options, name, store: flags.store, engine: flags.engine, input: flags.input, output: flags.output, check: flags.check === undefined ? undefined : checkCommand(flags.check, options.timeoutMs), fresh };
}

function addServe(program: Command): void {
  addServiceOptions(program.command('serve').description('keep a machine in memory and answer requests, each one a transaction'))
    .option('--children', 'each request is answered by a child of the machine as it stands, which may exit: nothing of what it does stays')
    .option('--http <[host:]port>', 'take requests by HTTP here (host: 127.0.0.1)').option('--socket <path>', 'take requests by HTTP on a Unix socket')
    .option('--control', 'also take POST /savepoint, /rollback, /branch and /promote').option('--json', 'facts as JSON')
    .addHelpText('after', `
Examples:
  stillpoint serve bank --http 8080 -- ./ledger.elf       makes the run bank, or goes on with it
  stillpoint serve bank --socket bank.sock
  curl -d 'transfer 17 42 100' http://127.0.0.1:8080/     one request, one transaction, one answer
  curl -H 'Idempotency-Key: 93' -d 'transfer 17 42 100' …  asked again with the same key it is not done again
  curl -X POST 'http://127.0.0.1:8080/savepoint?name=a'   with --control; also /rollback?to=a /branch?name=b /promote?branch=b
  curl http://127.0.0.1:8080/metrics                      for Prometheus
  stillpoint serve py --children --socket py.sock --image debian -- python3 -c 'import sys, json; exec(sys.stdin.read())'
A request is what the program reads next on standard input, the answer is what it writes until it waits for more. When the
program crashes, exits with another status than 0, takes too long or the check says no, the answer is an error (JSON with a
code) and nothing has happened. Ctrl-C, SIGTERM and the end of the terminal: the requests that wait are answered, then the machine rests at a checkpoint.`)
    .action(async (name: string, path: string | undefined, words: string[], flags: ServiceFlags & { readonly http?: string; readonly socket?: string; readonly control?: boolean; readonly children?: boolean }) => {
      const addresses = parseServiceOptions({ http: flags.http, socket: flags.socket, needsDoor: true }).addresses;
      const service = await openService({ ...toRequest(name, path, words, flags), takesControl: flags.control, children: flags.children });
      await serve(service, { name, addresses, isJson: flags.json === true, store: flags.store });
    });
}

async function serve(service: Service, { name, addresses, isJson, store }: { readonly name: string; readonly addresses: readonly Address[]; readonly isJson: boolean; readonly store: string | undefined }): Promise<void> {
  const stop = stopOnSignals();
  const doors: Door[] = [];
  try {
    for (const address of addresses) doors.push(await openDoor(service, address));
    if (isJson) sayJson({ run: name, doors: doors.map(({ place }) => place) });
    else for (const { place } of doors) say(`${name}: serving at ${place}`);
    let isFull = false;
    while (stop.requested() === undefined && (service.failure === undefined || service.canRecover) && !service.machine.hasEnded) {
      await new Promise((resolve) => { setTimeout(resolve, 50); });
      if (isFull === (service.failure !== undefined)) continue;
      isFull = !isFull;
      note(isFull ? `the disk is full: requests are refused until there is room` : 'there is room again: requests are served');
    }
  } finally {
    await Promise.all([service.stop(), ...doors.map((door) => door.close())]);
    stop.end();
    if (doors.length < addresses.length && service.isFresh) await removeRuns([name], store); // It never served.
  }
  if (service.failure !== undefined) throw service.failure;
  note(service.machine.hasEnded ? `the program of ${name} has ended` : `stopped; go on with: stillpoint serve ${name}`);
}

function addTxn(program: Command): void {
  addServiceOptions(program.command('txn').description('one request to a run as a transaction: standard input is the request, standard output the answer'))
    .option('--json', 'facts and the answer as JSON')
    .addHelpText('after', `
Examples:
  echo 'transfer 17 42 100' | stillpoint txn bank -- ./ledger.elf    makes the run bank, or goes on with it
  stillpoint txn bank < request > answer
  stillpoint txn bank --check 'grep -q ^done' < request        unless the answer begins with done, nothing has happened
Exit status: 0 committed, and on disk; else the transaction was aborted and the run is as it was (124 a cap, 125 anything else). Where only the
answer could not be written it is committed: 125, and the line says so; 141 when whoever read the answer has left.`)
    .action(async (name: string, path: string | undefined, words: string[], flags: ServiceFlags) => {
      const request = toRequest(name, path, words, flags);
      const result = await transactOnce(request, await readInput(request.requestBytesMax));
      whenOutputIsLost('the request is done, and on disk, but its answer cannot be written');
      if (flags.json === true) return sayJson({ ...result, response: Buffer.from(result.response).toString(), remarks: Buffer.from(result.remarks).toString() });
      process.stdout.write(result.response);
      process.stderr.write(result.remarks);
    });
}

/** Standard input, no more than what would be refused anyway. */
async function readInput(bytesMax: number | undefined): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of standardInput()) {
    pieces.push(piece);
    size += piece.length;
    if (size > (bytesMax ?? Infinity)) break;
  }
  return new Uint8Array(Buffer.concat(pieces));
}

function addSavepoint(program: Command): void {
  program.command('savepoint').description('a place to come back to: a checkpoint of a run at rest, with a name').argument('<run>', 'name of the run')
    .option('--name <name>', 'a name, unique in the run').option('--note <text>', 'one line').option('--store <dir>', 'the store').option('--json', 'facts as JSON')
    .addHelpText('after', `
Examples:
  stillpoint savepoint shell --name before-upgrade
  stillpoint rollback shell --to before-upgrade         undo everything since
  stillpoint branch shell@before-upgrade try-1          or try something else beside it`)
    .action(async (name: string, flags: { readonly name?: string; readonly note?: string; readonly store?: string; readonly json?: boolean }) => {
      const result = await savepointRun({ name, store: flags.store, as: flags.name, note: flags.note });
      if (flags.json === true) return sayJson(result);
      say(`${result.run}@${result.checkpoint}${result.name === undefined ? '' : ` is ${result.name}`}`);
    });
}

function addBranch(program: Command): void {
  program.command('branch').description('another continuation of a run: from where it is, or from a savepoint').argument('<from>', 'RUN, RUN@SAVEPOINT or RUN@NUMBER').argument('<name>', 'name of the branch')
    .option('--bind <channel=file>', 'the host file of a channel of the branch (outputs: FILE.NAME by default)', collect, []).option('--fresh-entropy', 'other random numbers from here on').option('--store <dir>', 'the store').option('--json', 'facts as JSON')
    .addHelpText('after', `
Examples:
  stillpoint branch shell try-1
  stillpoint branch shell@before-upgrade try-2
  stillpoint promote try-2                              keeps this one under the name shell`)
    .action(async (from: string, name: string, flags: { readonly bind: string[]; readonly freshEntropy?: boolean; readonly store?: string; readonly json?: boolean }) => {
      const result = await forkFrom({ from, name, store: flags.store, bind: flags.bind, freshEntropy: flags.freshEntropy ?? false, fromNow: true });
      if (flags.json === true) return sayJson(result);
      say(`${result.name}: a branch of ${result.from}@${result.checkpoint}, instruction ${result.instructions}`);
    });
}

function addPromote(program: Command): void {
  program.command('promote').description('keep one of several continuations: a branch takes the place of the run that it came from').argument('<branch>', 'name of the branch')
    .option('--onto <run>', 'take the place of this run instead').option('--keep <name>', 'keep the replaced run under this name (default: it is removed)').option('--files', 'its output files take the places of those of the replaced run, which stay as FILE.NAME with --keep').option('--store <dir>', 'the store').option('--json', 'facts as JSON')
    .addHelpText('after', `
Examples:
  stillpoint promote try-2
  stillpoint promote try-2 --keep shell-as-it-was
  stillpoint promote try-2 --files
Names move in one step, or not at all. Without --files output files stay where they are: the branch goes on writing its own.`)
    .action(async (branch: string, flags: { readonly onto?: string; readonly keep?: string; readonly files?: boolean; readonly store?: string; readonly json?: boolean }) => {
      const result = await promote({ branch, onto: flags.onto, keep: flags.keep, store: flags.store, takesFiles: flags.files });
      if (flags.json === true) return sayJson(result);
      say(`${result.name}: what ${branch} was${flags.keep === undefined ? '' : `; what it was before is ${flags.keep}`}`);
    });
}
