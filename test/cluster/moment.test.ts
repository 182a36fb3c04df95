/**
 * One moment of several stores. A model: small random networks, with circles and with nodes that poll, on hosts whose stores answer after random times and whose holds may lapse; whatever
 * moment is read, everything goes on from it and ends as a whole: the bits of the undisturbed run where nodes block, and at every channel what was read is what is written. A canary reads
 * without holding, and must be found out. Then the real hold, against a process that commits.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readAtOneMoment, type HeldStore } from '../../src/cluster/moment.ts';
import { StoreHold } from '../../src/session/store-hold.ts';
import { openLmdbStore } from '../../src/store/live/lmdb-store.ts';
import { compileFor } from '../store/compile.ts';
import { ClusterRig, isSlow, randomFrom, ROOT } from './rig.ts';

type Random = () => number;
const pick = (random: Random, count: number): number => Math.floor(random() * count);

/** Of each program: reads and writes. */
const STEPS = 250;

/** A channel of the model: writer and reader by number. */
interface Line { readonly from: number; readonly to: number }
interface Plan { readonly nodes: readonly { readonly seed: number; readonly polls: boolean; readonly host: number }[]; readonly lines: readonly Line[]; readonly hosts: number }
/** What a node has read: the only thing that is journaled. */
interface Entry { readonly line: number; readonly value: number }

function planFrom(random: Random, polls: boolean): Plan {
  const count = 2 + pick(random, 5);
  const hosts = 2 + pick(random, 3);
  const ring = Array.from({ length: count }, (_, node): Line => ({ from: node, to: (node + 1) % count }));
  const more = Array.from({ length: pick(random, 6) }, (): Line => ({ from: pick(random, count), to: pick(random, count) }));
  return { hosts, lines: [...ring, ...more], nodes: Array.from({ length: count }, (_, node) => ({ seed: pick(random, 1e9), polls: polls && random() < 0.7, host: node < hosts ? node : pick(random, hosts) })) };
}

/** A program: what it does next follows from what it has read. */
class Guest {
  readonly outputs = new Map<number, number[]>();
  readonly #ins: readonly number[];
  readonly #outs: readonly number[];
  readonly #polls: boolean;
  #state: number;
  #steps = 0;
  /** Lines of which it would take the next value; none: it has ended. */
  wants: readonly number[] = [];

  constructor({ nodes, lines }: Plan, node: number) {
    this.#ins = [...lines.keys()].filter((line) => lines[line]!.to === node);
    this.#outs = [...lines.keys()].filter((line) => lines[line]!.from === node);
    this.#polls = nodes[node]!.polls;
    this.#state = nodes[node]!.seed;
    for (const line of this.#outs) this.outputs.set(line, []);
    this.#advance();
  }

  feed({ line, value }: Entry): void {
    this.#mix(value * 31 + line);
    this.#advance();
  }

  #mix(value: number): void {
    this.#state = (Math.imul(this.#state ^ value, 0x9e3779b1) + 0x7f4a7c15) >>> 0;
    this.#steps++;
  }

  #advance(): void {
    this.wants = [];
    while (this.#steps < STEPS) {
      const wish = this.#state >>> 8;
      if (this.#steps > 4 && wish % 5 < 2) {
        this.wants = this.#polls ? this.#ins : [this.#ins[wish % this.#ins.length]!];
        return;
      }
      this.outputs.get(this.#outs[wish % this.#outs.length]!)!.push(this.#state);
      this.#mix(1);
    }
  }
}

class Node {
  readonly guest: Guest;
  readonly journal: Entry[] = [];
  /** What is committed, and what may therefore be read of its outputs. */
  durable = 0;
  readonly released = new Map<number, number>();

  constructor(plan: Plan, node: number, journal: readonly Entry[]) {
    this.guest = new Guest(plan, node);
    for (const entry of journal) this.take(entry);
    this.commit();
  }

  take(entry: Entry): void {
    this.journal.push(entry);
    this.guest.feed(entry);
  }

