/**
 * Opens a service to clients. The server is loaded when the first door is opened: node:http would be a twentieth of every command's start.
 * What this does NOT do: serve (http-server.ts).
 */
import type { Service } from '../service.ts';
import type { Address, Door, Patience } from './http-server.ts';

export type { Address, Door } from './http-server.ts';

/** Throws E_LISTEN. */
export async function openDoor(service: Service, address: Address, patience?: Patience): Promise<Door> {
  const server = await import('./http-server.ts');
  return server.openDoor(service, address, patience);
}
