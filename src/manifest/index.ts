/** manifest: what a run may touch, as data. */
export { compareChannelNames, type ChannelAccess, type ChannelLimits, type ChannelSpec } from './channel-spec.ts';
export { encodeManifest, decodeManifest, manifestDigest, checkManifest, isChannelName, type ClockSetting, type EntropySetting, type RunManifest, type RunUser } from './run-manifest.ts';
export type { CheckpointInterval, HostBinding, HostBindings, HostFacts, HostFileKind, HostInspector, KeepRule, StandardStream } from './bindings.ts';
export { mergeSettings, type ChannelKind, type ChannelSetting, type HostSettings, type ImageSetting, type LimitSetting, type Place, type RunSettings } from './settings.ts';
export { complain, parseBinding, parseCap, parseCheckpointInterval, parseClock, parseCount, parseEntropy, parseKeepRule, parseLimit, parseSize, parseVariable } from './parse-values.ts';
export { parseDirectory, parseEngine, parseImage, parseRunOptions, type RunOptionTexts } from './parse-options.ts';
export { engineNamed, ENGINES, type EngineName } from './engine.ts';
export { declareRun, type DeclaredImage } from './declare.ts';
export { AGENT_PORT_DEFAULT, CHANNEL_PATTERNS, LOCAL_HOST, type ChannelPattern, type ClusterChannel, type ClusterFileSetting, type ClusterGroup, type ClusterHostSetting, type ClusterSettings } from './cluster-settings.ts';
