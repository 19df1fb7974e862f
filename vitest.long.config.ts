import { defineConfig } from 'vitest/config';

/** Minutes, not seconds: crashes under load, endurance. SIGNALBOX_LONG=short asks for the few rounds that CI has time for. */
export default defineConfig({
  test: {
    include: ['tests/long/**/*.test.ts'],
    globalSetup: ['tests/support/postgres-server.ts'],
    setupFiles: ['tests/support/setup.ts'],
    passWithNoTests: false,
    testTimeout: 30 * 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
});
