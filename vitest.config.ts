import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

export default defineConfig({
  // Without it graphql would be loaded twice, once for us and once for the libraries.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts', 'client/test/**/*.test.{ts,tsx}'],
    globalSetup: 'test/support/global-setup.ts',
    reporters: ['default', './test/support/closing-line-reporter.ts'],
    pool: 'forks',
    // To load everything and to warm up costs seconds. No file leaves anything behind for the next one.
    isolate: false,
    // More than there are cores: half of the time is spent waiting.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // The end of what hangs; how long something may take is for a test to say.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
