/**
 * What an error of the host means, where every layer that touches the host asks the same. Errors are told by their `code`, which Node makes of the kernel's errno.
 * What this does NOT do: say it in words; who knows the file does.
 */

/** Whether the host had no room: the disk, or what this user may have of it. `cause`: an error, or the code of one. */
export function isNoSpace(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? cause.code : cause;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
