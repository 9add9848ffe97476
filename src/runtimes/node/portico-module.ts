/**
 * `import { enqueue } from 'portico'` works in every application that Portico runs: it gets the modules of
 * the Portico that runs it, unless it has brought its own.
 */
import { registerHooks } from 'node:module'

const OURS: Readonly<Record<string, string>> = {
  portico: new URL('../../index.ts', import.meta.url).href,
  'portico/shared': new URL('../../shared/index.ts', import.meta.url).href,
}

export function offerPortico(): void {
  registerHooks({
    resolve(specifier, context, next) {
      const ours = Object.hasOwn(OURS, specifier) ? OURS[specifier] : undefined
      if (ours === undefined) return next(specifier, context)
      try {
        return next(specifier, context)
      } catch {
        return { url: ours, shortCircuit: true }
      }
    },
  })
}
