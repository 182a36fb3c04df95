/** Builds small ELF files, truthful and lying ones. All numbers go where the caller says. */
export interface Load { readonly flags?: number; readonly offset?: number; readonly address?: number; readonly fileBytes?: number; readonly memoryBytes?: number; readonly alignment?: number; readonly type?: number }
export interface Lie { readonly class?: number; readonly data?: number; readonly version?: number; readonly type?: number; readonly machine?: number; readonly entry?: number; readonly headersOffset?: number; readonly headerBytes?: number; readonly headersCount?: number; readonly entryBytes?: number; readonly sizeBytes?: number }

export const CODE_ADDRESS = 0x1_0000;

/** An ELF with the given segments; code bytes start at file offset 0x1000. */
export function buildElf(loads: readonly Load[] = [{}], lie: Lie = {}, code: readonly number[] = []): Uint8Array {
  const bytes = new Uint8Array(lie.sizeBytes ?? 0x3000);
  const full = new Uint8Array(0x4000);
  const view = new DataView(full.buffer);
  full.set([0x7f, 0x45, 0x4c, 0x46, lie.class ?? 2, lie.data ?? 1, lie.version ?? 1]);
  view.setUint16(16, lie.type ?? 2, true);
  view.setUint16(18, lie.machine ?? 243, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(lie.entry ?? CODE_ADDRESS), true);
  view.setBigUint64(32, BigInt(lie.headersOffset ?? 64), true);
  view.setUint16(52, lie.headerBytes ?? 64, true);
  view.setUint16(54, lie.entryBytes ?? 56, true);
  view.setUint16(56, lie.headersCount ?? loads.length, true);
  loads.forEach((load, index) => {
    const at = 64 + index * 56;
    view.setUint32(at, load.type ?? 1, true);
    view.setUint32(at + 4, load.flags ?? 5, true);
    view.setBigUint64(at + 8, BigInt(load.offset ?? 0x1000), true);
    view.setBigUint64(at + 16, BigInt(load.address ?? CODE_ADDRESS), true);
    view.setBigUint64(at + 32, BigInt(load.fileBytes ?? 0x100), true);
    view.setBigUint64(at + 40, BigInt(load.memoryBytes ?? load.fileBytes ?? 0x100), true);
    view.setBigUint64(at + 48, BigInt(load.alignment ?? 0x1000), true);
  });
  full.set(code, 0x1000);
  bytes.set(full.subarray(0, bytes.length));
  return bytes;
}
