import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/**/*.test.ts'], exclude: ['test/slow/**', 'node_modules/**'], testTimeout: 120_000, hookTimeout: 300_000, maxWorkers: 2, env: { STILLPOINT_TRANSLATIONS: 'off' } },
});
