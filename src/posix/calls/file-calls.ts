/**
 * All calls on files, directories, descriptors, pipes and polling, for dispatch. Calls that are not here (file
 * handles) answer ENOSYS, which programs take as "an older kernel".
 */
import { ERRNO } from '../errno.ts';
import type { FileCall } from './file-arguments.ts';
import { attributeCalls } from './file-attributes.ts';
import { descriptorCalls } from './file-descriptor.ts';
import { epollCalls } from './file-epoll.ts';
import { eventCalls } from './event-files.ts';
import { openCalls } from './file-open.ts';
import { messageQueueCalls } from './message-queues.ts';
import { pollCalls } from './file-poll.ts';
import { socketCalls } from './file-sockets.ts';
import { socketMessageCalls } from './socket-messages.ts';
import { socketOptionCalls } from './socket-options.ts';
import { spliceCalls } from './file-splice.ts';
import { statusCalls } from './file-status.ts';
import { transferCalls } from './file-transfer.ts';
import { treeCalls } from './file-tree.ts';
import { watchCalls } from './file-watch.ts';

/** Mounts are for a privileged user. */
const mountCalls: readonly FileCall[] = [
  { number: 39, name: 'umount2', handle: () => -ERRNO.EPERM },
  { number: 40, name: 'mount', handle: () => -ERRNO.EPERM },
  { number: 41, name: 'pivot_root', handle: () => -ERRNO.EPERM },
];

export const fileCalls: readonly FileCall[] = [
  ...attributeCalls, ...descriptorCalls, ...epollCalls, ...eventCalls, ...messageQueueCalls, ...mountCalls, ...openCalls, ...pollCalls, ...socketCalls, ...socketMessageCalls, ...socketOptionCalls, ...spliceCalls, ...statusCalls, ...transferCalls, ...treeCalls, ...watchCalls,
];
