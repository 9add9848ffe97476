/** `auth` → the Plan. */
import { hashTrouble } from '../filters/auth/htpasswd.ts'
import { parseTarget } from '../filters/rewrite/target.ts'
import { looksLikeAddress } from './address.ts'
import type { Pools } from './draw-pools.ts'
import { type Drawing, existingFile, textAsWritten } from './drawing.ts'
import type { AccessPlan, AuthPlan, FiltersPlan, ForwardAuthPlan, JwtPlan } from './filters-plan.ts'
import { nearest } from './nearest.ts'
import { type KeyPath, quote } from './problem.ts'
import type { AuthSettings, BasicSettings, ForwardSettings, JwtSettings } from './settings/auth.ts'
import { FIELD_NAME } from './settings/names.ts'
import { namesAt } from './tree.ts'

/** `lists`: allow and deny beside it. */
export function drawAuth(
  drawing: Drawing,
  path: KeyPath,
  settings: AuthSettings,
  lists: AccessPlan | undefined,
  pools: Pools,
): Pick<FiltersPlan, 'auth' | 'forward' | 'jwt'> {
  const { report } = drawing
  const any = [...path, 'satisfy']
  if (settings.satisfy === 'any' && lists === undefined) {
    report.problem(any, 'any of what?', { expected: 'allow or deny beside auth' })
  } else if (settings.satisfy === 'any' && lists?.allow.length === 0) {
    // nginx asks everybody then: whom no rule names, it has not let in.
    report.warning(any, 'without allow only who is denied is asked: everybody else is let in')
  }
  if ('basic' in settings) return { auth: drawBasic(drawing, path, settings) }
  if ('forward' in settings) return { forward: drawForward(drawing, path, settings, pools) }
  return { jwt: drawJwt(drawing, path, settings) }
}

function drawBasic(drawing: Drawing, path: KeyPath, settings: BasicSettings): AuthPlan {
  const { report } = drawing
  const { basic, realm, pass, satisfy } = settings
  if (typeof basic === 'string') {
    const file = existingFile(drawing, [...path, 'basic'], basic)
    return { file, users: {}, realm, pass, satisfy }
  }
  const { users } = basic
  for (const [name, hash] of Object.entries(users)) {
    const here = [...path, 'basic', 'users', name]
    if (name === '' || /[:\x00-\x1f\x7f]/.test(name)) {
      report.problem(here, 'a name holds no colon and no control character', { key: true })
    }
    const trouble = hashTrouble(hash)
    if (trouble !== '') report.problem(here, trouble)
  }
  if (Object.keys(users).length === 0) report.problem([...path, 'basic', 'users'], 'nobody')
  return { file: '', users, realm, pass, satisfy }
}

/** What no other server may say of a request. */
const NOT_COPIED =
  /^(connection|content-length|transfer-encoding|keep-alive|te|trailer|upgrade|host|expect|forwarded|via|x-real-ip|x-forwarded-.*)$/

function drawForward(
  drawing: Drawing,
  path: KeyPath,
  settings: ForwardSettings,
  pools: Pools,
): ForwardAuthPlan {
  const { report, root } = drawing
  const { forward, send, copy, user, answer, timeout, satisfy } = settings
  const here = [...path, 'forward']
  const url = /^((?:https?:\/\/)[^/?#]+)(\/[^?#]*)?$/.exec(forward)
  const to = url?.[1] ?? forward
  const asked = settings.path || (url?.[2] ?? '/')
  if (settings.path !== '' && (url?.[2] ?? '/') !== '/') {
    report.problem([...path, 'path'], 'the URL has a path already', { key: true })
  }
  try {
    if (parseTarget(asked).authority !== null) throw new Error('not a path')
  } catch (error) {
    const at = settings.path === '' ? here : [...path, 'path']
    report.problem(at, error instanceof Error ? error.message : String(error))
  }
  for (const key of ['copy', 'answer'] as const) {
    for (const name of settings[key]) {
      if (!NOT_COPIED.test(name.toLowerCase())) continue
      report.problem([...path, key], `${quote(name)} is said by the server`)
    }
  }
  const known = namesAt(root, ['pools'])
  let pool = to
  if (known.includes(to)) pools.use(to)
  else if (looksLikeAddress(to)) {
    pool = pools.anonymous([to], NO_VARIABLES, path, () => here)
  } else {
    const meant = nearest(to, known)
    report.problem(here, `no such pool: ${quote(to)}`, {
      nearest: meant,
      expected: 'a URL such as http://127.0.0.1:9091/verify',
    })
  }
  return {
    pool,
    path: asked,
    send: send.length === 0 ? null : send.map((name) => name.toLowerCase()),
    copy,
    user: user.toLowerCase(),
    answer: answer.map((name) => name.toLowerCase()),
    timeoutMs: timeout,
    satisfy,
  }
}

const NO_VARIABLES = { root: '', index: 'index.php', script: '', params: {}, modifier1: 0 }

function drawJwt(drawing: Drawing, path: KeyPath, settings: JwtSettings): JwtPlan {
  const { report } = drawing
  const { algorithms, issuer, audience, expires, leeway, user, pass, refresh, realm } = settings
  const { jwt, satisfy } = settings
  const { keys, secret } = typeof jwt === 'string' ? { keys: jwt, secret: '' } : jwt
  const here = [...path, 'jwt']
  if ((keys === '') === (secret === '')) {
    report.problem(here, 'whose signatures count?', {
      expected: 'keys or secret, and not both',
      key: true,
    })
  }
  const isUrl = /^https?:\/\//.test(keys)
  if (isUrl && !URL.canParse(keys)) report.problem(here, 'not a URL')
  else if (keys.startsWith('http://') && !isLocal(keys)) {
    const why = 'whoever can change what comes without TLS can make tokens'
    report.warning(here, `${why}; write https://`)
  }
  const at = typeof jwt === 'string' ? here : [...here, keys === '' ? 'secret' : 'keys']
  for (const name of algorithms) {
    if (secret === '' && name.startsWith('HS')) {
      report.problem([...path, 'algorithms'], `${name} is for a secret, not for public keys`)
    }
    if (secret !== '' && !name.startsWith('HS')) {
      report.problem([...path, 'algorithms'], `${name} is for public keys, not for a secret`)
    }
  }
  const claims = textAsWritten(drawing, [...path, 'claims'], settings.claims)
  for (const [claim, name] of Object.entries(claims)) {
    if (FIELD_NAME.test(name) && !NOT_COPIED.test(name.toLowerCase())) continue
    report.problem([...path, 'claims', claim], `not a field that can be given: ${quote(name)}`)
  }
  return {
    file: keys === '' || isUrl ? '' : existingFile(drawing, at, keys),
    url: isUrl ? keys : '',
    secret: secret === '' ? '' : existingFile(drawing, at, secret),
    algorithms,
    issuer,
    audience,
    require: textAsWritten(drawing, [...path, 'require'], settings.require),
    expires,
    leewaySeconds: leeway / 1000,
    from: settings.from.map((text) => {
      const [of = '', name = ''] = text.split(':')
      if (of === 'cookie' || of === 'query') return { of, name }
      return name === ''
        ? { of: 'bearer', name: 'authorization' }
        : { of: 'header', name: name.toLowerCase() }
    }),
    claims,
    user,
    pass,
    refreshMs: refresh,
    realm,
    satisfy,
  }
}

function isLocal(url: string): boolean {
  return /^http:\/\/(localhost|127\.[\d.]+|\[::1\])([:/]|$)/.test(url)
}
