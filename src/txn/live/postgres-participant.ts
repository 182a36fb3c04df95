/**
 * PostgreSQL as a participant: `PREPARE TRANSACTION`, `COMMIT PREPARED`, `pg_prepared_xacts`. The id of a transaction is its gid.
 *
 *   begin ─► BEGIN … queries … ─► prepare: PREPARE TRANSACTION 'id' ─► commit or abort: COMMIT PREPARED / ROLLBACK PREPARED, from any connection
 *
 * Invariants: each connection of a transaction carries its coordinator and epoch as application_name, so that a later epoch can end what an earlier one
 * left running before it looks at what is prepared; every wait has an end (timeoutMs). The server needs max_prepared_transactions above 0.
 * What this does NOT do: retry a transaction, or see transactions of other databases of the server.
 */
import type { Pool, PoolClient, QueryResult } from 'pg';
import { StillpointError } from '../../core/index.ts';
import { idPrefix, isPartyName, parseTransactionId, type Branch, type CoordinatorIdentity, type Participant, type TransactionId } from '../participant.ts';

export interface PostgresRequest {
  /** Name of the participant. */
  readonly name: string;
  /** `postgresql://user:password@host:port/database`, or what libpq's environment variables say. */
  readonly connection?: string | undefined;
  /** Longest wait for a connection and for one statement. Default: 10 s. */
  readonly timeoutMs?: number | undefined;
}

const TIMEOUT_MS_DEFAULT = 10_000;
/** Connections of one epoch, and of the side that ends transactions. */
const CONNECTIONS_MAX = 16;
/** A pooled connection may have died with the server; a fresh one is tried. */
const ATTEMPTS_MAX = 3;
/** undefined_object: no prepared transaction of this gid. */
const NO_SUCH_GID = '42704';

type Rows = readonly Readonly<Record<string, unknown>>[];

export class PostgresParticipant implements Participant {
  readonly name: string;
  readonly timeoutMs: number;
  readonly #makePool: (applicationName: string) => Pool;
  readonly #pools = new Map<string, Pool>();

  /** Use openPostgres(). */
  constructor(request: PostgresRequest, makePool: (applicationName: string) => Pool) {
    this.name = request.name;
    this.timeoutMs = request.timeoutMs ?? TIMEOUT_MS_DEFAULT;
    this.#makePool = makePool;
  }

  /** A transaction of the database for the coordinator that will commit it. */
  async begin(coordinator: CoordinatorIdentity): Promise<PostgresBranch> {
    const client = await this.#attempt(() => this.#pool(applicationName(coordinator)).connect());
    const branch = new PostgresBranch(this, { client, applicationName: applicationName(coordinator) });
    await branch.query('BEGIN');
    return branch;
  }

  async commit(id: TransactionId): Promise<void> {
    await this.#end(`COMMIT PREPARED '${gid(id)}'`);
  }

  async abort(id: TransactionId): Promise<void> {
    await this.#end(`ROLLBACK PREPARED '${gid(id)}'`);
  }

  async inDoubt(coordinator: CoordinatorIdentity): Promise<readonly TransactionId[]> {
    const sessions = await this.query(
      "SELECT pid, application_name AS name FROM pg_stat_activity WHERE datname = current_database() AND starts_with(application_name, $1) AND pid <> pg_backend_pid()", [idPrefix(coordinator.id)]);
    for (const { pid, name } of sessions) {
      const epoch = /-([0-9]+)$/.exec(String(name))?.[1];
      if (epoch !== undefined && Number(epoch) < coordinator.epoch) await this.terminate(Number(pid), String(name));
    }
    const found = await this.query('SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, $1) ORDER BY gid', [idPrefix(coordinator.id)]);
    return found.flatMap((row) => parseTransactionId(String(row['gid']))?.id ?? []);
  }

  /** Closes all connections. Transactions that are not prepared are undone by the server. */
  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.end()));
    this.#pools.clear();
  }

  /** One statement outside any transaction. */
  async query(text: string, values: readonly unknown[] = []): Promise<Rows> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.#attempt(() => this.#pool('stillpoint').query<Record<string, unknown>>(text, [...values]))).rows;
      } catch (error) {
        const isLost = error instanceof StillpointError && error.data['sqlstate'] === undefined;
        if (!isLost || attempt >= ATTEMPTS_MAX) throw error;
      }
    }
  }

  /** Ends a connection of ours on the server, and waits until it is gone: nothing that it was sent happens afterwards. */
  async terminate(pid: number, name: string): Promise<void> {
    const rows = await this.query('SELECT pg_terminate_backend(pid, $3) AS gone FROM pg_stat_activity WHERE pid = $1 AND application_name = $2', [pid, name, this.timeoutMs]);
    if (rows.some(({ gone }) => gone !== true)) throw new StillpointError('E_PARTICIPANT', `participant ${this.name}: connection ${pid} of an earlier owner does not end`, { data: { participant: this.name } });
  }

  /** What the driver or the server said, as an error of ours. */
  failure(cause: unknown): StillpointError {
    const sqlstate = typeof cause === 'object' && cause !== null && 'code' in cause && /^[0-9A-Z]{5}$/.test(String(cause.code)) ? String(cause.code) : undefined;
    const says = cause instanceof AggregateError ? String(cause.errors[0]) : cause instanceof Error ? cause.message : String(cause);
    return new StillpointError('E_PARTICIPANT', `participant ${this.name}: ${says.replace(/\s+/g, ' ')}`, { data: { participant: this.name, sqlstate }, cause });
  }

  async #end(statement: string): Promise<void> {
    try {
      await this.query(statement);
    } catch (error) {
      if (error instanceof StillpointError && error.data['sqlstate'] === NO_SUCH_GID) return;
      throw error;
    }
  }

  async #attempt<Result>(action: () => Promise<Result>): Promise<Result> {
    try {
      return await action();
    } catch (cause) {
      throw this.failure(cause);
    }
  }

  #pool(applicationName: string): Pool {
    let pool = this.#pools.get(applicationName);
    if (pool === undefined) {
      pool = this.#makePool(applicationName);
      pool.on('error', () => undefined); // An idle connection died; the pool drops it, and the next statement gets another.
      this.#pools.set(applicationName, pool);
    }
    return pool;
  }
}

