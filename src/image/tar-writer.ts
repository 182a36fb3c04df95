/**
 * Writes a layer as a tar archive: ustar headers, pax records where ustar has no room, whiteouts as `.wh.` entries.
 * Invariants: equal layers give equal bytes (names in byte order, no time but mtime, no user names); reading the archive gives the layer back.
 * What this does NOT do: keep directories that are only implied (the reader makes them again), read where files lie.
 */
import { assert, limits, StillpointError } from '../core/index.ts';
import { printable, type LayerDirectory, type LayerFile, type LayerNode } from './layer.ts';
import { DEVICE_MINORS, KIND } from './tree.ts';

const BLOCK = 512;
const PIECE_BYTES = 1024 * 1024;
const WHITEOUT = '.wh.';
const SECOND = 1_000_000_000n;
/** Largest values of the octal fields. */
const OCTAL7 = 0o7777777;
const OCTAL11 = 0o77777777777;
const TYPE: Readonly<Record<number, string>> = { [KIND.file]: '0', [KIND.symlink]: '2', [KIND.character]: '3', [KIND.block]: '4', [KIND.directory]: '5', [KIND.fifo]: '6' };

export type ReadLayerFile = (file: LayerFile, offset: number, length: number) => Uint8Array;
interface Named { readonly path: string; readonly node: LayerNode; readonly link: string | undefined }

/** The archive in pieces. `read` gives a file's bytes. Throws E_IMAGE_UNSUPPORTED for names that would be read as whiteouts, E_IMAGE_LIMIT. */
export function* writeLayer(layer: LayerDirectory, read: ReadLayerFile): Generator<Uint8Array> {
  if (!layer.isImplied) yield* writeNode({ path: './', node: layer, link: undefined });
  yield* writeEntries({ directory: layer, path: '', first: new Map(), read });
  yield new Uint8Array(2 * BLOCK);
}

interface Place { readonly directory: LayerDirectory; readonly path: string; readonly first: Map<LayerNode, string>; readonly read: ReadLayerFile }

