/** `${NAME}` and `${NAME:-default}` in a site file; `$$` is a plain `$`. */

export interface Substitution {
  readonly text: string
  /** What was wrong, in order. `at` is the offset in the text as written. */
  readonly problems: readonly { readonly at: number; readonly message: string }[]
}

const REFERENCE = /\$\$|\$\{([^}]*)(\}?)/g
const NAME = /^([A-Za-z_]\w*)(?::-([\s\S]*))?$/

/** As in a shell, a default also stands in for a variable that is set and empty. */
export function substitute(
  written: string,
  environment: Readonly<Record<string, string | undefined>>,
): Substitution {
  if (!written.includes('$')) return { text: written, problems: [] }
  const problems: { at: number; message: string }[] = []
  const text = written.replace(
    REFERENCE,
    (whole: string, inside: string, close: string, at: number) => {
      if (whole === '$$') return '$'
      const [, name, preset] = NAME.exec(inside) ?? []
      if (name === undefined || close === '') {
        problems.push({ at, message: `expected \${NAME} or \${NAME:-default}; a plain $ is $$` })
        return ''
      }
      const value = environment[name]
      if (preset !== undefined) return value === undefined || value === '' ? preset : value
      if (value === undefined) {
        problems.push({ at, message: `the environment has no variable ${name}` })
      }
      return value ?? ''
    },
  )
  return { text, problems }
}
