/** manifest: what a run may touch, as data. */
export type { ChannelAccess, ChannelLimits, ChannelSpec } from './channel-spec.ts';
