/** cluster: many machines, joined by channels. */
export { NODES_MAX, planCluster, runNameOf, type ClusterHost, type ClusterPlan, type PlannedLink, type PlannedNode } from './plan.ts';
export { LinkHub, MemoryTransport, type HubCounters, type NodeWait, type Transport } from './hub.ts';
export { PeerInput } from './peer-input.ts';
export { PeerOutput } from './peer-output.ts';
export { CLUSTER_ID_BYTES, decodeEnvelope, encodeEnvelope, encodeParts, ENVELOPE_PAYLOAD_MAX, FRAME_BYTES_MAX, putMessage, unpackMessages, WIRE_VERSION, type Envelope, type Rejection } from './wire.ts';
