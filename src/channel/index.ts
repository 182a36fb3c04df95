/** channel: the only doors between a guest and the world. */
export type { ChannelAccess, ChannelLimits, ChannelSpec } from './spec.ts';
export type { DirectionAccount, HostPort, OutputOperation, Wanted } from './port.ts';
