import { execFileSync } from 'node:child_process';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

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
/** As the command has it (cli/launch.ts): most of what V8 would optimise of our JavaScript is not run often enough to pay. A quarter of the processor time of files with many short programs. */
const PATIENCE = ['--interrupt-budget=540672'];
/** Not every V8 has every flag, and Node does not start with one that it does not know. */
const known = execFileSync(process.execPath, ['--v8-options'], { encoding: 'latin1' });
const flags = [...ROOM, ...PATIENCE].filter((flag) => known.includes(`${flag.replace(/=.*/, '')} `));

/** A worker more than the smallest machine that we test on has processors: many tests wait for a process, a disk or a clock. */
const WORKERS = 3;

export default defineConfig({
  test: {
    // Our sources are read once a worker instead of once a file: five sixths of what importing takes. So no file changes what the next one finds: no mocks, no variables of the environment, no flags of V8 that count.
    isolate: false,
    include: ['test/**/*.test.ts'], exclude: ['test/slow/**', 'node_modules/**'], testTimeout: 300_000, hookTimeout: 300_000, maxWorkers: WORKERS, execArgv: flags, env: { STILLPOINT_TRANSLATIONS: 'off' },
    sequence: { sequencer: LongestFirst },
  },
});
