/**
 * Control messages of sendmsg and recvmsg: their form, and those of AF_UNIX: open files (SCM_RIGHTS) and who sent (SCM_CREDENTIALS).
 *
 *   struct cmsghdr: length(8, header included) level(4) type(4), data, padding to 8
 *
 * What this does NOT do: count references, install descriptors (calls/socket-messages.ts); those of the internet (datagram-facts.ts).
 */
import { ERRNO } from './errno.ts';
import { SOL_SOCKET } from './files/socket-option-names.ts';

const SCM = { RIGHTS: 1, CREDENTIALS: 2 } as const;
const HEADER_BYTES = 16;
const CREDENTIALS_BYTES = 12;
/** SCM_MAX_FD. */
const RIGHTS_MAX = 253;

export interface SenderCredentials { readonly pid: number; readonly uid: number; readonly gid: number }
/** What a control buffer asks to send along: descriptor numbers of the sender. */
export interface ControlToSend { readonly descriptors: readonly number[]; readonly credentials: SenderCredentials | undefined }

const align = (bytes: number): number => Math.ceil(bytes / 8) * 8;

export interface ControlMessage { readonly level: number; readonly type: number; readonly data: Uint8Array }

/** The control messages in a buffer, or -errno. */
export function controlMessages(bytes: Uint8Array): readonly ControlMessage[] | number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const messages: ControlMessage[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    if (length < HEADER_BYTES || length > bytes.length - at) return -ERRNO.EINVAL;
    messages.push({ level: view.getInt32(at + 8, true), type: view.getInt32(at + 12, true), data: bytes.subarray(at + HEADER_BYTES, at + length) });
    at += align(length);
  }
  return messages;
}

/** What a buffer of AF_UNIX asks for, or -errno. */
export function decodeControl(bytes: Uint8Array): ControlToSend | number {
  const messages = controlMessages(bytes);
  if (typeof messages === 'number') return messages;
  const descriptors: number[] = [];
  let credentials: SenderCredentials | undefined;
  for (const { level, type, data } of messages) {
    if (level !== SOL_SOCKET) continue;
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    if (type === SCM.RIGHTS) {
      for (let offset = 0; offset + 4 <= data.length; offset += 4) descriptors.push(view.getInt32(offset, true));
    } else if (type === SCM.CREDENTIALS && data.length === CREDENTIALS_BYTES) {
      credentials = { pid: view.getInt32(0, true), uid: view.getUint32(4, true), gid: view.getUint32(8, true) };
    } else return -ERRNO.EINVAL;
  }
  return descriptors.length > RIGHTS_MAX ? -ERRNO.EINVAL : { descriptors, credentials };
}

/** How many descriptors fit into a control buffer of `room` bytes that holds `used` already. */
export function rightsThatFit(room: number, used: number): number {
  return Math.max(0, Math.floor((room - used - HEADER_BYTES) / 4));
}

export function encodeRights(descriptors: readonly number[]): Uint8Array {
  return encodeControl(SOL_SOCKET, SCM.RIGHTS, new Uint8Array(Int32Array.from(descriptors).buffer));
}

export function encodeCredentials({ pid, uid, gid }: SenderCredentials): Uint8Array {
  return encodeControl(SOL_SOCKET, SCM.CREDENTIALS, new Uint8Array(Int32Array.of(pid, uid, gid).buffer));
}

/** One message; its last padding is there too. */
export function encodeControl(level: number, type: number, data: Uint8Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(align(HEADER_BYTES + data.length)));
  view.setBigUint64(0, BigInt(HEADER_BYTES + data.length), true);
  view.setInt32(8, level, true);
  view.setInt32(12, type, true);
  const bytes = new Uint8Array(view.buffer);
  bytes.set(data, HEADER_BYTES);
  return bytes;
}
