/** journal: what entered the machine, in order, as a hash chain. */
export type * from './frame.ts';
