import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real processes, sockets and peers: each file starts its own, two files at a time.
    // On a shared machine a process may stand still for seconds: CI tries again, and says so.
    retry: process.env.CI ? 2 : 0,
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
