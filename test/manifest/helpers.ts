/** A host in memory for declareRun, and a manifest that breaks no rule. */
import { StillpointError } from '../../src/core/index.ts';
import { declareRun, parseRunOptions, type HostFacts, type HostFileKind, type HostInspector, type RunManifest, type RunOptionTexts } from '../../src/manifest/index.ts';

export function facts(kind: HostFileKind, size = 0): HostFacts {
  return { kind, size, canRead: true, canWrite: true };
}

const FILES: Readonly<Record<string, HostFacts>> = {
  '/w/data.txt': facts('file', 10), '/w/more.txt': facts('file', 20), '/w/sub/data.txt': facts('file', 30), '/w/sub': facts('directory'),
  '/w/pipe': facts('fifo'), '/w/socket': facts('socket'), '/w/disk': facts('other'), '/dev/null': facts('character'), '/dev/tty': facts('terminal'),
  '/w/secret': { ...facts('file', 5), canRead: false }, '/w/fixed': { ...facts('file', 5), canWrite: false }, '/w/stdin': facts('file', 1),
};

export class FakeHost implements HostInspector {
  readonly #input: HostFileKind;

  constructor(input: HostFileKind = 'fifo') {
    this.#input = input;
  }

  file(path: string): HostFacts | undefined {
    return FILES[this.absolute(path)];
  }

  standard(stream: string): HostFacts {
    return facts(stream === 'stdin' ? this.#input : 'fifo');
  }

  absolute(path: string): string {
    return path.startsWith('/') ? path : `/w/${path.replace(/^\.\//, '')}`;
  }
}

export function declare(texts: RunOptionTexts, host: HostInspector = new FakeHost()): ReturnType<typeof declareRun> {
  return declareRun(parseRunOptions({ program: './prog', ...texts }), host);
}

/** Code and message of what `act` throws; fails on anything but our errors. */
export function complaint(act: () => unknown): { readonly code: string; readonly message: string } {
  try {
    act();
  } catch (error) {
    if (error instanceof StillpointError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'none', message: '' };
}

export function goodManifest(): RunManifest {
  return declare({
    arguments: ['-n', '@data.txt', 'grün'], in: ['more=more.txt'], out: ['result=new.txt'], append: ['log=new.log'], rw: ['base=fixed2'], env: ['LANG=C', 'EMPTY='],
    clock: 'virtual:1700000000.5', entropy: 'seed:0xffffffffffffffff', memory: '64M', maxInstructions: '500M', limit: ['stdin:gets=3,get-bytes=4K', 'result:put-bytes=1G'],
  }).manifest;
}
