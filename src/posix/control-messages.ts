/**
 * Control messages of sendmsg and recvmsg, of AF_UNIX: open files (SCM_RIGHTS) and who sent (SCM_CREDENTIALS).
 *
 *   struct cmsghdr: length(8, header included) level(4) type(4), data, padding to 8
 *
 * What this does NOT do: count references, install descriptors (calls/socket-messages.ts); any other level or type (EINVAL).
 */
import { ERRNO } from './errno.ts';
import { SOL_SOCKET } from './files/socket.ts';

const SCM = { RIGHTS: 1, CREDENTIALS: 2 } as const;
const HEADER_BYTES = 16;
const CREDENTIALS_BYTES = 12;
/** SCM_MAX_FD. */
const RIGHTS_MAX = 253;

export interface SenderCredentials { readonly pid: number; readonly uid: number; readonly gid: number }
/** What a control buffer asks to send along: descriptor numbers of the sender. */
export interface ControlToSend { readonly descriptors: readonly number[]; readonly credentials: SenderCredentials | undefined }

const align = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** The control messages in a buffer, or -errno. */
export function decodeControl(bytes: Uint8Array): ControlToSend | number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const descriptors: number[] = [];
  let credentials: SenderCredentials | undefined;
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    if (length < HEADER_BYTES || length > bytes.length - at) return -ERRNO.EINVAL;
    const dataBytes = length - HEADER_BYTES;
    const data = at + HEADER_BYTES;
    if (view.getInt32(at + 8, true) === SOL_SOCKET) {
      const type = view.getInt32(at + 12, true);
      if (type === SCM.RIGHTS) {
        for (let offset = 0; offset + 4 <= dataBytes; offset += 4) descriptors.push(view.getInt32(data + offset, true));
      } else if (type === SCM.CREDENTIALS && dataBytes === CREDENTIALS_BYTES) {
        credentials = { pid: view.getInt32(data, true), uid: view.getUint32(data + 4, true), gid: view.getUint32(data + 8, true) };
      } else return -ERRNO.EINVAL;
    }
    at += align(length);
  }
  return descriptors.length > RIGHTS_MAX ? -ERRNO.EINVAL : { descriptors, credentials };
}

/** How many descriptors fit into a control buffer of `room` bytes that holds `used` already. */
export function rightsThatFit(room: number, used: number): number {
  return Math.max(0, Math.floor((room - used - HEADER_BYTES) / 4));
}

export function encodeRights(descriptors: readonly number[]): Uint8Array {
  return encodeMessage(SCM.RIGHTS, Int32Array.from(descriptors));
}

export function encodeCredentials({ pid, uid, gid }: SenderCredentials): Uint8Array {
  return encodeMessage(SCM.CREDENTIALS, Int32Array.of(pid, uid, gid));
}

/** One message; its last padding is there too. */
function encodeMessage(type: number, data: Int32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(align(HEADER_BYTES + data.byteLength)));
  view.setBigUint64(0, BigInt(HEADER_BYTES + data.byteLength), true);
  view.setInt32(8, SOL_SOCKET, true);
  view.setInt32(12, type, true);
  data.forEach((word, index) => view.setInt32(HEADER_BYTES + index * 4, word, true));
  return new Uint8Array(view.buffer);
}
