/** core: words that every folder uses. */
export { assert, unreachable } from './assert.ts';
export * from './brands.ts';
export { EXIT, ERROR_TABLE, StillpointError, type ErrorCode, type ErrorData } from './errors.ts';
export { endsWell, orElse } from './or-else.ts';
export { isNoSpace } from './host-error.ts';
export { counted } from './counted.ts';
export { compareBytes, sameBytes } from './bytes.ts';
export type { Digests, RunningDigest } from './digest.ts';
export { encodeCanonical, decodeCanonical, type Canonical } from './canonical.ts';
export { markArray, markMap, type Undo } from './undo.ts';
export { EntropyStream, seedFromNumber, type EntropyState } from './prng.ts';
export * as limits from './limits.ts';
