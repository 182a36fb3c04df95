/** snapshot: page trees, capture, restore. */
export type { MachineState, PageObject, RestoredObject, RestoredState, Root } from './state.ts';