/** One transaction of the database. */
export class PostgresBranch implements Branch {
  readonly participant: PostgresParticipant;
  readonly #client: PoolClient;
  readonly #applicationName: string;
  /** 'lost': the connection is not to be used any more. */
  #state: 'open' | 'prepared' | 'lost' | 'over' = 'open';

  constructor(participant: PostgresParticipant, { client, applicationName: name }: { readonly client: PoolClient; readonly applicationName: string }) {
    this.participant = participant;
    this.#client = client;
    this.#applicationName = name;
    client.on('error', this.#onLoss);
  }

  /** A statement of this transaction. An error of the server aborts the transaction (as in psql): prepare() will refuse. */
  async query(text: string, values: readonly unknown[] = []): Promise<Rows> {
    return (await this.#send(text, values)).rows;
  }

  async prepare(id: TransactionId): Promise<void> {
    const { command } = await this.#send(`PREPARE TRANSACTION '${gid(id)}'`, []);
    this.#release();
    if (command === 'PREPARE') {
      this.#state = 'prepared';
      return;
    }
    this.#state = 'over'; // The server answers the prepare of a failed transaction with ROLLBACK, and no error.
    throw new StillpointError('E_PARTICIPANT', `participant ${this.participant.name}: a statement of the transaction failed, the server undid it`, { data: { participant: this.participant.name } });
  }

  async abort(id: TransactionId): Promise<void> {
    if (this.#state === 'open') {
      try {
        await this.#send('ROLLBACK', []);
        this.#state = 'over';
        this.#release();
      } catch (error) {
        if (!(error instanceof StillpointError)) throw error; // Else the connection is lost, and what it was doing is ended below.
      }
    }
    if (this.#state === 'lost') {
      const { processID } = this.#client as unknown as { readonly processID: number | null }; // In the package, not in its types.
      if (processID !== null) await this.participant.terminate(processID, this.#applicationName);
    }
    if (this.#state !== 'over') await this.participant.abort(id);
    this.#state = 'over';
  }

  async #send(text: string, values: readonly unknown[]): Promise<QueryResult<Record<string, unknown>>> {
    if (this.#state !== 'open') throw new StillpointError('E_PARTICIPANT', `participant ${this.participant.name}: the transaction has ended, or its connection was lost`, { data: { participant: this.participant.name } });
    try {
      return await this.#client.query<Record<string, unknown>>(text, [...values]);
    } catch (cause) {
      const failure = this.participant.failure(cause);
      const isOver = failure.data['sqlstate'] === undefined || String(failure.data['sqlstate']).startsWith('57P');
      if (isOver) this.#onLoss();
      throw failure;
    }
  }

  /** The connection ended, or does not answer. */
  readonly #onLoss = (): void => {
    if (this.#state !== 'open') return;
    this.#state = 'lost';
    this.#release(true);
  };

  #release(isBroken = false): void {
    if (!isBroken) this.#client.off('error', this.#onLoss);
    this.#client.release(isBroken);
  }
}

/** Connects and looks whether the server can prepare. Throws E_PARTICIPANT. */
export async function openPostgres(request: PostgresRequest): Promise<PostgresParticipant> {
  if (!isPartyName(request.name)) throw new StillpointError('E_USAGE', `${JSON.stringify(request.name.slice(0, 80))} is not a name of a participant: use 1 to 64 of a-z A-Z 0-9 . _ - and start with a letter or digit`);
  const { default: pg } = await import('pg');
  const timeoutMs = request.timeoutMs ?? TIMEOUT_MS_DEFAULT;
  const participant = new PostgresParticipant(request, (application) => new pg.Pool({
    ...(request.connection === undefined ? {} : { connectionString: request.connection }), application_name: application, max: CONNECTIONS_MAX,
    connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs + 1_000, statement_timeout: timeoutMs, idleTimeoutMillis: 30_000, allowExitOnIdle: true,
  }));
  try {
    const [row] = await participant.query('SHOW max_prepared_transactions');
    if (Number(row?.['max_prepared_transactions']) > 0) return participant;
    throw new StillpointError('E_PARTICIPANT', `participant ${request.name}: the server prepares no transactions: set max_prepared_transactions in postgresql.conf (64, say) and restart it`, { data: { participant: request.name } });
  } catch (error) {
    await participant.close();
    throw error;
  }
}

function applicationName({ id, epoch }: CoordinatorIdentity): string {
  return `${idPrefix(id)}${epoch}`;
}

/** Only letters, digits and hyphens: nothing to quote. */
function gid(id: TransactionId): string {
  if (parseTransactionId(id) === undefined) throw new Error('assertion failed: ids are made by transactionId()');
  return id;
}
