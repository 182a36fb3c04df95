/** channel: the only doors between a guest and the world. */
export type { ChannelAccess, ChannelLimits, ChannelSpec } from '../manifest/index.ts';
export type { DirectionAccount, HostPort, OutputOperation, Wanted } from './port.ts';
