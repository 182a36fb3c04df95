/**
 * From settings and a look at the host to the manifest and bindings of a run: which channels there are, of which kind, and what `@FILE`
 * arguments become. Nothing on the host is created or changed here, so a wrong wish leaves no trace.
 *
 *   asked for                        channel
 *   (always)                         stdin, stdout, stderr: sequential; a terminal is live and seen as a character device
 *   --in, @FILE   regular file       random, read      /dev/in/NAME
 *   --in, @FILE   FIFO, device, -    sequential, read  /dev/in/NAME
 *   --out                            sequential, write /dev/out/NAME
 *   --append                         append, both      /dev/rw/NAME
 *   --rw                             random, both      /dev/rw/NAME
 *
 * What this does NOT do: open channels (channel/live), read the program.
 */
import { limits, StillpointError, type BlobHash } from '../core/index.ts';
import type { HostBinding, HostBindings, HostFacts, HostInspector, StandardStream } from './bindings.ts';
import { compareChannelNames, type ChannelLimits, type ChannelSpec } from './channel-spec.ts';
import { checkName, complain } from './parse-values.ts';
import { byteLength, checkManifest, isChannelName, type RunManifest, type RunUser } from './run-manifest.ts';
import type { ChannelSetting, LimitSetting, Place, RunSettings } from './settings.ts';

const UNLIMITED: ChannelLimits = { gets: null, getBytes: null, puts: null, putBytes: null };
const STANDARD: readonly StandardStream[] = ['stdin', 'stdout', 'stderr'];
const ARGUMENT: Place = { code: 'E_CHANNEL_OPEN', where: 'argument' };

interface Declared { readonly spec: ChannelSpec; readonly binding: HostBinding }

/** The image of a run, as far as a manifest tells: its digest (none when it was not hashed), where in it the program is, if it is there, and who runs it. */
export interface DeclaredImage {
  readonly digest: BlobHash | undefined;
  readonly programPath: string | undefined;
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly user?: RunUser;
  readonly makesWorkingDirectory?: boolean;
}

/** The manifest and bindings of a run. Throws E_USAGE, E_MANIFEST, E_CHANNEL_DECLARATION or E_CHANNEL_OPEN. */
export function declareRun(settings: RunSettings, host: HostInspector, image?: DeclaredImage): { readonly manifest: RunManifest; readonly bindings: HostBindings } {
  const { program } = settings;
  if (program === undefined || program === '') throw new StillpointError('E_USAGE', 'no program is given; say stillpoint run PROGRAM');
  const programName = program.replace(/\/+$/, '').split('/').at(-1) || program;
  if (byteLength(programName) > limits.NAME_BYTES_MAX) throw new StillpointError('E_PROGRAM_NOT_FOUND', `there is no program with a name of more than ${limits.NAME_BYTES_MAX} bytes`);
  const declared = new ChannelDeclarations(host, settings);
  for (const setting of settings.channels) declared.addSetting(setting);
  const programArguments = (settings.arguments ?? []).map((text) => declared.replaceArgument(text));
  declared.addStandard();
  const channels = declared.finish();
  const manifest: RunManifest = {
    version: 1,
    programName,
    arguments: [program, ...programArguments],
    environment: environmentOf([...image?.environment ?? [], ...settings.environment]),
    workingDirectory: settings.workingDirectory ?? '/',
    memoryBytes: settings.memoryBytes ?? limits.MEMORY_BYTES_DEFAULT,
    maxInstructions: settings.maxInstructions ?? null,
    clock: settings.clock ?? { kind: 'zero' },
    entropy: settings.entropy ?? { kind: 'seed', seed: 0n },
    channels: channels.map((channel) => channel.spec),
    ...(settings.schedule === undefined ? {} : { schedule: settings.schedule }),
    ...(image?.digest === undefined ? {} : { image: image.digest }),
    ...(image?.programPath === undefined ? {} : { programPath: image.programPath }),
    ...(image?.user === undefined ? {} : { user: image.user }),
    ...(image?.makesWorkingDirectory === true ? { makesWorkingDirectory: true } : {}),
  };
  checkManifest(manifest);
  return { manifest, bindings: { program: image?.programPath ?? host.absolute(program), channels: new Map(channels.map((channel) => [channel.spec.name, channel.binding])) } };
}

/** Later values replace earlier ones in place. */
function environmentOf(variables: RunSettings['environment']): readonly string[] {
  const values = new Map<string, string>();
  for (const { name, value } of variables) values.set(name, value);
  return [...values].map(([name, value]) => `${name}=${value}`);
}

class ChannelDeclarations {
  readonly #host: HostInspector;
  readonly #settings: RunSettings;
  readonly #declared = new Map<string, Declared>();
  /** Absolute path → channel name, so that one file given twice as @FILE is one channel. */
  readonly #argumentFiles = new Map<string, string>();
  /** Absolute path → the channel that writes it or, for readers, reads it: a file that is written has one channel. */
  readonly #users = new Map<string, { readonly name: string; readonly writes: boolean }>();
  /** The channel that took standard input with `-`. */
  #inputTaker: string | undefined;

