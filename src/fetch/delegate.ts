/** Members of a standard class that a light version of it does not write out: Node may have more than the standard. */

/**
 * Gives `light` every member of `plain` that it lacks. They work on what `real` makes of the light
 * object: Node's own, whose members refuse any other.
 */
export function delegateRest<Light extends object>(
  light: Light,
  plain: object,
  real: (object: Light) => object,
): void {
  for (const key of Reflect.ownKeys(plain)) {
    if (Object.hasOwn(light, key)) continue
    const { value, get } = Object.getOwnPropertyDescriptor(plain, key)!
    if (typeof value === 'function') {
      Object.defineProperty(light, key, {
        configurable: true,
        writable: true,
        value(this: Light, ...args: unknown[]): unknown {
          return Reflect.apply(value, real(this), args)
        },
      })
    } else if (get !== undefined) {
      Object.defineProperty(light, key, {
        configurable: true,
        enumerable: true,
        get(this: Light): unknown {
          return Reflect.apply(get, real(this), [])
        },
      })
    }
  }
  // Also what TypeScript calls `instanceof`: Node's own class knows them as its own.
  Object.setPrototypeOf(light, plain)
}

/** Makes every object of Node's own class an instance of `light`, too; classes derived from it ask for themselves. */
export function knowsAll(light: object, plain: object): void {
  const isInstance = Function.prototype[Symbol.hasInstance]
  Object.defineProperty(light, Symbol.hasInstance, {
    value(this: object, value: unknown): boolean {
      return Reflect.apply(isInstance, this === light ? plain : this, [value])
    },
  })
}
