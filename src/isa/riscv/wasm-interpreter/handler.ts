/** What emits the code of one operation of the loop. It ends with a branch: next(), another label, or `leave`. */
import type { LoopWriter } from './loop-writer.ts';

export type Handlers = Readonly<Record<string, (writer: LoopWriter) => void>>;
