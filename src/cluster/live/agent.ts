/**
 * `stillpoint agent`: runs nodes of clusters on this host for an `up` on another one. Who holds the same key file may ask for it; nobody else is heard.
 * Invariants: a start of a cluster is a session, which ends with it; a stopped agent leaves every node resumable and no process.
 * What this does NOT do: know anything of a cluster beyond its sessions (agent-session.ts).
 */
import { resolve } from 'node:path';
import { StillpointError } from '../../core/index.ts';
import { defaultStoreDirectory } from '../../session/index.ts';
import { AGENT_TICK_MS } from './agent-messages.ts';
import { AgentSession } from './agent-session.ts';
import { ControlServer } from './control-socket.ts';
import { readKeyFile } from './curve.ts';

export interface AgentRequest {
  /** ADDRESS:PORT. */
  readonly listen: string;
  readonly keys: string;
  readonly store: string | undefined;
  /** Directory for the files of clusters; default: STORE.files. */
  readonly work: string | undefined;
  readonly entry: readonly string[];
  /** The same for a process that answers for the store. */
  readonly deskEntry: readonly string[];
  readonly onListening: (endpoint: string) => void;
  readonly onRemark: (text: string) => void;
  readonly stopRequested: () => string | undefined;
}

/** Sessions that an agent has at a time. */
const SESSIONS_MAX = 64;
const STOP_GRACE_MS = 10_000;
/** For the last frames to leave. */
const PARTING_MS = 300;

/** Serves until a stop is asked for. Throws E_USAGE, E_HOST_FILE, E_CLUSTER_FAILED (the address cannot be had). */
export async function runAgent(request: AgentRequest): Promise<void> {
  const { listen, keys, entry, deskEntry, onRemark } = request;
  if (!/^[^:\s]+:[0-9]{1,5}$/.test(listen)) throw new StillpointError('E_USAGE', `option --listen: '${listen.slice(0, 80)}' is not ADDRESS:PORT`);
  const store = request.store ?? defaultStoreDirectory();
  const work = request.work ?? `${resolve(store)}.files`;
  const sessions = new Map<string, AgentSession>();
  const server = await openServer(listen, readKeyFile(keys), (peer, frame) => {
    if (!sessions.has(peer) && sessions.size < SESSIONS_MAX) sessions.set(peer, new AgentSession({ store, work, entry, deskEntry, onRemark, transmit: (bytes) => { server.send(peer, bytes); } }));
    sessions.get(peer)?.receive(frame);
  });
  request.onListening(server.endpoint);
  try {
    await serve(request, sessions);
  } finally {
    await server.close();
  }
}

async function openServer(listen: string, keys: ReturnType<typeof readKeyFile>, onFrame: (peer: string, frame: Uint8Array) => void): Promise<ControlServer> {
  try {
    return await ControlServer.open(`tcp://${listen}`, keys, onFrame);
  } catch (cause) {
    throw new StillpointError('E_CLUSTER_FAILED', `the agent cannot listen at ${listen}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

async function serve({ stopRequested }: AgentRequest, sessions: Map<string, AgentSession>): Promise<void> {
  let stoppedAt: number | undefined;
  for (;;) {
    await new Promise((done) => { setTimeout(done, AGENT_TICK_MS); });
    for (const [peer, session] of sessions) {
      session.tick();
      if (session.isOver) sessions.delete(peer);
    }
    if (stopRequested() === undefined) continue;
    if (stoppedAt === undefined) for (const session of sessions.values()) session.close();
    stoppedAt ??= performance.now();
    const isLate = performance.now() - stoppedAt > STOP_GRACE_MS;
    if (isLate) for (const session of sessions.values()) session.kill();
    if (sessions.size === 0 || isLate) break;
  }
  await new Promise((done) => { setTimeout(done, PARTING_MS); });
}
