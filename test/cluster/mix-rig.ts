/**
 * A network whose result depends on arrival, for tests of checkpoints of whole clusters: what each maker sends is fixed, the order in which a polling mixer sees it is not. Makers wait at two
 * gates (named pipes) until the test lets them through. What this does NOT do: run it.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import type { ClusterRig } from './rig.ts';

/** Two makers write numbered lines, wait at two gates on the way until each checkpoint is taken, and go on; a server answers polls of both in the order of arrival and writes what it saw; a keeper keeps the sum. */
const MAKER = `#include "peers.h"
#include <stdio.h>
int main(void) {
    int out[PEERS_MAX]; peers_open("/dev/out", "mixer", out);
    volatile unsigned long n = 0;
    for (int r = 0; r < 300; r++) {
        char pass;
        if ((r == 60 || r == 120) && read(open("/dev/in/gate", O_RDONLY), &pass, 1) != 1) return 3;
        for (int i = 0; i < 60000; i++) n += i;
        char line[64]; int length = snprintf(line, sizeof line, "%s %d %lu\\n", getenv("STILLPOINT_NODE"), r, n);
        put(out[0], line, length);
        if (r % 20 == 0) { printf("%d\\n", r); fflush(stdout); }
    }
    return 0;
}
`;
const MIXER = `#include "peers.h"
#include <poll.h>
#include <stdio.h>
int main(void) {
    int in[PEERS_MAX], out[PEERS_MAX], n = peers_open("/dev/in", "maker", in), open = n;
    peers_open("/dev/out", "keeper", out);
    while (open > 0) {
        struct pollfd fds[PEERS_MAX];
        for (int i = 0; i < n; i++) fds[i] = (struct pollfd){ .fd = in[i], .events = POLLIN };
        poll(fds, n, -1);
        for (int i = 0; i < n; i++) if (fds[i].revents) {
            char b[256]; ssize_t got = read(in[i], b, sizeof b);
            if (got > 0) put(out[0], b, got); else { close(in[i]); in[i] = -1; open--; }
        }
    }
    return 0;
}
`;
const KEEPER = '#include "peers.h"\nint main(void) { int in[PEERS_MAX], out = open("/dev/out/kept", O_WRONLY); char b[100]; ssize_t n; peers_open("/dev/in", "mixer", in); while ((n = read(in[0], b, sizeof b)) > 0) put(out, b, n); return 0; }\n';

export class MixRig {
  /** Held open, so that nobody waits for the other end of a pipe. */
  readonly #gates: readonly number[];

  /** Compiles the programs and makes the gates. */
  constructor(rig: ClusterRig) {
    this.#gates = [0, 1].map((index) => {
      execFileSync('mkfifo', [rig.path(`build/gate-${index}`)]);
      return openSync(rig.path(`build/gate-${index}`), 'r+');
    });
    for (const [name, source] of [['maker', MAKER], ['mixer', MIXER], ['keeper', KEEPER]] as const) rig.compile(name, source);
  }

  /** `placement`: hosts of the mixer and the keeper. */
  manifest({ hosts = {}, placement = [] }: { readonly hosts?: Readonly<Record<string, string>>; readonly placement?: readonly [string, string] | readonly [] } = {}): string {
    const [mixer, keeper] = placement.map((host) => ` placement: ${host},`);
    const known = Object.entries(hosts).map(([name, address]) => `${name}: "${address}"`);
    return `version: 1
processes: ${known.length === 0 ? 2 : 1}
${known.length === 0 ? '' : `hosts: { ${known.join(', ')} }\n`}checkpointEvery: 10M
groups:
  maker: { program: build/maker.elf, count: 2, memory: 16M, files: { gate: { in: "build/gate-{index}" } } }
  mixer: { program: build/mixer.elf,${mixer ?? ''} memory: 16M }
  keeper: { program: build/keeper.elf,${keeper ?? ''} memory: 16M, files: { kept: { out: build/kept } } }
channels:
  - { from: maker, to: mixer, messages: true }
  - { from: mixer, to: keeper }
`;
  }

  /** Lets each maker through once. */
  openGates(): void {
    for (const gate of this.#gates) writeSync(gate, 'x');
  }

  close(): void {
    for (const gate of this.#gates) closeSync(gate);
  }
}

/** The lines that a maker sent, as the keeper kept them. */
export function linesOf(kept: string, maker: string): readonly string[] {
  return kept.split('\n').filter((line) => line.startsWith(`${maker} `));
}