  constructor(host: HostInspector, settings: RunSettings) {
    this.#host = host;
    this.#settings = settings;
  }

  addSetting(setting: ChannelSetting): void {
    const { name, place } = setting;
    checkName(name, place);
    if ((STANDARD as readonly string[]).includes(name)) throw declaration(place, `the name ${name} belongs to the standard stream; redirect it in the shell, or name its file as ${name} of a cluster's group`);
    if (this.#declared.has(name)) throw declaration(place, `channel ${name} is declared twice`);
    if (setting.file === '-') this.#addStandardInput(setting);
    else if (setting.kind === 'in') this.#addInput(name, setting.file, place);
    else this.#addOutput(setting);
  }

  /** `@FILE` → the path of a new channel; `@@x` → `@x`; anything else stays. */
  replaceArgument(text: string): string {
    if (!text.startsWith('@') || text.length === 1) return text;
    if (text.startsWith('@@')) return text.slice(1);
    const file = text.slice(1);
    const absolute = this.#host.absolute(file);
    let name = this.#argumentFiles.get(absolute);
    if (name === undefined) {
      name = this.#freeName(file);
      this.#addInput(name, file, { ...ARGUMENT, where: `argument @${file}` });
      this.#argumentFiles.set(absolute, name);
    }
    return `/dev/in/${name}`;
  }

  addStandard(): void {
    for (const stream of STANDARD) {
      const facts = this.#host.standard(stream);
      const isTerminal = facts.kind === 'terminal';
      const isInput = stream === 'stdin';
      const isTaken = isInput && this.#inputTaker !== undefined;
      const seenAs = isTerminal && !isTaken ? 'character' : 'pipe';
      const spec = sequential(stream, { path: `/dev/${stream}`, isInput, live: isInput && isTerminal && !isTaken, seenAs });
      this.#declared.set(stream, { spec, binding: isTaken ? { kind: 'empty' } : { kind: 'standard', stream } });
    }
  }

  /** The channels in channel order, with limits and --live laid on. */
  finish(): readonly Declared[] {
    for (const { channel, place } of this.#settings.live) this.#makeLive(channel, place);
    for (const limit of this.#settings.limits) this.#limit(limit);
    if (this.#declared.size > limits.CHANNELS_MAX) throw new StillpointError('E_CHANNEL_DECLARATION', `${this.#declared.size} channels are declared, at most ${limits.CHANNELS_MAX} are possible`);
    return [...this.#declared.values()].sort((a, b) => compareChannelNames(a.spec.name, b.spec.name));
  }

  #addStandardInput(setting: ChannelSetting): void {
    const { name, place } = setting;
    if (setting.kind !== 'in') throw declaration(place, `channel ${name}: only --in can be bound to -`);
    if (this.#inputTaker !== undefined) throw declaration(place, `standard input is bound twice, to ${this.#inputTaker} and to ${name}`);
    this.#inputTaker = name;
    const isTerminal = this.#host.standard('stdin').kind === 'terminal';
    const spec = sequential(name, { path: `/dev/in/${name}`, isInput: true, live: isTerminal, seenAs: isTerminal ? 'character' : 'pipe' });
    this.#declared.set(name, { spec, binding: { kind: 'standard', stream: 'stdin' } });
  }

  #addInput(name: string, file: string, place: Place): void {
    const facts = this.#facts(name, file, place);
    if (facts === undefined) throw cannotOpen(place, { name, file, why: 'there is no such file' });
    if (!facts.canRead) throw cannotOpen(place, { name, file, why: 'it may not be read' });
    refuseOddKinds(facts, place, { name, file });
    this.#use(file, { name, writes: false }, { facts, place });
    const path = `/dev/in/${name}`;
    const isTerminal = facts.kind === 'terminal';
    const spec: ChannelSpec = facts.kind === 'file'
      ? { name, path, access: 'random', reads: true, writes: false, live: false, seenAs: 'file', initialSize: facts.size, limits: UNLIMITED }
      : sequential(name, { path, isInput: true, live: isTerminal, seenAs: isTerminal ? 'character' : 'pipe' });
    this.#declared.set(name, { spec, binding: { kind: 'file', path: this.#host.absolute(file) } });
  }

  #addOutput(setting: ChannelSetting): void {
    const { name, kind, file, place } = setting;
    const facts = this.#facts(name, file, place);
    if (facts !== undefined) {
      refuseOddKinds(facts, place, { name, file });
      if (!facts.canWrite) throw cannotOpen(place, { name, file, why: 'it may not be written' });
    }
    this.#use(file, { name, writes: true }, { facts, place });
    const binding: HostBinding = { kind: 'file', path: this.#host.absolute(file) };
    if (kind === 'out') {
      const isTerminal = facts?.kind === 'terminal';
      this.#declared.set(name, { spec: sequential(name, { path: `/dev/out/${name}`, isInput: false, live: false, seenAs: isTerminal ? 'character' : 'pipe' }), binding });
      return;
    }
    if (facts !== undefined && facts.kind !== 'file') throw declaration(place, `channel ${name}: --${kind} wants a regular file, ${file} is none`);
    if (facts !== undefined && !facts.canRead) throw cannotOpen(place, { name, file, why: 'it may not be read' });
    const access = kind === 'append' ? 'append' : 'random';
    this.#declared.set(name, {
      spec: { name, path: `/dev/rw/${name}`, access, reads: true, writes: true, live: false, seenAs: 'file', initialSize: facts?.size ?? 0, limits: UNLIMITED },
      binding,
    });
  }

  #facts(name: string, file: string, place: Place): HostFacts | undefined {
    try {
      return this.#host.file(file);
    } catch (error) {
      if (!(error instanceof StillpointError) || error.code !== 'E_CHANNEL_OPEN') throw error;
      throw cannotOpen(place, { name, file, why: error.message });
    }
  }

  /** Two channels on one regular file, one of them writing, would make what is read depend on timing. */
  #use(file: string, user: { readonly name: string; readonly writes: boolean }, context: { readonly facts: HostFacts | undefined; readonly place: Place }): void {
    if (context.facts !== undefined && context.facts.kind !== 'file') return;
    const path = this.#host.absolute(file);
    const other = this.#users.get(path);
    if (other !== undefined && (other.writes || user.writes)) throw declaration(context.place, `channels ${other.name} and ${user.name} cannot both have the file ${file}: one of them writes it`);
    this.#users.set(path, user);
  }

