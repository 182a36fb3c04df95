/** files: the guest's file system and what processes see of it. */
export { FileSystem, type FileSystemHost } from './file-system.ts';
export { filePages, fileSystemState, restoreFileSystem, type FilePages, type RestoredPages } from './state.ts';
export { channelNode, makeInitialTree, openChannel, registerStaticFiles } from './initial-tree.ts';
export { FileContext } from '../file-context.ts';
export { OpenFile } from '../open-file.ts';
export type { FileChannel, ChannelSource } from './channel.ts';
export type { Inode } from './inode.ts';
export type { PageRange } from './recent-changes.ts';
export { GUEST } from './permission.ts';
export { GUEST_IDENTITY, identityOf, type Identity, type Ids, type MachineUser } from './identity.ts';
