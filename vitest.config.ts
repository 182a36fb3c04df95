import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Whole programs take longest: they begin first, so that no core waits for the last of them. */
class ProgramsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isProgram = ({ moduleId }: TestSpecification): boolean => moduleId.includes('/test/programs/');
    return [...sorted.filter(isProgram), ...sorted.filter((file) => !isProgram(file))];
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'], exclude: ['test/slow/**', 'node_modules/**'], testTimeout: 300_000, hookTimeout: 300_000, maxWorkers: 2, env: { STILLPOINT_TRANSLATIONS: 'off' },
    sequence: { sequencer: ProgramsFirst },
  },
});
