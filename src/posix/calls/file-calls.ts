/**
 * All calls on files, directories, descriptors, pipes and polling, for dispatch. Calls that are not here (file
 * handles) answer ENOSYS, which programs take as "an older kernel".
 */
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

export const fileCalls: readonly FileCall[] = [
  ...attributeCalls, ...descriptorCalls, ...epollCalls, ...eventCalls, ...messageQueueCalls, ...openCalls, ...pollCalls, ...socketCalls, ...socketMessageCalls, ...socketOptionCalls, ...spliceCalls, ...statusCalls, ...transferCalls, ...treeCalls, ...watchCalls,
];
