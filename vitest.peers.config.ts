import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/peers/**/*.peers.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 60_000,
    // An environment is made and filled first.
    hookTimeout: 300_000,
  },
})
