/**
 * Where the WebAssembly interpreter keeps things in the linear memory, and what its records look like. Bytes unless said otherwise.
 *
 * A record of 16 bytes for each half word of a page of code, little-endian:
 *
 *   byte 0   operation: index into the handlers (handlers.ts); 0 is "not decoded yet"
 *   byte 1   distance to the next record in bytes (16 or 32)
 *   byte 2   rounding mode as encoded        byte 3   third source register
 *   4..7     address of rd        8..11   address of rs1        12..15   address of rs2, immediate, or distance in record bytes (8 a byte)
 *
 * An address is that of the register's 8 bytes in the register block, so that integer and floating registers are read alike; rd = x0
 * is the address of `dump`. Operations without an address of their own are described in lower-record.ts.
 *
 *   page of records:   [0, RECORDS_END)  one for each half word, then two of "end of page", so that running off the page needs no test
 *   side slot:         one record that executes outside its page, then two of "end of page"
 *
 * What this does NOT do: allocate anything.
 */

/** What the module is made for: constants of one linear memory. */
export interface LoopLayout {
  /** The register block (CPU_STATE_OFFSET); its page of 4096 bytes has room for STATE. */
  readonly registers: number;
  readonly pageFlags: number;
  /** The interpreter's own area, a multiple of 16: AREA. */
  readonly area: number;
  readonly areaBytes: number;
}

/** Behind the register block. */
export const STATE = {
  /** Target of writes to x0; (offset >>> 3) & 31 is 0. */
  dump: 3072,
  /** Budget left when the loop was left, less one. */
  left: 3080,
  /** Record at which it was left. */
  record: 3084,
  /** Jumps to a target before it is hot. */
  hotLimit: 3088,
  /** Written by the relay (relay.ts): budget left, instructions of units. */
  total: 3092,
  translated: 3096,
  /** Of nested calls (cold-call.ts): what they have interpreted; written by the driver: the budget left at and below which something waits for translation. */
  interpreted: 3100,
  flushAt: 3104,
} as const;

export const RECORD_BYTES = 16;
/** Bytes of records a byte of code. */
export const RECORD_SCALE = 8;
/** Words of records a byte of code. */
export const RECORD_WORDS = RECORD_SCALE / 4;
export const RECORDS_END = 4096 * RECORD_SCALE;
/** One page of records. */
export const STRIDE = RECORDS_END + 2 * RECORD_BYTES;
export const SIDE_BYTES = 3 * RECORD_BYTES;
export const SIDES_MAX = 16384;
/** 32 KiB each: the text that runs in the largest programs we met. */
export const PAGES_MAX = 2048;

const HOT_BYTES = 16384;
const MAP_BYTES = 4 * 2 ** 20;
/** Offsets in the area: counters of jump targets (16 bits each), address of each guest page's records (0: none), side slots, pages of records. */
export const AREA = {
  hot: 0, map: HOT_BYTES, sides: HOT_BYTES + MAP_BYTES, pages: HOT_BYTES + MAP_BYTES + SIDE_BYTES * SIDES_MAX,
} as const;
export const AREA_BYTES_MIN = AREA.pages + 64 * STRIDE;
export const AREA_BYTES_MAX = AREA.pages + PAGES_MAX * STRIDE;

/** Why the loop was left. */
export const LEFT = {
  /** Something that its record's operation does not do by itself: the record and the pc are at the instruction. */
  record: 0,
  budget: 1,
  /** The pc is on a page without records. */
  page: 2,
  /** The pc has just become hot. */
  hot: 3,
} as const;
