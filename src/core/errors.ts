/**
 * Operating errors: one class, one table of stable codes. Everything a user can meet (bad input, a full disk, corrupt
 * bytes, divergence) is one of these; guest faults are data and programmer errors are assertions.
 * docs/errors.md lists the same codes with cause and fix; test/docs.test.ts keeps the two equal.
 */

/** Exit status classes of the command line (Docker's habit). */
export const EXIT = { ok: 0, diverged: 1, usage: 125, cap: 124, trouble: 125, notExecutable: 126, notFound: 127 } as const;

/** code → exit status and one sentence. Codes are stable: never renamed, never reused. */
export const ERROR_TABLE = {
  // The program.
  E_PROGRAM_NOT_FOUND: { exit: EXIT.notFound, says: 'there is no program at this path' },
  E_PROGRAM_UNREADABLE: { exit: EXIT.notExecutable, says: 'the program cannot be read' },
  E_PROGRAM_DIRECTORY: { exit: EXIT.notExecutable, says: 'the program is a directory' },
  E_PROGRAM_EMPTY: { exit: EXIT.notExecutable, says: 'the program is an empty file' },
  E_ELF_MAGIC: { exit: EXIT.notExecutable, says: 'the program is not an ELF file' },
  E_ELF_CLASS: { exit: EXIT.notExecutable, says: 'the ELF file is not 64-bit little-endian' },
  E_ELF_MACHINE: { exit: EXIT.notExecutable, says: 'the program is for another machine than riscv64' },
  E_ELF_KIND: { exit: EXIT.notExecutable, says: 'the ELF file is not an executable program' },
  E_ELF_TRUNCATED: { exit: EXIT.notExecutable, says: 'the ELF file ends before its headers say' },
  E_ELF_HEADER: { exit: EXIT.notExecutable, says: 'the ELF headers contradict themselves' },
  E_ELF_SEGMENT: { exit: EXIT.notExecutable, says: 'a segment of the ELF file lies about its size, place or alignment' },
  E_ELF_OVERLAP: { exit: EXIT.notExecutable, says: 'two segments of the ELF file overlap in memory' },
  E_ELF_ENTRY: { exit: EXIT.notExecutable, says: 'the entry point lies outside the executable segments' },
  E_ELF_DYNAMIC: { exit: EXIT.notExecutable, says: 'the program needs a dynamic loader or interpreter that is not in the image' },
  E_ELF_TOO_LARGE: { exit: EXIT.notExecutable, says: 'the program does not fit in the memory of the machine' },
  // What was asked for.
  E_USAGE: { exit: EXIT.usage, says: 'the command line is wrong' },
  E_MANIFEST: { exit: EXIT.usage, says: 'the manifest is wrong' },
  E_CHANNEL_DECLARATION: { exit: EXIT.usage, says: 'a channel is declared wrongly' },
  // Channels and the host.
  E_CHANNEL_OPEN: { exit: EXIT.trouble, says: 'the file of a channel cannot be opened' },
  E_CHANNEL_READ: { exit: EXIT.trouble, says: 'reading from the host side of a channel failed' },
  E_CHANNEL_WRITE: { exit: EXIT.trouble, says: 'writing to the host side of a channel failed' },
  E_CHANNEL_CHANGED: { exit: EXIT.trouble, says: 'the file of a channel changed under the run' },
  E_CHANNEL_CLOSED: { exit: EXIT.trouble, says: 'the reader of a channel went away' },
  E_HOST_FILE: { exit: EXIT.trouble, says: 'a file on the host cannot be read or written' },
  E_HOST_MEMORY: { exit: EXIT.trouble, says: 'the host has no memory left for this' },
  E_DISK_FULL: { exit: EXIT.trouble, says: 'the disk is full' },
  // Images.
  E_IMAGE_OPEN: { exit: EXIT.trouble, says: 'an image cannot be read' },
  E_IMAGE_FORMAT: { exit: EXIT.trouble, says: 'an image contradicts itself or is no image' },
  E_IMAGE_TRUNCATED: { exit: EXIT.trouble, says: 'an image ends before it should' },
  E_IMAGE_UNSUPPORTED: { exit: EXIT.trouble, says: 'an image holds something that is not supported' },
  E_IMAGE_LIMIT: { exit: EXIT.trouble, says: 'an image is larger than the limits allow' },
  E_IMAGE_UNKNOWN: { exit: EXIT.trouble, says: 'the store holds no image of this name' },
  E_IMAGE_EXISTS: { exit: EXIT.trouble, says: 'the store holds an image of this name already' },
  E_IMAGE_NAME: { exit: EXIT.usage, says: 'an image name is 1 to 64 of a-z A-Z 0-9 . _ - and starts with a letter or digit' },
  E_USER_UNKNOWN: { exit: EXIT.trouble, says: 'the machine has no such user or group' },
  E_IMAGE_CHANGED: { exit: EXIT.trouble, says: 'an image changed while it was being used' },
  // The store.
  E_STORE_OPEN: { exit: EXIT.trouble, says: 'the store cannot be opened' },
  E_STORE_FOREIGN: { exit: EXIT.trouble, says: 'the directory holds something that is not a store' },
  E_STORE_VERSION: { exit: EXIT.trouble, says: 'the store was written by a newer version' },
  E_STORE_WRITE: { exit: EXIT.trouble, says: 'the store cannot be written' },
  E_STORE_BUSY: { exit: EXIT.trouble, says: 'another process tidies the store, or uses it' },
  E_STORE_CORRUPT: { exit: EXIT.trouble, says: 'a record in the store is damaged' },
  E_RUN_UNKNOWN: { exit: EXIT.trouble, says: 'the store holds no run of this name' },
  E_RUN_DIVERGED: { exit: EXIT.trouble, says: 'the run has another history here than in the exported file' },
  E_RUN_EXISTS: { exit: EXIT.trouble, says: 'the store holds a run of this name already' },
  E_RUN_OWNED: { exit: EXIT.trouble, says: 'the run is being executed by another process' },
  E_RUN_FENCED: { exit: EXIT.trouble, says: 'another process took this run over' },
  E_RUN_FINISHED: { exit: EXIT.trouble, says: 'the run has ended, there is nothing to resume' },
  E_RUN_NAME: { exit: EXIT.usage, says: 'a run name is 1 to 64 of a-z A-Z 0-9 . _ - and starts with a letter or digit' },
  E_CHECKPOINT_UNKNOWN: { exit: EXIT.trouble, says: 'the run has no such checkpoint' },
  // Damage, found by hash and named by kind.
  E_PAGE_DAMAGED: { exit: EXIT.trouble, says: 'a page of a checkpoint does not have the bytes its hash promises' },
  E_PAGE_MISSING: { exit: EXIT.trouble, says: 'a page of a checkpoint is not in the store' },
  E_SNAPSHOT_FORMAT: { exit: EXIT.trouble, says: 'a checkpoint record cannot be decoded' },
  E_JOURNAL_DAMAGED: { exit: EXIT.trouble, says: 'a journal frame does not continue the hash chain' },
  E_JOURNAL_CUT: { exit: EXIT.trouble, says: 'the journal ends before a frame that must be there' },
  E_JOURNAL_FORMAT: { exit: EXIT.trouble, says: 'a journal frame cannot be decoded' },
  E_BLOB_DAMAGED: { exit: EXIT.trouble, says: 'a recorded input, program or part of an image does not have the bytes its hash promises' },
  E_BLOB_MISSING: { exit: EXIT.trouble, says: 'a recorded input, program or part of an image is not in the store' },
  E_PROGRAM_DAMAGED: { exit: EXIT.trouble, says: 'the recorded program does not have the bytes its hash promises' },
  E_OUTPUT_DAMAGED: { exit: EXIT.trouble, says: 'an output file does not hold the bytes that the run wrote' },
  E_STATE_FORMAT: { exit: EXIT.trouble, says: 'a section of the machine state cannot be decoded' },
  // Transactions.
  E_TXN_FAULT: { exit: EXIT.trouble, says: 'the guest was ended by a signal inside a transaction, which was aborted' },
  E_TXN_EXIT: { exit: EXIT.trouble, says: 'the guest exited with a status other than 0 inside a transaction, which was aborted' },
  E_TXN_CAP: { exit: EXIT.cap, says: 'a transaction reached a cap and was aborted' },
  E_TXN_TIMEOUT: { exit: EXIT.trouble, says: 'a transaction took too long on the host and was aborted' },
  E_TXN_REFUSED: { exit: EXIT.trouble, says: 'the host refused a transaction, which was aborted' },
  E_TXN_CONFLICT: { exit: EXIT.trouble, says: 'another transaction committed first what this one relied on' },
  E_TXN_OPEN: { exit: EXIT.trouble, says: 'the machine is in the midst of another transaction' },
  E_TXN_OVER: { exit: EXIT.trouble, says: 'the transaction or savepoint has ended already' },
  E_TXN_IN_DOUBT: { exit: EXIT.trouble, says: 'a prepared transaction waits for its decision' },
  // Clusters.
  E_CLUSTER_CHANGED: { exit: EXIT.trouble, says: 'a node was started from another manifest' },
  E_CLUSTER_FAILED: { exit: EXIT.trouble, says: 'a node of the cluster failed' },
  E_CLUSTER_HOST: { exit: EXIT.trouble, says: 'a host of the cluster cannot be asked' },
  E_REPLICAS_DIFFER: { exit: EXIT.trouble, says: 'replicas of a node computed different things and no majority agrees' },
  E_EXPORT_FORMAT: { exit: EXIT.trouble, says: 'the file is no exported run' },
  E_EXPORT_BASE: { exit: EXIT.trouble, says: 'an exported run continues from a place that the store does not have' },
  E_EXPORT_DAMAGED: { exit: EXIT.trouble, says: 'an exported run does not have the bytes that its check sum promises' },
  // Transactions over several participants.
  E_PARTICIPANT: { exit: EXIT.trouble, says: 'a participant of a transaction refused or could not be reached' },
  E_COORDINATOR_OWNED: { exit: EXIT.trouble, says: 'the transactions of this coordinator are decided by another process' },
  E_COORDINATOR_FENCED: { exit: EXIT.trouble, says: 'another process took this coordinator over' },
  // Services.
  E_REQUEST_SIZE: { exit: EXIT.trouble, says: 'a request is larger than the service takes' },
  E_REQUEST_KEY: { exit: EXIT.trouble, says: 'the key of a request belongs to another request' },
  E_REQUEST_SLOW: { exit: EXIT.trouble, says: 'a request did not come in whole in time' },
  E_SERVICE_BUSY: { exit: EXIT.trouble, says: 'the service takes no more requests now' },
  E_CLIENT_GONE: { exit: EXIT.trouble, says: 'the client of a request left before its answer' },
  E_LISTEN: { exit: EXIT.trouble, says: 'a service cannot listen at a port or socket' },
  // Divergence on replay.
  E_DIVERGED_OUTPUT: { exit: EXIT.diverged, says: 'the replay wrote other bytes than the run' },
  E_DIVERGED_INPUT: { exit: EXIT.diverged, says: 'the replay asked for other input than the run' },
  E_DIVERGED_ROOT: { exit: EXIT.diverged, says: 'the replay reached another state than the run' },
  E_DIVERGED_EXIT: { exit: EXIT.diverged, says: 'the replay ended in another way than the run' },
  // The rest.
  E_TOOL_MISSING: { exit: EXIT.trouble, says: 'a tool of the host is not installed' },
  E_TOOL_FAILED: { exit: EXIT.trouble, says: 'a tool of the host failed' },
  E_UNSUPPORTED: { exit: EXIT.trouble, says: 'this is not supported' },
  E_INTERNAL: { exit: EXIT.trouble, says: 'a bug in Stillpoint' },
} as const satisfies Record<string, { readonly exit: number; readonly says: string }>;

export type ErrorCode = keyof typeof ERROR_TABLE;
/** Facts for machines: run, frame, instruction count, expected, got. Values print with String(). */
export type ErrorData = Readonly<Record<string, string | number | bigint | boolean | undefined>>;

/** The one class of operating errors. `message` is what, where, what to do, without the code. */
export class StillpointError extends Error {
  readonly code: ErrorCode;
  readonly data: ErrorData;

  constructor(code: ErrorCode, message: string, options: { readonly data?: ErrorData; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StillpointError';
    this.code = code;
    this.data = options.data ?? {};
  }

  /** Exit status of a command that ends with this error. */
  get exitStatus(): number {
    return ERROR_TABLE[this.code].exit;
  }
}
