import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/peers/**/*.peers.ts'],
    // On a shared machine a process may stand still for seconds: CI tries again, and says so.
    retry: process.env.CI ? 2 : 0,
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 60_000,
    // An environment is made and filled first.
    hookTimeout: 300_000,
  },
})
