import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { PATIENCE } from './src/engine/live/v8-flags.ts';

/** What takes longest, the longest first. */
const LONGEST = ['programs/processes', 'programs/c-programs-o2', 'programs/busybox', 'programs/lua', 'programs/sqlite', 'programs/', 'engine/lockstep-loops', 'cluster/', 'torture/', 'txn/kill', 'history/damage'];

/** What takes longest begins first, so that no core waits for the last of it. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = LONGEST.findIndex((name) => moduleId.includes(`/test/${name}`));
      return index < 0 ? LONGEST.length : index;
    };
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

/** V8 looks through the whole heap at each new memory of a machine, unless so much is allowed: half of the time of tests with many small machines. */
const ROOM = ['--max-old-space-size=32768', '--max-semi-space-size=32'];
/** A worker more than the smallest machine that we test on has processors: many tests wait for a process, a disk or a clock. */
const WORKERS = 3;

export default defineConfig({
  test: {
    // Our sources are read once a worker instead of once a file: five sixths of what importing takes. So no file changes what the next one finds: no mocks, no variables of the environment, no flags of V8 that count.
    isolate: false,
    // PATIENCE as the command has it: a quarter of the processor time of files with many short programs.
    include: ['test/**/*.test.ts'], exclude: ['test/slow/**', 'node_modules/**'], testTimeout: 300_000, hookTimeout: 300_000, maxWorkers: WORKERS, execArgv: [...ROOM, PATIENCE], env: { STILLPOINT_TRANSLATIONS: 'off' },
    sequence: { sequencer: LongestFirst },
  },
});
