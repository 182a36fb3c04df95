/** The sockets between `up` and agents, where the connection breaks: whoever comes back is known, as long as the agent waits for him. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { ControlClient, ControlServer } from '../../src/cluster/live/control-socket.ts';
import { newClusterKeys } from '../../src/cluster/live/curve.ts';
import { until } from './rig.ts';

const open = new Set<Socket>();
let line: Server | undefined;
/** The far end of a connection does not hear that the near one is gone. */
let isSilent = false;
afterAll(() => {
  line?.close();
  breakLine(() => true);
});

/** A line to a port that can be broken. */
function openLine(port: number): Promise<number> {
  const server = line = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const [end, other] of [[near, far], [far, near]] as const) {
      open.add(end);
      end.on('error', () => {});
      end.on('close', () => { open.delete(end); if (!isSilent) other.destroy(); });
    }
  });
  return new Promise((done) => { server.listen(0, '127.0.0.1', () => { done((server.address() as AddressInfo).port); }); }); // It listens on a port.
}

function breakLine(isMeant: (socket: Socket) => boolean): void {
  for (const socket of open) if (isMeant(socket)) socket.destroy();
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a connection between up and an agent that breaks', () => {
  it('is made again under the same name, in both directions, also where the agent has not noticed yet', async () => {
    const keys = newClusterKeys();
    const heard: (readonly [string, string])[] = [];
    const answers: string[] = [];
    const server = await ControlServer.open('tcp://127.0.0.1:*', keys, (peer, frame) => {
      heard.push([peer, new TextDecoder().decode(frame)]);
      server.send(peer, frame);
    });
    const port = await openLine(Number(server.endpoint.split(':').at(-1)));
    const client = new ControlClient(`tcp://127.0.0.1:${port}`, keys, (frame) => { answers.push(new TextDecoder().decode(frame)); });
    const other = new ControlClient(server.endpoint, keys, () => {});
    /** Says it again until it is answered, as control-link.ts does. */
    const say = async (text: string): Promise<void> => {
      const saying = setInterval(() => { client.send(bytes(text)); }, 50);
      await until(() => answers.includes(text), `the answer to ${text}`).finally(() => { clearInterval(saying); });
    };
    await say('before');
    other.send(bytes('of another'));
    breakLine(() => true);
    await say('after');
    isSilent = true;
    breakLine((socket) => socket.remotePort !== Number(server.endpoint.split(':').at(-1)));
    await say('while the old connection stands');
    isSilent = false;
    await until(() => heard.some(([, text]) => text === 'of another'), 'the other one');
    expect(new Set(heard.filter(([, text]) => text !== 'of another').map(([peer]) => peer)).size).toBe(1);
    expect(new Set(heard.map(([peer]) => peer)).size).toBe(2);
    client.close();
    other.close();
    await server.close();
  }, 30_000); // Without, it would be heard after a minute.
});
