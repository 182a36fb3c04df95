/**
 * A line of programs as a cluster: the standard output of each is the standard input of the next, as in a shell's pipe, but every one is a machine.
 *
 *   pipe 'gen.elf 10' 'sort.elf' 'uniq.elf -c'     gen-0 ─stdout──stdin─► sort-0 ─stdout──stdin─► uniq-0 ─stdout─► file
 *
 * Invariants: as plan.ts. What this does NOT do: expand variables or wildcards; quotes are all that is known of a shell.
 */
import { StillpointError } from '../core/index.ts';
import { LOCAL_HOST, parseImage, type ClusterGroup, type ClusterSettings, type HostBinding, type ImageSetting } from '../manifest/index.ts';
import { defaultWindow, planCluster, type ClusterHost, type ClusterPlan, type PlannedLink, type PlannedNode, type PlanOptions } from './plan.ts';

export interface PipeRequest {
  /** `PROGRAM ARG…`, with quotes as a shell has them. */
  readonly stages: readonly string[];
  /** Below the files of every stage, lowest first: SOURCE[:MOUNT], SOURCE a name of the store or a path with a slash. */
  readonly images: readonly string[];
  readonly name: string;
  readonly logs: string;
  /** Files of the first stage's standard input and the last one's output. */
  readonly input?: string | undefined;
  readonly output?: string | undefined;
  readonly processes?: number | undefined;
  readonly store?: string | undefined;
  /** Nothing is kept. */
  readonly isEphemeral: boolean;
}

/** The stages as groups of a cluster. Throws E_USAGE. */
export function pipeSettings(wish: PipeRequest, host: ClusterHost): ClusterSettings {
  const option = { code: 'E_USAGE', where: 'option --image' } as const;
  const images = wish.images.map((text): ImageSetting => {
    const { source, mount } = parseImage(text, option);
    return { source: source.includes('/') ? host.absolute(source) : source, mount, place: option };
  });
  const taken = new Set<string>();
  const last = wish.stages.length - 1;
  return {
    name: wish.name, hosts: [], address: undefined, channels: [], processes: wish.processes, transport: 'ipc', isEncrypted: undefined, checkpointEvery: undefined, engine: undefined, restarts: 10, logs: wish.logs, store: wish.store,
    groups: wish.stages.map((stage, index) => toGroup(splitWords(stage), { taken, host, images, stdin: index === 0 ? wish.input : undefined, stdout: index === last ? wish.output : undefined })),
    place: (field) => ({ code: 'E_USAGE', where: `stage ${field[1] ?? ''}`.trim() }),
  };
}

/** Throws E_USAGE, E_CHANNEL_*. */
export function planPipe(settings: ClusterSettings, host: ClusterHost, options: PlanOptions): ClusterPlan {
  const plan = planCluster(settings, host, options);
  const links = plan.nodes.slice(1).map((to, id): PlannedLink => ({ id, channel: id, from: plan.nodes[id]!.name, to: to.name, fromChannel: 'stdout', toChannel: 'stdin', hasMessages: false, windowBytes: defaultWindow(plan.nodes.length - 1, false), cutsSlow: false }));
  return { ...plan, links, nodes: plan.nodes.map((node, index) => joined(node, { before: links[index - 1], after: links[index] })) };
}

function joined(node: PlannedNode, { before, after }: { readonly before: PlannedLink | undefined; readonly after: PlannedLink | undefined }): PlannedNode {
  const channels = new Map<string, HostBinding>(node.bindings.channels);
  if (before !== undefined) channels.set('stdin', { kind: 'peer', link: before.id, peer: before.from });
  if (after !== undefined) channels.set('stdout', { kind: 'peer', link: after.id, peer: after.to });
  return { ...node, bindings: { ...node.bindings, channels } };
}

function toGroup(words: readonly string[], facts: { readonly taken: Set<string>; readonly host: ClusterHost; readonly images: readonly ImageSetting[]; readonly stdin: string | undefined; readonly stdout: string | undefined }): ClusterGroup {
  const [program, ...programArguments] = words;
  if (program === undefined) throw new StillpointError('E_USAGE', 'a stage of the pipe has no program');
  const base = (program.split('/').at(-1) ?? '').replace(/\.elf$/, '').replace(/[^A-Za-z0-9_-]/g, '-').replace(/^[^A-Za-z]+/, '').slice(0, 20) || 'stage';
  let name = base;
  for (let number = 2; facts.taken.has(name); number++) name = `${base}${number}`;
  facts.taken.add(name);
  return {
    name, program: facts.images.length > 0 && !program.includes('/') ? program : facts.host.absolute(program), images: facts.images, arguments: programArguments, environment: [], count: undefined, placement: [LOCAL_HOST], replicas: 1, workingDirectory: undefined, user: undefined, memoryBytes: undefined,
    maxInstructions: undefined, clock: undefined, entropy: undefined, files: [], limits: [], stdin: facts.stdin, stdout: facts.stdout, stderr: undefined,
  };
}

/** Words as a shell splits them: blanks, '…' and "…" (where \ keeps the next character), \x. */
function splitWords(text: string): readonly string[] {
  const words: string[] = [];
  const pattern = /\s*(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+))(\s*)/ys;
  let word = '';
  let isOpen = false;
  for (let at = 0; at < text.trimEnd().length; at = pattern.lastIndex) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) throw new StillpointError('E_USAGE', `${text}: a quote is not closed`);
    const [, single, double, escaped, plain, blanks] = match;
    word += single ?? double?.replace(/\\(.)/gs, '$1') ?? escaped ?? plain ?? '';
    isOpen = true;
    if (blanks === '') continue;
    words.push(word);
    word = '';
    isOpen = false;
  }
  return isOpen ? [...words, word] : words;
}
