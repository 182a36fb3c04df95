/**
 * What every port to another node is alike in: one direction each, nothing to make durable on this host, and nothing to put back, because a peer says
 * itself what it holds (session/resume.ts asks it).
 * What this does NOT do: carry bytes (peer-input.ts, peer-output.ts, voting.ts).
 */
import { assert } from '../core/index.ts';
import type { HostPort, OutputOperation, Wanted } from '../channel/index.ts';

abstract class PeerPort {
  async sync(): Promise<void> {}

  async rewind(position: number): Promise<number> {
    return position;
  }

  abstract close(): Promise<void>;
}

export abstract class InputPort extends PeerPort implements HostPort {
  readonly givesAway = true;

  abstract read(wanted: Wanted): Promise<Uint8Array | undefined>;

  async write(): Promise<void> {
    assert(false, 'an input port is not written');
  }
}

export abstract class OutputPort extends PeerPort implements HostPort {
  readonly keepsPosition = true;

  async read(): Promise<undefined> {
    assert(false, 'an output port is not read');
  }

  abstract write(operations: readonly OutputOperation[]): Promise<void>;
}