function* writeEntries({ directory, path, first, read }: Place): Generator<Uint8Array> {
  if (directory.isOpaque) yield* writeMark(`${path}${WHITEOUT}${WHITEOUT}.opq`);
  for (const [name, entry] of [...directory.entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (name.startsWith(WHITEOUT)) throw new StillpointError('E_IMAGE_UNSUPPORTED', `a file is named ${printable(path + name)}: layers have names that begin with .wh. for what is removed`, { data: { path: path + name } });
    if (entry === 'whiteout') yield* writeMark(`${path}${WHITEOUT}${name}`);
    else if (entry.kind === 'directory') {
      const here = `${path}${name}/`;
      if (!entry.isImplied) yield* writeNode({ path: here, node: entry, link: undefined });
      yield* writeEntries({ directory: entry, path: here, first, read });
    } else {
      const link = first.get(entry);
      yield* writeNode({ path: path + name, node: entry, link });
      if (link === undefined) first.set(entry, path + name);
      if (entry.kind === 'file' && link === undefined) yield* writeData(entry, read);
    }
  }
}

function* writeData(file: LayerFile, read: ReadLayerFile): Generator<Uint8Array> {
  for (let at = 0; at < file.size; at += PIECE_BYTES) yield read(file, at, Math.min(PIECE_BYTES, file.size - at));
  if (file.size % BLOCK !== 0) yield new Uint8Array(BLOCK - (file.size % BLOCK));
}

/** An empty file whose name alone says something. */
function* writeMark(path: string): Generator<Uint8Array> {
  yield* writeNode({ path, link: undefined, node: { kind: 'file', mode: KIND.file, uid: 0, gid: 0, mtime: 0n, size: 0, bytes: { kind: 'chunks', hashes: new Uint8Array(0) } } });
}

function* writeNode(named: Named): Generator<Uint8Array> {
  const { path, node, link } = named;
  const target = link ?? (node.kind === 'symlink' ? node.target : '');
  const seconds = node.mtime / SECOND;
  const records: [string, string][] = [];
  if (path.length >= limits.PATH_BYTES_MAX) throw new StillpointError('E_IMAGE_LIMIT', `a path has ${path.length} bytes, a layer holds at most ${limits.PATH_BYTES_MAX - 1}: ${printable(path)}`);
  if (node.kind === 'file' && node.size > limits.FILE_BYTES_MAX) throw new StillpointError('E_IMAGE_LIMIT', `a file has ${node.size} bytes, a layer holds at most ${limits.FILE_BYTES_MAX}: ${printable(path)}`);
  if (path.length > 100) records.push(['path', path]);
  if (target.length > 100) records.push(['linkpath', target]);
  if (node.uid > OCTAL7) records.push(['uid', String(node.uid)]);
  if (node.gid > OCTAL7) records.push(['gid', String(node.gid)]);
  if (node.mtime < 0n || seconds > BigInt(OCTAL11) || node.mtime % SECOND !== 0n) records.push(['mtime', timeText(node.mtime)]);
  if (records.length > 0) {
    const bytes = encodeRecords(records);
    yield header({ path: 'PaxHeader', type: 'x', mode: 0o644, size: bytes.length });
    yield bytes;
    if (bytes.length % BLOCK !== 0) yield new Uint8Array(BLOCK - (bytes.length % BLOCK));
  }
  const type = link !== undefined ? '1' : TYPE[node.mode & KIND.mask];
  assert(type !== undefined, 'a layer holds what a tar archive can say');
  yield header({
    path, type, target, mode: node.mode & 0o7777, uid: node.uid, gid: node.gid, size: node.kind === 'file' && link === undefined ? node.size : 0,
    time: node.mtime < 0n ? 0 : Number(seconds), device: node.kind === 'special' ? node.device : undefined,
  });
}

/** Seconds with as many digits as needed, as pax has it. */
function timeText(nanoseconds: bigint): string {
  const [sign, value] = nanoseconds < 0n ? ['-', -nanoseconds] : ['', nanoseconds];
  const fraction = String(value % SECOND).padStart(9, '0').replace(/0+$/, '');
  return `${sign}${value / SECOND}${fraction === '' ? '' : `.${fraction}`}`;
}

/** `LENGTH KEY=VALUE\n`, LENGTH counting itself. */
function encodeRecords(records: readonly (readonly [string, string])[]): Uint8Array {
  const lines = records.map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
    return `${length}${rest}`;
  });
  return Uint8Array.from(lines.join(''), (character) => character.charCodeAt(0));
}

interface Fields {
  readonly path: string; readonly type: string; readonly mode: number; readonly size: number; readonly target?: string;
  readonly uid?: number; readonly gid?: number; readonly time?: number; readonly device?: number | undefined;
}

/** One header. What does not fit is cut or zero: a pax record before it says it. */
function header(fields: Fields): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (offset: number, text: string): void => { for (let index = 0; index < text.length; index++) block[offset + index] = text.charCodeAt(index); };
  const octal = (offset: number, digits: number, value: number): void => put(offset, value.toString(8).padStart(digits, '0'));
  put(0, fields.path.slice(0, 100));
  octal(100, 7, fields.mode);
  octal(108, 7, within(fields.uid ?? 0, OCTAL7));
  octal(116, 7, within(fields.gid ?? 0, OCTAL7));
  octal(124, 11, fields.size);
  octal(136, 11, within(fields.time ?? 0, OCTAL11));
  put(156, fields.type);
  put(157, (fields.target ?? '').slice(0, 100));
  put(257, 'ustar\x0000');
  if (fields.device !== undefined) {
    octal(329, 7, Math.floor(fields.device / DEVICE_MINORS));
    octal(337, 7, fields.device % DEVICE_MINORS);
  }
  put(148, '        ');
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

function within(value: number, most: number): number {
  return value > most ? 0 : value;
}
