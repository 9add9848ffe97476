/** Where a running supervisor listens for commands. */
import { existsSync, realpathSync } from 'node:fs'

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
