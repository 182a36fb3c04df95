/**
 * Code of units for hosts whose compiler must not see the sign extension of a word: V8 11.3 (Node 20) ends the process on ARM where the word is a double word's lower half, just loaded.
 * There a word is extended with zeros first and its sign taken after, which says the same for one move more.
 */
import { CodeWriter, OP, type Opcode } from '../../../wasm/index.ts';

export class TwoStepWriter extends CodeWriter {
  override op(opcode: Opcode): void {
    if (opcode !== OP.i64ExtendI32s) return super.op(opcode);
    super.op(OP.i64ExtendI32u);
    super.op(OP.i64Extend32s);
  }
}
