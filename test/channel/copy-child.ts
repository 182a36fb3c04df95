/**
 * A process of its own for standard.test.ts: copies standard input to standard output through ports, as a session would.
 * Arguments (JSON): bytes to read at most, what to write on standard error, and for a resume the base and the committed position.
 */
import { openPort, outputBase } from '../../src/channel/live/open-port.ts';
import { StillpointError, type ErrorCode } from '../../src/core/index.ts';
import type { ChannelSpec, HostPort } from '../../src/channel/index.ts';

interface Orders { readonly bytes: number; readonly complaint: string; readonly resume?: { readonly base: number; readonly position: number } }
const orders = JSON.parse(process.argv[2] ?? '') as Orders; // Written by standard.test.ts.
const limits = { gets: null, getBytes: null, puts: null, putBytes: null };

function open(name: 'stdin' | 'stdout' | 'stderr'): Promise<HostPort> {
  const isInput = name === 'stdin';
  const spec: ChannelSpec = { name, path: `/dev/${name}`, access: 'sequential', reads: isInput, writes: !isInput, live: false, seenAs: 'pipe', initialSize: 0, limits };
  const base = name === 'stdout' ? orders.resume?.base : undefined;
  return openPort(spec, { kind: 'standard', stream: name }, { resume: orders.resume !== undefined, ...(base === undefined ? {} : { base }) });
}

async function main(): Promise<ErrorCode | 'done'> {
  const [input, output, errors] = [await open('stdin'), await open('stdout'), await open('stderr')];
  try {
    let position = orders.resume?.position ?? 0;
    if (orders.resume !== undefined) position = await output.rewind(position);
    for (let read = 0; read < orders.bytes; ) {
      const bytes = await input.read({ offset: read, length: Math.min(65_536, orders.bytes - read) });
      if (bytes === undefined) break;
      await output.write([{ kind: 'write', channel: 'stdout', offset: position, bytes }]);
      read += bytes.length;
      position += bytes.length;
    }
    await output.sync();
    if (orders.complaint !== '') await errors.write([{ kind: 'write', channel: 'stderr', offset: 0, bytes: Buffer.from(orders.complaint.replace('BASE', String(outputBase(output)))) }]);
    return 'done';
  } catch (error) {
    if (error instanceof StillpointError) return error.code;
    throw error;
  } finally {
    for (const port of [input, output, errors]) await port.close();
  }
}

// No process.exit(): the process must end by itself when its ports are closed.
const outcome = await main();
process.exitCode = outcome === 'done' ? 0 : outcome === 'E_CHANNEL_CLOSED' ? 32 : 1;
