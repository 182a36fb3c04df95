/**
 * A wish and what the image says, laid over each other as docker does: which program, with which arguments, environment, directory and user.
 *
 *   program      --entrypoint, else Entrypoint, before what is given on the command line, else Cmd (which --entrypoint takes away)
 *   environment  PATH and HOME, then Env, then --env
 *   directory    --workdir, else WorkingDir, made when it is not there
 *   user         --user, else User, else 0; looked up in the image's /etc/passwd and /etc/group
 *
 * An image without configuration (a plain archive, a directory) says nothing: the user is `guest`, the directory `/`.
 * What this does NOT do: read configurations (image/config.ts), look at the host.
 */
import { isBlobHash, StillpointError } from '../core/index.ts';
import { ACCOUNTS_BYTES_MAX, findInImage, findUser, KIND, PATH_DEFAULT, type FoundUser, type ImageConfig, type ImageTree } from '../image/index.ts';
import type { DeclaredImage, RunSettings } from '../manifest/index.ts';
import { ACCOUNTS } from '../posix/index.ts';
import { programInImage } from './image-program.ts';

/** What lies below the files of a machine, and what it says of its program. */
export interface RunImage { readonly tree: ImageTree; readonly config: ImageConfig | undefined }

export interface ResolvedRun {
  /** With the program and all its arguments. */
  readonly settings: RunSettings;
  /** What the manifest says of image and user. */
  readonly declared: DeclaredImage;
  /** The program's bytes, when it is in the image. */
  readonly program: Uint8Array | undefined;
}

const HOME_DEFAULT = '/home/guest';

/** Throws E_USAGE, E_USER_UNKNOWN, E_PROGRAM_EMPTY, E_ELF_TOO_LARGE. */
export function resolveRun(wished: RunSettings, image: RunImage | undefined): ResolvedRun {
  const config = image?.config;
  const settings: RunSettings = { ...wished, ...programOf(wished, config), ...(config === undefined || config.workingDirectory === '' ? {} : { workingDirectory: wished.workingDirectory ?? config.workingDirectory }) };
  const wantedUser = settings.user ?? config?.user;
  const found = wantedUser === undefined ? undefined : findUser(wantedUser, accountsOf(image?.tree));
  const user = found === undefined ? {} : { user: { uid: found.uid, gid: found.gid, groups: found.groups } };
  if (image === undefined) return { settings, declared: { digest: undefined, programPath: undefined, environment: [], ...user }, program: undefined };
  const environment = environmentOf(config, found);
  const program = programInImage(image.tree, { program: settings.program, environment: [...environment, ...settings.environment] });
  const { digest } = image.tree;
  const declared: DeclaredImage = { digest: isBlobHash(digest) ? digest : undefined, programPath: program?.path, environment, ...user, makesWorkingDirectory: config !== undefined };
  return { settings, declared, program: program?.program };
}

/** Throws E_USAGE when nobody names a program. */
function programOf({ program, arguments: given = [], entrypoint }: RunSettings, config: ImageConfig | undefined): Pick<RunSettings, 'program' | 'arguments'> {
  const before = entrypoint === undefined ? config?.entrypoint ?? [] : entrypoint === '' ? [] : [entrypoint];
  const command = program === undefined && entrypoint === undefined ? config?.command ?? [] : [];
  const [first, ...others] = [...before, ...command].map((text, index) => (index > 0 && text.startsWith('@') ? `@${text}` : text)); // An image's `@x` names no file of the host.
  if (first !== undefined) return { program: first, arguments: [...others, ...(program === undefined ? [] : [program, ...given])] };
  if (program !== undefined) return { program, arguments: given };
  throw new StillpointError('E_USAGE', `no program is given${config === undefined ? '' : ', and the image names none'}; say stillpoint run PROGRAM`);
}

function environmentOf(config: ImageConfig | undefined, user: FoundUser | undefined): DeclaredImage['environment'] {
  const own = (config?.environment ?? []).map((entry) => ({ name: entry.slice(0, entry.indexOf('=')), value: entry.slice(entry.indexOf('=') + 1) }));
  return [{ name: 'PATH', value: PATH_DEFAULT }, { name: 'HOME', value: user?.home ?? HOME_DEFAULT }, ...own];
}

/** The accounts that the guest will find. */
function accountsOf(tree: ImageTree | undefined): { readonly passwd: string; readonly group: string } {
  const read = (name: 'passwd' | 'group'): string => {
    const inode = tree === undefined ? undefined : findInImage(tree, `/etc/${name}`);
    if (tree === undefined || inode === undefined || (tree.node(inode).mode & KIND.mask) !== KIND.file) return ACCOUNTS[name];
    return Buffer.from(tree.read(inode, 0, Math.min(tree.node(inode).size, ACCOUNTS_BYTES_MAX))).toString('utf8');
  };
  return { passwd: read('passwd'), group: read('group') };
}
