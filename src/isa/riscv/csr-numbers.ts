/**
 * The control and status registers that a user program may name (Zicsr numbers). All others are illegal.
 * cycle, time and instret are read-only and follow the instruction count, never the host.
 */
export const CSR = { fflags: 0x001, frm: 0x002, fcsr: 0x003, cycle: 0xc00, time: 0xc01, instret: 0xc02 } as const;

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(CSR).map(([name, number]) => [number, name]));

export function isReadOnlyCsr(number: number): boolean {
  return number === CSR.cycle || number === CSR.time || number === CSR.instret;
}

export function csrName(number: number): string {
  return NAMES.get(number) ?? `0x${number.toString(16)}`;
}
