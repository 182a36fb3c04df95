/**
 * Addresses of hosts. What this does NOT do: send anything.
 */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { StillpointError } from '../../core/index.ts';

export async function resolveAddress(address: string): Promise<string> {
  try {
    return (await lookup(address, { family: 4 })).address;
  } catch (cause) {
    throw new StillpointError('E_CLUSTER_HOST', `the address ${address} is not known: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** The address of this host on the way to another one: a connected datagram socket knows it without sending anything. */
export function ownAddress(towards: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const fail = (cause: Error): void => {
      socket.close();
      reject(new StillpointError('E_CLUSTER_HOST', `there is no way to ${towards}: ${cause.message}`, { cause }));
    };
    socket.once('error', fail);
    socket.connect(9, towards, () => {
      const { address } = socket.address();
      socket.close();
      resolve(address);
    });
  });
}
