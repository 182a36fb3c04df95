/**
 * The verbs of hosts, with what they need loaded on demand: sockets would add to the start of every command.
 * What this does NOT do: anything else (agent.ts, curve.ts).
 */
import type { AgentRequest } from './agent.ts';

export type { AgentRequest } from './agent.ts';

/** Serves until a stop is asked for. Throws as agent.ts. */
export async function runAgent(request: AgentRequest): Promise<void> {
  return (await import('./agent.ts')).runAgent(request);
}

/** The process that an agent starts to answer for its store. */
export async function runDesk(): Promise<void> {
  return (await import('./desk-process.ts')).runDeskProcess();
}

/** Makes a key file. Throws E_HOST_FILE, also when there is one. */
export async function makeKeys(file: string): Promise<void> {
  (await import('./curve.ts')).makeKeyFile(file);
}
