/**
 * What a service counts, in the text format of Prometheus (version 0.0.4).
 * Invariant: an ended request is counted once, under "committed", "repeated" (it got the answer of an earlier one) or the code of its error.
 * What this does NOT do: keep anything over a restart; counters begin at zero, as Prometheus expects.
 */

import { CONTROL_VERBS } from './control.ts';

/** What is asked of the service when somebody looks. */
export interface Gauges {
  readonly waiting: () => number;
  readonly underWay: () => number;
  readonly instructions: () => bigint;
  readonly commits: () => number;
  readonly isWell: () => boolean;
}

/** Upper bounds in seconds, from a request in memory to a time-out. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

export class Metrics {
  readonly #gauges: Gauges;
  readonly #outcomes = new Map<string, number>();
  readonly #buckets: number[] = BOUNDS.map(() => 0);
  readonly #verbs = new Map<string, number>();
  #connections: () => number = () => 0;
  #bytes = { request: 0, response: 0 };
  #seconds = 0;
  #count = 0;

  constructor(gauges: Gauges) {
    this.#gauges = gauges;
  }

  /** Open connections are counted by whoever has them. */
  countConnections(count: () => number): void {
    const before = this.#connections;
    this.#connections = () => before() + count();
  }

  /** A verb of control that was done. */
  controlled(verb: string): void {
    this.#verbs.set(verb, (this.#verbs.get(verb) ?? 0) + 1);
  }

  /** 'committed', 'repeated', or the code of the error; `bytes` of a request that was answered. */
  ended(outcome: string, milliseconds: number, bytes = { request: 0, response: 0 }): void {
    this.#bytes = { request: this.#bytes.request + bytes.request, response: this.#bytes.response + bytes.response };
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    const seconds = milliseconds / 1000;
    this.#seconds += seconds;
    this.#count++;
    BOUNDS.forEach((bound, index) => { if (seconds <= bound) this.#buckets[index]!++; });
  }

  get text(): string {
    const { waiting, underWay, instructions, commits, isWell } = this.#gauges;
    const outcomes = [...new Set(['committed', ...this.#outcomes.keys()])].sort(); // The same order at every look.
    return [
      ...head('requests_total', 'counter', 'Requests that ended, by outcome: committed, repeated, or the code of the error.'),
      ...outcomes.map((outcome) => `stillpoint_requests_total{outcome="${outcome}"} ${this.#outcomes.get(outcome) ?? 0}`),
      ...head('request_seconds', 'histogram', 'Time from arrival to the answer, which waits for the disk.'),
      ...BOUNDS.map((bound, index) => `stillpoint_request_seconds_bucket{le="${bound}"} ${this.#buckets[index]}`),
      `stillpoint_request_seconds_bucket{le="+Inf"} ${this.#count}`, `stillpoint_request_seconds_sum ${this.#seconds}`, `stillpoint_request_seconds_count ${this.#count}`,
      ...head('requests_waiting', 'gauge', 'Requests that wait for their turn.'), `stillpoint_requests_waiting ${waiting()}`,
      ...head('commits_under_way', 'gauge', 'Transactions whose commit is not on disk yet.'), `stillpoint_commits_under_way ${underWay()}`,
      ...head('instructions', 'counter', 'Instructions that the machine has retired since its first start.'), `stillpoint_instructions ${instructions()}`,
      ...head('commits_total', 'counter', 'Transactions of the machine that were committed.'), `stillpoint_commits_total ${commits()}`,
      ...head('request_bytes_total', 'counter', 'Bytes of requests that were answered.'), `stillpoint_request_bytes_total ${this.#bytes.request}`,
      ...head('response_bytes_total', 'counter', 'Bytes of their answers.'), `stillpoint_response_bytes_total ${this.#bytes.response}`,
      ...head('control_total', 'counter', 'Savepoints, rollbacks, branches and promotions.'),
      ...CONTROL_VERBS.map((verb) => `stillpoint_control_total{verb="${verb}"} ${this.#verbs.get(verb) ?? 0}`),
      ...head('connections', 'gauge', 'Open connections.'), `stillpoint_connections ${this.#connections()}`,
      ...head('resident_bytes', 'gauge', 'Memory of the process.'), `stillpoint_resident_bytes ${process.memoryUsage().rss}`,
      ...head('up', 'gauge', '1 while requests can be served.'), `stillpoint_up ${isWell() ? 1 : 0}`, '',
    ].join('\n');
  }
}

function head(name: string, type: string, help: string): readonly string[] {
  return [`# HELP stillpoint_${name} ${help}`, `# TYPE stillpoint_${name} ${type}`];
}
