/**
 * A PostgreSQL server of a test's own: a new cluster in a temporary directory, reached by a socket there (no port to collide on), run by an unprivileged
 * user because the server refuses root. `kill()` is SIGKILL to the postmaster and all its children. fsync is off: processes die here, not the machine.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const INSTALLED = '/usr/lib/postgresql';
const SETTINGS = { listen_addresses: '', max_prepared_transactions: '32', max_connections: '40', fsync: 'off', shared_buffers: '1MB', autovacuum: 'off', jit: 'off', restart_after_crash: 'on', logging_collector: 'off' };

export class PostgresServer {
  readonly #home: string;
  readonly #binaries: string;
  readonly #user: { readonly uid: number; readonly gid: number } | undefined;
  #postmaster: ChildProcess | undefined;
  #log = '';

  /** Throws, with what to do, where there is no server to be had. */
  constructor() {
    const version = existsSync(INSTALLED) ? readdirSync(INSTALLED).filter((name) => existsSync(join(INSTALLED, name, 'bin/postgres'))).sort((a, b) => Number(b) - Number(a))[0] : undefined;
    if (version === undefined) throw new Error(`no PostgreSQL server below ${INSTALLED}: run scripts/install-tools.sh as root`);
    this.#binaries = join(INSTALLED, version, 'bin');
    this.#user = process.getuid?.() === 0 ? unprivileged() : undefined;
    this.#home = mkdtempSync(join(tmpdir(), 'stillpoint-pg-'));
    mkdirSync(join(this.#home, 'run'));
    if (this.#user !== undefined) for (const path of [this.#home, join(this.#home, 'run')]) chownSync(path, this.#user.uid, this.#user.gid);
    execFileSync(join(this.#binaries, 'initdb'), ['--pgdata', this.#data, '--username', 'stillpoint', '--auth', 'trust', '--no-sync', '--encoding', 'UTF8', '--locale', 'C'], { ...this.#user, cwd: this.#home, stdio: ['ignore', 'ignore', 'pipe'] });
  }

  get connection(): string {
    return `postgresql://stillpoint@/postgres?host=${encodeURIComponent(join(this.#home, 'run'))}`;
  }

  get #data(): string {
    return join(this.#home, 'data');
  }

  /** Resolves when the server accepts connections. */
  async start(): Promise<void> {
    const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const postmaster = spawn(join(this.#binaries, 'postgres'), ['-D', this.#data, '-k', join(this.#home, 'run'), ...settings], { ...this.#user, cwd: this.#home, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#postmaster = postmaster;
    this.#log = '';
    await new Promise<void>((resolve, reject) => {
      postmaster.stderr.on('data', (chunk: Buffer) => {
        this.#log += chunk.toString();
        if (this.#log.includes('is ready to accept connections')) resolve();
      });
      postmaster.on('close', () => reject(new Error(`the server ended: ${this.#log}`)));
    });
  }

  /** As a crash of all its processes: nothing is written any more. */
  async kill(): Promise<void> {
    const postmaster = this.#postmaster;
    if (postmaster?.pid === undefined) return;
    const children = readFileSync(`/proc/${postmaster.pid}/task/${postmaster.pid}/children`, 'utf8').trim().split(' ').filter((text) => text !== '').map(Number);
    const closed = new Promise((resolve) => postmaster.once('close', resolve));
    postmaster.kill('SIGKILL');
    for (const child of children) killOne(child);
    await closed; // Every process that holds its standard error is gone.
    this.#postmaster = undefined;
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.#home, { recursive: true, force: true });
  }
}

export function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function unprivileged(): { readonly uid: number; readonly gid: number } {
  const [, , uid = '', gid = ''] = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':')).find(([name]) => name === 'nobody') ?? [];
  if (uid === '') throw new Error('there is no user nobody; the PostgreSQL server refuses to run as root');
  return { uid: Number(uid), gid: Number(gid) };
}
