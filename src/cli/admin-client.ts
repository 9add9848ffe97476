/** Asks a running supervisor, over its admin socket. */
import { existsSync, realpathSync } from 'node:fs'
import { request } from 'node:http'

export interface AdminAnswer {
  readonly status: number
  readonly body: string
}

/**
 * Where the supervisor of `target` listens: `flag` if given, else as the site says. A site that has
 * become invalid can still be stopped: then the place is what a site without `admin:` gets.
 */
export async function findAdmin(target: string, flag: string | undefined): Promise<string> {
  if (flag !== undefined) return flag
  const { loadSite } = await import('../site/load.ts')
  const { defaultAdminPath, installedAdminPath } = await import('../site/admin-path.ts')
  const usual = async (): Promise<string> => {
    const identity = await siteIdentity(target)
    const installed = ['/run', process.env.XDG_RUNTIME_DIR ?? '/run'].map((runtime) =>
      installedAdminPath(identity, runtime),
    )
    const path = defaultAdminPath(identity, process.env)
    return [path, ...installed].find((place) => existsSync(place)) ?? path
  }
  try {
    const { admin } = (await loadSite(target)).plan
    return existsSync(admin) ? admin : await usual()
  } catch (error) {
    const path = await usual()
    if (existsSync(path)) return path
    throw error
  }
}

/** What a target's names are made from: the absolute path of its site file or folder, or its own words. */
export async function siteIdentity(target: string): Promise<string> {
  const { detect } = await import('../site/detect.ts')
  const found = detect(target, process.cwd())
  const identity = found.kind === 'file' ? found.file : found.identity
  return existsSync(identity) ? realpathSync(identity) : identity
}

/** Throws an Error with the remedy when nobody answers there. */
export function askAdmin(socketPath: string, method: string, path: string): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      )
    })
    sent.on('error', (error: NodeJS.ErrnoException) => reject(explain(socketPath, error)))
    sent.end()
  })
}

function explain(path: string, error: NodeJS.ErrnoException): Error {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return new Error(
      `not running: nobody answers on ${path}; \`portico serve\` it first, or name its socket with --admin`,
    )
  }
  if (error.code === 'EACCES') {
    return new Error(
      `${path} is not ours to open: ask as the user who started the site, or as root`,
    )
  }
  return new Error(`${path}: ${error.message}`, { cause: error })
}
