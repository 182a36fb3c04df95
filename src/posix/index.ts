/** posix: system calls, processes, the file system and the program loader: the whole guest as one pure machine. */
export { Guest, type BootOptions, type ClockOption, type GuestStop } from './guest.ts';
export type { CodePlace, Standing } from './code-places.ts';
export type { Changed } from './marks.ts';
export type { LentImage, MachineImage, RestoredImage, RestoreOptions } from './guest-state.ts';
export type { GuestOutcome } from './kernel.ts';
export { parseElf, type ElfImage } from './elf.ts';
export { isTooLarge, tooLarge } from './boot.ts';
export { FileSystem } from './files/index.ts';
export { ACCOUNTS } from './files/initial-tree.ts';
export { layerOfChanges } from './files/changes.ts';
export { CALL_NAMES } from './dispatch.ts';
