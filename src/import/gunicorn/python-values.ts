/** Values of Python as show_settings.py tells them. */

export type PythonValue =
  | null
  | boolean
  | number
  | string
  | readonly PythonValue[]
  | { readonly map: Readonly<Record<string, PythonValue>> }
  | { readonly class: string }
  | { readonly function: string }
  | { readonly object: string }

export function isFunction(value: PythonValue): boolean {
  return typeof value === 'object' && value !== null && 'function' in value
}

/** The text of a value that has to be text or a number; undefined for others. */
export function textOf(value: PythonValue): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (typeof value === 'object' && value !== null && 'class' in value) return value.class
  return undefined
}

/** A list, or one of its items alone. */
export function textsOf(value: PythonValue): string[] | undefined {
  const items = Array.isArray(value) ? value : [value]
  const texts = items.map(textOf)
  return texts.every((text) => text !== undefined) ? texts : undefined
}

/** For people, in a table. */
export function showValue(value: PythonValue): string {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return value.map(showValue).join(', ')
  if (typeof value !== 'object') return String(value)
  if ('map' in value) return JSON.stringify(value.map)
  if ('class' in value) return value.class
  return 'function' in value ? `def ${value.function}` : value.object
}
