/**
 * The verbs of clusters: plan shows what a cluster manifest would run.
 */
import { InvalidArgumentError, type Command } from 'commander';
import { readClusterPlan, type ClusterPlan, type PlannedNode } from '../../src/index.ts';
import { say, sayJson, table } from '../terminal.ts';

interface PlanFlags { readonly json?: boolean; readonly processes?: number }

export function addClusterCommands(program: Command): void {
  addPlan(program);
}

function parseProcesses(value: string): number {
  const count = Number(value);
  if (!/^[0-9]{1,3}$/.test(value) || count < 1) throw new InvalidArgumentError('it is a number of processes.');
  return count;
}

function addPlan(program: Command): void {
  program
    .command('plan')
    .description('show what a cluster manifest would run, without running it')
    .argument('<file>', 'the cluster manifest (YAML or JSON)')
    .option('--processes <n>', 'another number of processes', parseProcesses)
    .option('--json', 'facts as JSON')
    .addHelpText('after', '\nExample:\n  stillpoint plan sort.yaml')
    .action((file: string, flags: PlanFlags) => {
      const plan = readClusterPlan({ file, processes: flags.processes });
      if (flags.json === true) sayJson(planFacts(plan));
      else sayPlan(plan);
    });
}

/** The plan with maps as objects. */
function planFacts(plan: ClusterPlan): object {
  return { ...plan, nodes: plan.nodes.map((node) => ({ ...node, bindings: { program: node.bindings.program, channels: Object.fromEntries(node.bindings.channels) } })) };
}

function sayPlan(plan: ClusterPlan): void {
  const security = plan.isEncrypted ? `${plan.transport}, encrypted` : plan.transport;
  say(`cluster ${plan.name}: ${plan.nodes.length} nodes in ${plan.processes} processes, ${plan.links.length} channels (${security}), logs in ${plan.logs}`);
  say(table(['NODE', 'PROCESS', 'PROGRAM', 'READS', 'WRITES', 'ARGUMENTS'], plan.nodes.map((node) => [
    node.name, String(node.process), node.manifest.programName, channelsOf(node, true), channelsOf(node, false), node.manifest.arguments.slice(1).join(' '),
  ])));
}

/** Peers by group, `map 0-19`, and files by name. */
function channelsOf(node: PlannedNode, reads: boolean): string {
  const groups = new Map<string, number[]>();
  const files: string[] = [];
  for (const spec of node.manifest.channels.filter((channel) => channel.reads === reads && !/^std(in|out|err)$/.test(channel.name))) {
    const [, group, index] = /^(?:in|out)\/(.*)-([0-9]+)$/.exec(spec.name) ?? [];
    if (group === undefined) files.push(spec.name);
    else groups.set(group, [...(groups.get(group) ?? []), Number(index)]);
  }
  return [...[...groups].map(([group, indices]) => `${group}-${ranges(indices)}`), ...files].join(' ');
}

/** 0 1 2 5 → `0..2,5`. */
function ranges(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const found: [number, number][] = [];
  for (const number of sorted) {
    const last = found.at(-1);
    if (last !== undefined && last[1] + 1 === number) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? String(first) : `${first}..${last}`)).join(',');
}
