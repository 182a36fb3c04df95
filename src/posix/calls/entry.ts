/** One row of a call table: number of asm-generic (riscv64, arm64), name of the man page, handler. */
import type { CallHandler } from '../call.ts';

export interface CallEntry { readonly number: number; readonly name: string; readonly handle: CallHandler }
