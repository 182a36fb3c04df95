/**
 * Keys of clusters and the door that asks for them: whoever shows the one public key has proved to hold its secret key (CURVE), nobody else is let in.
 *
 *   key file     stillpoint-keys-1 \n PUBLIC \n SECRET \n       both in Z85, 40 characters; mode 0600, the same file on every host
 *
 * Invariants: a key file is never overwritten, and refused when others can read it. What this does NOT do: open sockets for frames.
 */
import { closeSync, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { curveKeyPair, Reply, type Context } from 'zeromq';
import { StillpointError } from '../../core/index.ts';

/** One key pair for all members. Text in Z85. */
export interface ClusterKeys { readonly publicKey: string; readonly secretKey: string }

const ZAP_ENDPOINT = 'inproc://zeromq.zap.01';
const ZAP_DOMAIN = 'stillpoint';
const FILE_MAGIC = 'stillpoint-keys-1';
const OTHERS = 0o077;

export function newClusterKeys(): ClusterKeys {
  const { publicKey, secretKey } = curveKeyPair();
  return { publicKey, secretKey };
}

/** Makes a key file. Throws E_HOST_FILE, also when there is one. */
export function makeKeyFile(path: string): void {
  const { publicKey, secretKey } = newClusterKeys();
  try {
    writeFileSync(path, `${FILE_MAGIC}\n${publicKey}\n${secretKey}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw fileTrouble(path, cause);
  }
}

/** Throws E_HOST_FILE, E_USAGE. */
export function readKeyFile(path: string): ClusterKeys {
  const { text, mode } = readWithMode(path);
  if ((mode & OTHERS) !== 0) throw new StillpointError('E_USAGE', `the key file ${path} can be read by others; chmod 600 it, and make new keys if they may have read it`, { data: { path } });
  const [magic, publicKey = '', secretKey = ''] = text.split('\n');
  if (magic !== FILE_MAGIC || !isKey(publicKey) || !isKey(secretKey)) throw new StillpointError('E_USAGE', `${path} is not a key file; stillpoint keys makes one`, { data: { path } });
  return { publicKey, secretKey };
}

function readWithMode(path: string): { readonly text: string; readonly mode: number } {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    return { text: readFileSync(descriptor, 'latin1'), mode: fstatSync(descriptor).mode };
  } catch (cause) {
    throw fileTrouble(path, cause);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function fileTrouble(path: string, cause: unknown): StillpointError {
  return new StillpointError('E_HOST_FILE', `the key file ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { data: { path }, cause });
}

/** What a socket that binds is opened with. */
export function serverSecurity(keys: ClusterKeys | undefined): object {
  return keys === undefined ? {} : { curveServer: true, curveSecretKey: keys.secretKey, zapDomain: ZAP_DOMAIN };
}

/** What a socket that connects is opened with. */
export function clientSecurity(keys: ClusterKeys | undefined): object {
  return keys === undefined ? {} : { curveServerKey: keys.publicKey, curvePublicKey: keys.publicKey, curveSecretKey: keys.secretKey };
}

/** Answers for the sockets of a context. */
export class Door {
  readonly #socket: Reply;
  #isClosed = false;
  #loop: Promise<void> = Promise.resolve();

  private constructor(context: Context) {
    this.#socket = new Reply({ context, linger: 0 });
  }

  static async open(context: Context, keys: ClusterKeys): Promise<Door> {
    const door = new Door(context);
    await door.#socket.bind(ZAP_ENDPOINT);
    door.#loop = door.#answer(keys);
    return door;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#socket.close();
    await this.#loop;
  }

  async #answer(keys: ClusterKeys): Promise<void> {
    const expected = decodeZ85(keys.publicKey);
    try {
      for await (const [version, request, domain, , , mechanism, key] of this.#socket) {
        const isOurs = domain?.toString() === ZAP_DOMAIN && mechanism?.toString() === 'CURVE' && key !== undefined && Buffer.compare(key, expected) === 0;
        await this.#socket.send([version ?? '1.0', request ?? '', isOurs ? '200' : '400', isOurs ? 'OK' : 'another cluster', '', '']);
      }
    } catch (error) {
      if (!this.#isClosed) throw error;
    }
  }
}

const Z85 = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';

function isKey(text: string): boolean {
  return text.length === 40 && [...text].every((character) => Z85.includes(character));
}

/** Five characters of Z85 are four bytes, most significant first (ZeroMQ RFC 32). */
function decodeZ85(text: string): Uint8Array {
  const bytes = new Uint8Array((text.length / 5) * 4);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < text.length / 5; index++) {
    let value = 0;
    for (const character of text.slice(index * 5, index * 5 + 5)) value = value * 85 + Z85.indexOf(character);
    view.setUint32(index * 4, value);
  }
  return bytes;
}
