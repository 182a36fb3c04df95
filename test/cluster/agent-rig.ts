/**
 * Agents of a test: each a process with a store and a directory of its own, on the loopback or in a network namespace. What this does NOT do: run clusters.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { CLI, until, type ClusterRig } from './rig.ts';

/** The pipeline of three copies, fed by a named pipe; `placement`: a host for each stage. */
export function pipelineOn({ hosts = {}, placement = [] }: { readonly hosts?: Readonly<Record<string, string>>; readonly placement?: readonly string[] }): string {
  const at = (stage: number): string => (placement[stage] === undefined ? '' : ` placement: ${placement[stage]},`);
  const known = Object.entries(hosts).map(([name, address]) => `${name}: "${address}"`);
  return `version: 1
${known.length === 0 ? '' : `hosts: { ${known.join(', ')} }\n`}checkpointEvery: 5M
groups:
  first: { program: build/copy.elf, memory: 16M,${at(0)} arguments: [/dev/in/data, /dev/out/second-0, "1"], files: { data: { in: build/source } } }
  second: { program: build/copy.elf, memory: 16M,${at(1)} arguments: [/dev/in/first-0, /dev/out/third-0, "2"] }
  third: { program: build/copy.elf, memory: 16M,${at(2)} arguments: [/dev/in/second-0, /dev/out/copy, "3"], files: { copy: { out: build/copy } } }
channels:
  - { from: first, to: second }
  - { from: second, to: third }
`;
}

interface Agent { readonly child: ChildProcess; readonly address: string }

export class AgentRig {
  readonly #rig: ClusterRig;
  readonly #agents = new Map<string, Agent>();

  constructor(rig: ClusterRig) {
    this.#rig = rig;
  }

  /** Name → address, for a manifest. */
  get hosts(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#agents].map(([name, { address }]) => [name, address]));
  }

  pid(name: string): number {
    return this.#agents.get(name)!.child.pid!;
  }

  /** Starts an agent, or starts it again where it was; resolves when it listens. */
  async start(name: string, { address = '127.0.0.1', prefix = [], keys = 'keys', store = name }: { readonly address?: string; readonly prefix?: readonly string[]; readonly keys?: string; readonly store?: string } = {}): Promise<void> {
    const listen = this.#agents.get(name)?.address ?? `${address}:0`;
    const [program = '', ...words] = [...prefix, process.execPath, CLI, 'agent', '--keys', keys, '--listen', listen, '--store', this.#rig.path(store), '--work', this.#rig.path(`${name}.files`)];
    const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'], cwd: this.#rig.directory });
    let said = '';
    child.stderr.on('data', (bytes: Buffer) => { said += bytes.toString(); });
    await until(() => /agent listens at \S+/.test(said) || child.exitCode !== null, `agent ${name} (${said})`);
    this.#agents.set(name, { child, address: /agent listens at (\S+)/.exec(said)![1]! });
  }

  /** Takes away what agents know of clusters. */
  forget(): void {
    for (const name of this.#agents.keys()) rmSync(this.#rig.path(name), { recursive: true, force: true });
  }

  close(): void {
    for (const { child } of this.#agents.values()) child.kill('SIGKILL');
  }
}
