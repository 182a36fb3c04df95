/**
 * Every maximum of the machine, with its reason. Other files take their bounds from here.
 */

/** One page: the granule of memory rights, dirty marks and content addressing. RISC-V and Linux fix it. */
export const PAGE_BYTES = 4096;
export const PAGE_SHIFT = 12;

/** Guest addresses below this never map: a null pointer (with a field offset) faults. */
export const LOWEST_ADDRESS = 0x10000;
/** First address past the largest address space: 4 GiB less the bias and the area that the engine keeps for itself. */
export const HIGHEST_ADDRESS = 0xff00_0000;

/** `--memory` when none is given. */
export const MEMORY_BYTES_DEFAULT = 1024 * 1024 * 1024;
/** Smallest `--memory`: a static C program, its stack and a small heap. */
export const MEMORY_BYTES_MIN = 2 * 1024 * 1024;
/** Largest `--memory`. */
export const MEMORY_BYTES_MAX = HIGHEST_ADDRESS - LOWEST_ADDRESS;
/** Main stack as on Linux (ulimit -s). */
export const STACK_BYTES = 8 * 1024 * 1024;

/** Bytes of argv and environment together (Linux: a quarter of the stack limit). */
export const ARGUMENT_BYTES_MAX = 2 * 1024 * 1024;
/** Linux PATH_MAX and NAME_MAX. */
export const PATH_BYTES_MAX = 4096;
export const NAME_BYTES_MAX = 255;
/** Linux follows at most this many symbolic links in one path. */
export const SYMLINKS_MAX = 40;
/** Supplementary groups of a process; Linux's NGROUPS_MAX. */
export const GROUPS_MAX = 65_536;
/** Descriptors of one process: where RLIMIT_NOFILE stands at first (as on Linux), and how far a process may raise it; a server with ten thousand clients fits. */
export const DESCRIPTORS_USUAL = 1024;
export const DESCRIPTORS_MAX = 16_384;
/** Files and directories in the guest's file system; a guest that makes more sees ENOSPC. */
export const INODES_MAX = 1_000_000;
/** Largest file of an image, and the end of a channel that is written anywhere. */
export const FILE_BYTES_MAX = 2 * 1024 * 1024 * 1024;
/** Largest file in the guest's file system, holes and all: what a page tree can address (snapshot/format.ts). A larger one gives EFBIG. */
export const GUEST_FILE_BYTES_MAX = 64 * 1024 * 1024 * 1024;
/** All file contents of the guest together, at most. A machine has room for as much as it has memory (tmpfs habit), but no less than the second; beyond it ENOSPC. */
export const FILES_BYTES_MAX = 4 * 1024 * 1024 * 1024;
export const FILES_BYTES_MIN = 256 * 1024 * 1024;
/** inotify: instances of the machine, watches of one, unread events of one (fs.inotify.max_* of Linux; the watches as on a small host). Beyond: EMFILE, ENOSPC, IN_Q_OVERFLOW. */
export const WATCHERS_MAX = 128;
export const WATCHES_MAX = 65_536;
export const WATCH_EVENTS_MAX = 16_384;
/** IOV_MAX of Linux. */
export const IOVECS_MAX = 1024;
/** One read or write moves at most this much, as on Linux. */
export const TRANSFER_BYTES_MAX = 0x7fff_f000;

/** Channels of one machine; more than the ancestor's users ever declared, small enough to list. */
export const CHANNELS_MAX = 1024;
/** One input chunk fetched from the host and journaled as one frame. */
export const CHUNK_BYTES = 64 * 1024;
/** Input bytes at or above this go to the store by content, not into the frame. */
export const INLINE_INPUT_BYTES_MAX = 2048;
/** Output held back before the session must commit and release it. Bounds host memory. */
export const OUTBOX_BYTES_MAX = 4 * 1024 * 1024;
/** Input chunks of random channels kept in host memory; others are fetched again from the journal. */
export const CHUNK_CACHE_MAX = 256;

/** One encoded journal frame; larger ones are hostile. The genesis frame holds the manifest: arguments and environment, up to 7 bytes each byte. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;
/** One state section; the largest (the file tree) stays far below. */
export const SECTION_BYTES_MAX = 512 * 1024 * 1024;
/** Program file size: the largest real one measured is 56 MB. */
export const PROGRAM_BYTES_MAX = 1024 * 1024 * 1024;
/** ELF program headers; real programs have about ten. */
export const PROGRAM_HEADERS_MAX = 128;

/** Names in one image; half of what the guest's file system may hold. The largest distribution images have about 300 000. */
export const IMAGE_ENTRIES_MAX = 500_000;
/** Bytes of all names and link targets of an image: 128 an entry at its largest count. */
export const IMAGE_TEXT_BYTES_MAX = 64 * 1024 * 1024;
/** Directories inside each other in an image: no path of PATH_BYTES_MAX has more, and code that walks down them may call itself. */
export const IMAGE_DEPTH_MAX = PATH_BYTES_MAX / 2;
/** Components walked to place all entries of a layer, links included: 200 an entry at its largest count. Real layers take about 6. */
export const IMAGE_STEPS_MAX = 100_000_000;
/** One extended header (pax, GNU long name) of a tar archive; real ones stay below 10 KiB. */
export const IMAGE_HEADER_BYTES_MAX = 1024 * 1024;
/** All files of one layer together, and of a decompressed archive: an archive that claims more is a bomb. */
export const IMAGE_BYTES_MAX = 64 * 1024 * 1024 * 1024;
/** File bytes of an image that are stored and verified as one. Small enough to read a part, large enough to need few. */
export const IMAGE_CHUNK_BYTES = 256 * 1024;
/** Layers of one image; union file systems allow about as many. */
export const IMAGE_LAYERS_MAX = 128;
/** Bytes of image files kept in host memory after they were read. */
export const IMAGE_CACHE_BYTES = 32 * 1024 * 1024;
