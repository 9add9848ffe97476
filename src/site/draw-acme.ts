/** `tls.automatic` and `tls.acme` → the Plan's automatic certificates. */
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { parseEtcdAddress } from '../acme/stores/etcd-address.ts'
import { parseRedisAddress } from '../jobs/redis/address.ts'
import { Certificates } from '../tls/certificates.ts'
import { loadCertificates } from '../tls/load.ts'
import { type Certificate, readCertificate } from '../tls/read-certificate.ts'
import type { AcmePlan, AcmeServerPlan, ChallengeType } from './acme-plan.ts'
import { absolutePath, type Drawing, existingFile } from './drawing.ts'
import { isLocal } from './local-names.ts'
import { nearest } from './nearest.ts'
import type { ListenerPlan } from './plan.ts'
import type { AcmeSettings } from './settings/acme.ts'
import type { CertificateFilesPlan } from './tls-plan.ts'

/** CAs by name: https://letsencrypt.org/docs/acme-protocol-updates and the others' own pages. */
const SERVERS: Readonly<Record<string, string>> = {
  letsencrypt: 'https://acme-v02.api.letsencrypt.org/directory',
  'letsencrypt-staging': 'https://acme-staging-v02.api.letsencrypt.org/directory',
  zerossl: 'https://acme.zerossl.com/v2/DV90',
  google: 'https://dv.acme-v02.api.pki.goog/directory',
  sslcom: 'https://acme.ssl.com/sslcom-dv-ecc',
}

const HOST =
  /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/

/** Null: there are none. */
export function drawAcme(
  drawing: Drawing,
  listeners: readonly ListenerPlan[],
  state: string,
  own: readonly CertificateFilesPlan[],
): AcmePlan | null {
  // Listeners with certificates of their own have no others.
  const secure = listeners.filter(({ tls }) => tls?.set === '')
  const { acme, automatic: chosen } = drawing.settings.tls
  const automatic = chosen ?? (secure.length > 0 && own.length === 0)
  if (automatic === false) return null
  if (secure.length === 0) {
    drawing.report.problem(['tls', 'automatic'], 'no listener speaks TLS', {
      expected: 'listen: "https://:443"',
    })
    return null
  }
  const challenges = drawChallenges(drawing, listeners, acme)
  const named = drawNames(drawing, acme, challenges, own)
  const isOurs = (name: string): boolean => automatic === 'local' || isLocal(name)
  const names = named.filter((name) => !isOurs(name))
  if (names.length > 0 && !acme['terms-agreed']) {
    drawing.report.problem(['tls', 'acme', 'terms-agreed'], 'no CA gives certificates then', {
      expected: 'true, or automatic: local',
    })
  }
  if (names.length > 0) warnOfPorts(drawing, listeners, challenges)
  return {
    names,
    local:
      names.length === named.length && named.length > 0
        ? []
        : localNames(named.filter(isOurs), secure),
    servers: drawServers(drawing, acme),
    email: acme.email,
    challenges,
    keyType: acme['key-type'],
    ...drawStore(drawing, acme.store, state),
    trust: acme.trust === '' ? '' : existingFile(drawing, ['tls', 'acme', 'trust'], acme.trust),
    dnsHook: acme['dns-hook'].map((word, index) =>
      index === 0 && word.includes('/')
        ? existingFile(drawing, ['tls', 'acme', 'dns-hook'], word)
        : word,
    ),
    authority: join(state, 'authority'),
    ...drawOnDemand(drawing, acme),
  }
}

function drawNames(
  { settings, report }: Drawing,
  { names }: AcmeSettings,
  challenges: readonly ChallengeType[],
  own: readonly CertificateFilesPlan[],
): string[] {
  if (names.length === 0) {
    const hosts = Object.keys(settings.hosts).map((name) => name.toLowerCase())
    const known = new Certificates(readAll(own))
    const has = (name: string): boolean => known.find(name) !== null || known.has(name)
    const possible = hosts.filter((name) => name !== '*' && HOST.test(name) && !has(name))
    return possible.filter((name) => {
      if (!name.startsWith('*.') || isLocal(name) || challenges.includes('dns-01')) return true
      report.warning(
        ['hosts', name],
        'no certificate is obtained for it: a CA gives them for wildcards only by dns-01, set tls.acme.dns-hook',
        { key: true },
      )
      return false
    })
  }
  return [
    ...new Set(
      names.flatMap((text, index) => {
        const name = text.toLowerCase().replace(/\.$/, '')
        const path = ['tls', 'acme', 'names', index]
        const isName = name.length <= 253 && (isIP(name) !== 0 || HOST.test(name))
        if (!isName) report.problem(path, 'not a host name', { expected: 'www.example.com' })
        else if (name.startsWith('*.') && !isLocal(name) && !challenges.includes('dns-01')) {
          report.problem(path, 'a CA gives certificates for wildcards only by dns-01', {
            expected: 'tls.acme.dns-hook as well',
          })
        }
        return isName ? [name] : []
      }),
    ),
  ]
}

