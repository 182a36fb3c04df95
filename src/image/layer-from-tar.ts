/**
 * A layer from a tar archive: entries in order, the last of a name wins.
 * What this does NOT do: read file data; it stays where it is until somebody reads it.
 */
import { limits, StillpointError } from '../core/index.ts';
import { LayerBuilder, type LayerDirectory, type LayerNode } from './layer.ts';
import { TarReader, type ByteSource, type TarEntry } from './tar-reader.ts';
import { DEVICE_MINORS, KIND } from './tree.ts';

/** Throws E_IMAGE_FORMAT, E_IMAGE_TRUNCATED, E_IMAGE_UNSUPPORTED, E_IMAGE_LIMIT. `where` names the archive in messages. */
export function layerFromTar(source: ByteSource, where: string): LayerDirectory {
  const builder = new LayerBuilder(where);
  let total = 0;
  for (const entry of new TarReader(source, where).entries()) {
    total += entry.size;
    if (total > limits.IMAGE_BYTES_MAX) throw new StillpointError('E_IMAGE_LIMIT', `${where}: the files have more than ${limits.IMAGE_BYTES_MAX} bytes together`, { data: { path: where } });
    if (entry.type === 'link') builder.addLink(entry.path, entry.target);
    else builder.add(entry.path, nodeOf(entry, source));
  }
  return builder.root;
}

function nodeOf(entry: TarEntry, source: ByteSource): LayerNode {
  const { mode, uid, gid, mtime } = entry;
  const common = (kind: number): { mode: number; uid: number; gid: number; mtime: bigint } => ({ mode: kind | mode, uid, gid, mtime });
  switch (entry.type) {
    case 'directory': return { kind: 'directory', ...common(KIND.directory), entries: new Map(), isOpaque: false, isImplied: false };
    case 'symlink': return { kind: 'symlink', ...common(KIND.symlink), mode: KIND.symlink | 0o777, target: entry.target };
    case 'character':
    case 'block': return { kind: 'special', ...common(entry.type === 'block' ? KIND.block : KIND.character), device: deviceNumber(entry) };
    case 'fifo': return { kind: 'special', ...common(KIND.fifo), device: 0 };
    case 'link':
    case 'file': {
      const { offset, size } = entry;
      return { kind: 'file', ...common(KIND.file), size, bytes: { kind: 'source', read: (from, length) => source.read(offset + from, length) } };
    }
  }
}

function deviceNumber({ device }: TarEntry): number {
  return Math.min(device.major, DEVICE_MINORS - 1) * DEVICE_MINORS + Math.min(device.minor, DEVICE_MINORS - 1);
}