  commit(): void {
    this.durable = this.journal.length;
    for (const [line, values] of this.guest.outputs) this.released.set(line, values.length);
  }

  positionOf(line: number): number {
    return this.journal.filter((entry) => entry.line === line).length;
  }
}

class World {
  readonly #plan: Plan;
  readonly #random: Random;
  readonly nodes: readonly Node[];
  readonly held: boolean[];
  /** What hosts do after some steps. */
  readonly #later: { steps: number; readonly act: () => void }[] = [];

  constructor(plan: Plan, random: Random, journals: readonly (readonly Entry[])[]) {
    this.#plan = plan;
    this.#random = random;
    this.nodes = plan.nodes.map((_, node) => new Node(plan, node, journals[node] ?? []));
    this.held = Array.from({ length: plan.hosts }, () => false);
  }

  after<Result>(steps: number, act: () => Result): Promise<Result> {
    return new Promise((resolve) => { this.#later.push({ steps, act: () => { resolve(act()); } }); });
  }

  /** One step of somebody; false when nothing can happen any more. */
  step(): boolean {
    for (const one of this.#later) one.steps--;
    for (const one of this.#later.filter(({ steps }) => steps <= 0)) {
      this.#later.splice(this.#later.indexOf(one), 1);
      one.act();
    }
    const able = [...this.nodes.keys()].flatMap((node) => [...this.#readable(node).map((line) => ({ node, line })), ...(this.#canCommit(node) ? [{ node, line: undefined }] : [])]);
    if (able.length === 0) return this.#later.length > 0;
    const { node, line } = able[pick(this.#random, able.length)]!;
    const it = this.nodes[node]!;
    if (line === undefined) it.commit();
    else it.take({ line, value: this.nodes[this.#plan.lines[line]!.from]!.guest.outputs.get(line)![it.positionOf(line)]! });
    return true;
  }

  #readable(node: number): readonly number[] {
    const it = this.nodes[node]!;
    return it.guest.wants.filter((line) => it.positionOf(line) < this.nodes[this.#plan.lines[line]!.from]!.released.get(line)!);
  }

  #canCommit(node: number): boolean {
    return !this.held[this.#plan.nodes[node]!.host] && this.nodes[node]!.durable < this.nodes[node]!.journal.length;
  }

  /** A store as a command sees it, over a link that takes its time. */
  store(host: number, holds: boolean): HeldStore<number> {
    const slow = (): number => pick(this.#random, 40);
    let isGap = true;
    let life = 0;
    return {
      begin: async () => {
        const parts = await this.after(slow(), () => {
          isGap = false;
          this.held[host] = holds;
          const mine = ++life;
          if (holds) void this.after(20 + pick(this.#random, 150), () => { if (mine === life) this.held[host] = !(isGap = true); });
          return new Map([...this.nodes.entries()].filter(([node]) => this.#plan.nodes[node]!.host === host).map(([node, { durable }]) => [String(node), durable]));
        });
        await this.after(slow(), () => {});
        return parts;
      },
      end: () => this.after(slow(), () => {
        life++;
        this.held[host] = false;
        return !isGap;
      }),
    };
  }

  /** What is wrong with what was read, if anything. */
  get difference(): string | undefined {
    for (const [line, { from, to }] of this.#plan.lines.entries()) {
      const read = this.nodes[to]!.journal.filter((entry) => entry.line === line).map(({ value }) => value);
      const written = this.nodes[from]!.guest.outputs.get(line)!;
      if (read.some((value, at) => value !== written[at])) return `${to} has read ${read.join(' ')} of ${from}, which wrote ${written.join(' ')}`;
    }
    return undefined;
  }

  get outputs(): string {
    return JSON.stringify(this.nodes.map(({ guest }) => [...guest.outputs]));
  }
}

/** Reads a moment in the midst of a run, and goes on from it: what is wrong then, and what all nodes have written in the end. */
async function goOnFrom(seed: number, how: { readonly polls: boolean; readonly holds: boolean }): Promise<{ readonly isMidway: boolean; readonly atOnce: string | undefined; readonly difference: string | undefined; readonly outputs: string; readonly undisturbed: string }> {
  const random = randomFrom(seed);
  const plan = planFrom(random, how.polls);
  const world = new World(plan, random, []);
  for (let step = pick(random, 300); step > 0; step--) world.step();
  let parts: ReadonlyMap<string, number> | undefined;
  void readAtOneMoment(Array.from({ length: plan.hosts }, (_, host) => world.store(host, how.holds))).then((found) => { parts = found; }, () => { parts = new Map(); }); // Hosts that are too slow for each other: the beginning.
  while (parts === undefined) {
    world.step();
    for (let turn = 0; turn < 8; turn++) await Promise.resolve();
  }
  while (world.step());
  const again = new World(plan, randomFrom(seed + 1), world.nodes.map(({ journal }, node) => journal.slice(0, parts!.get(String(node)) ?? 0)));
  const atOnce = again.difference;
  while (again.step());
  const isMidway = [...parts].some(([, count]) => count > 0) && world.nodes.some(({ journal }, node) => journal.length > (parts!.get(String(node)) ?? 0));
  return { isMidway, difference: world.difference ?? again.difference, atOnce, outputs: again.outputs, undisturbed: world.outputs };
}

const SEEDS = Array.from({ length: isSlow ? 5000 : 200 }, (_, seed) => seed + 1);

describe('a moment of several stores', () => {
  it('is one where everything can go on, also round in circles and where nodes poll', async () => {
    let midway = 0;
    for (const seed of SEEDS) {
      const { isMidway, atOnce, difference } = await goOnFrom(seed, { polls: true, holds: true });
      expect([atOnce, difference], `seed ${seed}`).toEqual([undefined, undefined]);
      if (isMidway) midway++;
    }
    expect(midway).toBeGreaterThan(SEEDS.length / 4);
  });

  it('gives the undisturbed bits where nodes block', async () => {
    for (const seed of SEEDS) {
      const { difference, outputs, undisturbed } = await goOnFrom(seed, { polls: false, holds: true });
      expect([difference, outputs], `seed ${seed}`).toEqual([undefined, undisturbed]);
    }
  });

  it('is none when stores are only read one after the other (canary)', async () => {
    let [found, ended] = [0, 0];
    for (const seed of SEEDS) {
      const { atOnce, difference } = await goOnFrom(seed, { polls: true, holds: false });
      if (atOnce !== undefined) found++;
      if (difference !== undefined) ended++;
    }
    expect(found).toBeGreaterThan(SEEDS.length / 20);
    expect(ended).toBeGreaterThan(0);
  });
});

describe('a store that is held', () => {
  const rig = new ClusterRig();
  afterAll(() => { rig.close(); });

  it('is not committed to by any process until it is let go, or the time is over', async () => {
    const directory = rig.path('held');
    const reader = await openLmdbStore({ directory, mode: 'create' });
    const child = spawn(process.execPath, [await compileFor('test/cluster/turn-writer.ts', rig.path('turn-writer')), directory], { stdio: ['pipe', 'inherit', 'inherit'] });
    const read = (): string => {
      reader.refresh();
      return new TextDecoder().decode(reader.get('meta', new TextEncoder().encode('turn a')) ?? new Uint8Array(0));
    };
    const moves = async (): Promise<void> => { for (const before = read(); read() === before;) await new Promise((done) => { setTimeout(done, 5); }); };
    await moves();
    const hold = await StoreHold.open(directory, new URL(`file://${join(ROOT, 'dist/bin')}/`));
    await hold.begin(60_000);
    const before = read();
    await new Promise((done) => { setTimeout(done, 200); });
    expect(read()).toBe(before);
    expect(await hold.end()).toBe(true);
    await moves();
    await hold.begin(20);
    await moves();
    expect(await hold.end()).toBe(false);
    await hold.begin(60_000);
    await hold.close(); // Lets go, too.
    await moves();
    child.stdin.end();
    await new Promise((done) => { child.on('close', done); });
    await reader.close();
  });
});