/** What is wrong with them is told elsewhere. */
function readAll(own: readonly CertificateFilesPlan[]): Certificate[] {
  try {
    return loadCertificates(own).map((pem) => readCertificate(pem))
  } catch {
    return []
  }
}

/** Who comes by an address, or by no name at all, is answered as well. */
function localNames(names: readonly string[], secure: readonly ListenerPlan[]): string[] {
  const addresses = secure.flatMap(({ address }) =>
    address.kind === 'tcp' && !['::', '0.0.0.0'].includes(address.host) ? [address.host] : [],
  )
  const own = hostname().toLowerCase()
  const all = [...names, 'localhost', ...(HOST.test(own) ? [own] : []), ...addresses]
  return [...new Set([...all, '127.0.0.1', '::1'])].filter(
    (name) => isIP(name) !== 0 || HOST.test(name),
  )
}

function drawChallenges(
  { report }: Drawing,
  listeners: readonly ListenerPlan[],
  acme: AcmeSettings,
): readonly ChallengeType[] {
  const hook = acme['dns-hook'].length > 0
  const path = ['tls', 'acme', 'challenge']
  if (acme.challenge.length > 0) {
    if (acme.challenge.includes('dns-01') && !hook) {
      report.problem(path, 'dns-01 needs a program that writes DNS records', {
        expected: 'tls.acme.dns-hook as well',
      })
    }
    return [...new Set(acme.challenge)] as ChallengeType[]
  }
  if (hook) return ['dns-01']
  const isPlain = listeners.some(({ scheme, tls }) => scheme === 'http' && tls === undefined)
  return isPlain ? ['http-01', 'tls-alpn-01'] : ['tls-alpn-01']
}

/** CAs come to two ports and to no other. */
function warnOfPorts(
  { report }: Drawing,
  listeners: readonly ListenerPlan[],
  challenges: readonly ChallengeType[],
): void {
  const hasPort = (port: number): boolean =>
    listeners.some(({ address }) => address.kind !== 'tcp' || address.port === port)
  const wanted = [
    ...(challenges.includes('http-01') ? [80] : []),
    ...(challenges.includes('tls-alpn-01') ? [443] : []),
  ]
  if (wanted.length === 0 || wanted.some(hasPort)) return
  report.warning(
    ['listen'],
    `CAs come to port ${wanted.join(' or ')}, where this site does not listen: have it forwarded, or set tls.acme.dns-hook`,
  )
}

function drawServers(drawing: Drawing, acme: AcmeSettings): AcmeServerPlan[] {
  const { report } = drawing
  const path = ['tls', 'acme', 'server']
  const accounts = acme['external-account']
  for (const name of Object.keys(accounts)) {
    if (acme.server.includes(name)) continue
    report.problem(['tls', 'acme', 'external-account', name], 'no such CA in tls.acme.server', {
      key: true,
      nearest: nearest(name, acme.server),
    })
  }
  return acme.server.flatMap((text): AcmeServerPlan[] => {
    const url = SERVERS[text] ?? text
    if (URL.parse(url)?.protocol !== 'https:') {
      const expected = `${Object.keys(SERVERS).join(', ')}, or https://ca.example.com/directory`
      report.problem(path, `no such CA: ${text}`, {
        expected,
        nearest: nearest(text, Object.keys(SERVERS)),
      })
      return []
    }
    const account = accounts[text]
    if (account === undefined) return [{ url, external: null }]
    const keyPath = ['tls', 'acme', 'external-account', text, 'key-file']
    const keyFile = existingFile(drawing, keyPath, account['key-file'])
    return [{ url, external: { keyId: account['key-id'], keyFile } }]
  })
}

function drawOnDemand(
  { report }: Drawing,
  acme: AcmeSettings,
): Pick<AcmePlan, 'ask' | 'mostAsked'> {
  const { ask, most } = acme['on-demand']
  const url = ask === '' ? null : URL.parse(ask)
  if (ask !== '' && (url === null || !/^https?:$/.test(url.protocol))) {
    report.problem(['tls', 'acme', 'on-demand', 'ask'], 'no address', {
      expected: 'http://127.0.0.1:9000/may-have',
    })
  }
  return { ask, mostAsked: most }
}

function drawStore(
  drawing: Drawing,
  store: string,
  state: string,
): Pick<AcmePlan, 'store' | 'shared'> {
  if (store === '') return { store: `file:${join(state, 'certificates')}`, shared: false }
  const path = ['tls', 'acme', 'store']
  if (!/^[a-z]+:\/\//.test(store)) {
    return { store: `file:${absolutePath(drawing, path, store)}`, shared: true }
  }
  const expected = 'a folder, redis://host:6379/0 or etcd://host:2379'
  try {
    if (/^rediss?:/.test(store)) parseRedisAddress(store)
    else if (/^etcds?:/.test(store)) parseEtcdAddress(store)
    else drawing.report.problem(path, 'no such store', { expected })
  } catch (error) {
    const reason = error instanceof TypeError ? 'no address' : (error as Error).message
    drawing.report.problem(path, reason, { expected })
  }
  return { store, shared: true }
}
