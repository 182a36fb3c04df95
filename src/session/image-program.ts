/**
 * Programs in an image: with an image, PROGRAM is looked up there first, as docker does: a name without a slash through PATH, an absolute path as
 * it is. What is not there, and any relative path, is a program of the host.
 */
import { limits, StillpointError } from '../core/index.ts';
import { findProgram, PATH_DEFAULT, type ImageTree } from '../image/index.ts';
import type { RunSettings } from '../manifest/index.ts';
import { byteString } from './context.ts';

/** Where the program is in the image, and its bytes; undefined when it is not there. */
export function programInImage(image: ImageTree, { program, environment }: { readonly program: string | undefined; readonly environment: RunSettings['environment'] }): { readonly path: string; readonly program: Uint8Array } | undefined {
  if (program === undefined || program === '') return undefined;
  const searchPath = environment.findLast(({ name }) => name === 'PATH')?.value ?? PATH_DEFAULT;
  const found = findProgram(image, byteString(program), byteString(searchPath));
  if (found === undefined) return undefined;
  const { size } = image.node(found.inode);
  const path = Buffer.from(found.path, 'latin1').toString('utf8');
  if (size === 0) throw new StillpointError('E_PROGRAM_EMPTY', `${path} in the image is empty`, { data: { path } });
  if (size > limits.PROGRAM_BYTES_MAX) throw new StillpointError('E_ELF_TOO_LARGE', `${path} in the image has ${size} bytes, at most ${limits.PROGRAM_BYTES_MAX} can be run`, { data: { path } });
  return { path, program: image.read(found.inode, 0, size) };
}

/** The bytes of a program that was found at `path` before. */
export function programAt(image: ImageTree, path: string): Uint8Array {
  const found = programInImage(image, { program: path, environment: [] });
  if (found === undefined) throw new StillpointError('E_PROGRAM_NOT_FOUND', `there is no program at ${path} in the image`, { data: { path } });
  return found.program;
}
