/** Secrets, read when an application starts and by nobody else. */
import { chownSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SecretPlan } from '../site/plan.ts'
import type { Credentials } from '../system/users.ts'

/** As systemd allows for credentials, bytes. */
const LARGEST = 1_048_576
const HIDDEN = '[secret]'

/**
 * A value that cannot be printed by accident: not by String, JSON or an error's message; consoles do not see
 * private members.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** For whoever hands it to its application, and for nothing else. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }
}

/** Throws an Error that names the secret and the file, never the value. */
export function readSecret({ name, file, credential }: SecretPlan): Secret {
  const path = file === '' ? credentialPath(name, credential) : file
  let bytes: Buffer
  try {
    const size = statSync(path).size
    if (size > LARGEST) throw new Error('larger than 1MB')
    bytes = readFileSync(path)
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw new Error(`the secret ${name} cannot be read from ${path} (${why})`)
  }
  if (bytes.length > LARGEST) throw new Error(`the secret ${name}: ${path} is larger than 1MB`)
  return new Secret(bytes.toString('latin1'))
}

function credentialPath(name: string, credential: string): string {
  const folder = process.env.CREDENTIALS_DIRECTORY ?? ''
  if (folder !== '') return join(folder, credential)
  throw new Error(
    `the secret ${name} is a credential of systemd, which has given none: set LoadCredential=${credential}:… in the service's unit`,
  )
}

/**
 * The variables that give an application its secrets. `folder`: where private copies of those go that it
 * gets as files; nobody but us may write there.
 */
export function revealSecrets(
  secrets: readonly SecretPlan[],
  folder: string,
  credentials: Credentials | null,
): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const plan of secrets) {
    const secret = readSecret(plan)
    if (plan.as === 'file') {
      const path = join(folder, plan.name)
      rmSync(path, { force: true })
      writeFileSync(path, secret.reveal(), { encoding: 'latin1', mode: 0o400 })
      if (credentials !== null) chownSync(path, credentials.uid, credentials.gid)
      variables[`${plan.name}_FILE`] = path
      continue
    }
    // Editors end a file with a line feed, which no password has.
    const text = Buffer.from(secret.reveal(), 'latin1')
      .toString('utf8')
      .replace(/\r?\n$/, '')
    if (text.includes('\0')) {
      throw new Error(`the secret ${plan.name} holds NUL, which no variable can: set \`as: file\``)
    }
    variables[plan.name] = text
  }
  return variables
}