  /** The file's own name, or `a-2.txt`, `a-3.txt` when `a.txt` is taken. */
  #freeName(file: string): string {
    const base = file.replace(/\/+$/, '').split('/').at(-1) ?? '';
    if (!isChannelName(base)) throw new StillpointError('E_CHANNEL_DECLARATION', `argument @${file.replace(/\p{Cc}/gu, '?')}: this file name cannot be the name of a channel; use --in NAME=FILE`);
    const isTaken = (name: string): boolean => this.#declared.has(name) || (STANDARD as readonly string[]).includes(name);
    const dot = base.lastIndexOf('.') > 0 ? base.lastIndexOf('.') : base.length;
    let name = base;
    for (let number = 2; isTaken(name); number++) name = `${base.slice(0, dot)}-${number}${base.slice(dot)}`;
    return name;
  }

  #makeLive(name: string, place: Place): void {
    const { spec, binding } = this.#find(name, place);
    if (spec.access !== 'sequential' || !spec.reads) throw declaration(place, `channel ${name} cannot be live: only input from a pipe, terminal or device can`);
    this.#declared.set(name, { spec: { ...spec, live: true }, binding });
  }

  #limit(setting: LimitSetting): void {
    const { channel: name, place } = setting;
    const { spec, binding } = this.#find(name, place);
    const given = setting.limits;
    if (!spec.reads && ((given.gets ?? null) !== null || (given.getBytes ?? null) !== null)) throw declaration(place, `channel ${name} is not read, it can only have puts and put-bytes`);
    if (!spec.writes && ((given.puts ?? null) !== null || (given.putBytes ?? null) !== null)) throw declaration(place, `channel ${name} is not written, it can only have gets and get-bytes`);
    const merged: ChannelLimits = { ...spec.limits, ...given };
    const readsNothing = !spec.reads || merged.gets === 0 || merged.getBytes === 0;
    const writesNothing = !spec.writes || merged.puts === 0 || merged.putBytes === 0;
    if (readsNothing && writesNothing) throw declaration(place, `the limits of channel ${name} leave nothing that it could do`);
    this.#declared.set(name, { spec: { ...spec, limits: merged }, binding });
  }

  #find(name: string, place: Place): Declared {
    const found = this.#declared.get(name);
    if (found !== undefined) return found;
    throw declaration(place, `there is no channel ${name}; there are ${[...this.#declared.keys()].sort(compareChannelNames).join(', ')}`);
  }
}

function sequential(name: string, facts: { readonly path: string; readonly isInput: boolean; readonly live: boolean; readonly seenAs: 'pipe' | 'character' }): ChannelSpec {
  const { path, isInput, live, seenAs } = facts;
  return { name, path, access: 'sequential', reads: isInput, writes: !isInput, live, seenAs, initialSize: 0, limits: UNLIMITED };
}

function declaration(place: Place, what: string): StillpointError {
  return complain({ code: 'E_CHANNEL_DECLARATION', where: place.where }, what);
}

function refuseOddKinds(facts: HostFacts, place: Place, channel: { readonly name: string; readonly file: string }): void {
  if (facts.kind === 'directory') throw cannotOpen(place, { ...channel, why: 'it is a directory' });
  if (facts.kind === 'socket' || facts.kind === 'other') throw cannotOpen(place, { ...channel, why: 'it is neither a file nor a pipe nor a character device' });
}

function cannotOpen(place: Place, facts: { readonly name: string; readonly file: string; readonly why: string }): StillpointError {
  const { name, file, why } = facts;
  return new StillpointError('E_CHANNEL_OPEN', `${place.where}: channel ${name} (${file}): ${why}`, { data: { channel: name, path: file } });
}
