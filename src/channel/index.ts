/** channel: the only doors between a guest and the world. */
export type { ChannelAccess, ChannelLimits, ChannelSpec } from '../manifest/index.ts';
export type { DirectionAccount, HostPort, Lease, OutputOperation, Wanted } from './port.ts';
export { Channel } from './channel.ts';
export { ChannelSet, type ChannelAccount } from './channel-set.ts';
export type { OwnedContent, RestoredPages } from './owned-content.ts';
export { byBlocks } from './block-digest.ts';
export { BlockHashes } from './block-hashes.ts';
export { BLOCKS_MAX, DIGEST_BLOCK_BYTES, HASH_BYTES, hashBlocks } from './block-kernel.ts';
