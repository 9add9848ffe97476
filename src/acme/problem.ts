/** What a CA refuses (RFC 8555 §6.7), in one line with the remedy. */
import type { ChallengeType } from '../site/acme-plan.ts'

/** A problem document (RFC 9457), as far as a CA has sent it. */
export interface Problem {
  /** Without `urn:ietf:params:acme:error:`. */
  readonly type: string
  readonly detail: string
  /** Of single names. */
  readonly parts: readonly { readonly name: string; readonly problem: Problem }[]
}

/** A CA said no. */
export class AcmeError extends Error {
  readonly problem: Problem
  /** Not to be asked again before, ms; 0: it did not say. */
  readonly retryAfterMs: number

  constructor(message: string, problem: Problem, retryAfterMs = 0) {
    super(message)
    this.name = 'AcmeError'
    this.problem = problem
    this.retryAfterMs = retryAfterMs
  }
}

const URN = 'urn:ietf:params:acme:error:'
const LONGEST_DETAIL = 400

/** Of whatever a CA sends: never throws. */
export function readProblem(value: unknown): Problem {
  const { type, detail, subproblems } = Object(value) as Record<string, unknown>
  const parts = Array.isArray(subproblems) ? subproblems.slice(0, 100) : []
  return {
    type: typeof type === 'string' ? type.replace(URN, '') : '',
    detail: oneLine(typeof detail === 'string' ? detail : ''),
    parts: parts.map((part) => ({
      name: oneLine(String(Object(Object(part).identifier).value ?? '')),
      problem: readProblem({ ...Object(part), subproblems: undefined }),
    })),
  }
}

/** What somebody else wrote must not forge lines of our log. */
function oneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
  return line.length > LONGEST_DETAIL ? `${line.slice(0, LONGEST_DETAIL)}…` : line
}

/** What was being done. */
export interface Attempt {
  readonly name: string
  /** The CA's host. */
  readonly ca: string
  readonly challenge: ChallengeType | null
}

/** The problem as a sentence: what, why, and what to do. */
export function explain(problem: Problem, attempt: Attempt): string {
  const { name, ca } = attempt
  const own = problem.parts.find((part) => part.name === name)?.problem ?? problem
  const said = own.detail === '' ? own.type : own.detail
  return `${ca}: ${headline(own.type, attempt)}${said === '' ? '' : ` (${said})`}; ${remedy(own.type, attempt)}`
}

function headline(type: string, { name, challenge }: Attempt): string {
  switch (type) {
    case 'dns':
      return challenge === 'dns-01'
        ? `the DNS record for ${name} was not found`
        : `${name} cannot be resolved`
    case 'connection':
      return `${name} cannot be reached on port ${portOf(challenge)}`
    case 'unauthorized':
    case 'incorrectResponse':
      return challenge === 'dns-01'
        ? `the DNS record _acme-challenge.${name.replace(/^\*\./, '')} holds something else`
        : `somebody else answers for ${name}`
    case 'tls':
      return `${name} does not speak TLS on port 443 as it should`
    case 'caa':
      return `a CAA record of ${name} forbids this CA`
    case 'rateLimited':
      return 'too many requests'
    case 'externalAccountRequired':
      return 'this CA wants an account that it knows already'
    case 'rejectedIdentifier':
    case 'unsupportedIdentifier':
      return `this CA gives no certificates for ${name}`
    case 'userActionRequired':
      return 'its terms of service have changed'
    case 'accountDoesNotExist':
      return 'the account is gone'
    case 'invalidContact':
    case 'unsupportedContact':
      return 'it does not take this email address'
    case 'serverInternal':
      return 'it has trouble of its own'
    default:
      return 'refused'
  }
}

function remedy(type: string, { name, ca, challenge }: Attempt): string {
  const pointHere = `have the A and AAAA records of ${name} point to this machine, and to no other`
  switch (type) {
    case 'dns':
      return challenge === 'dns-01'
        ? 'have the hook end only when all name servers of the zone answer with it'
        : `give ${name} an A or AAAA record that points to this machine`
    case 'connection':
      return `${pointHere}, and let port ${portOf(challenge)} through the firewall`
    case 'unauthorized':
    case 'incorrectResponse':
      return challenge === 'dns-01' ? 'see what the hook writes' : pointHere
    case 'tls':
      return `let port 443 reach this machine without a proxy that ends TLS, or use challenge: http-01`
    case 'caa':
      return `add it to the CAA records of ${name}, or use another CA (tls.acme.server)`
    case 'rateLimited':
      return 'it is asked again when it allows; while trying things out use server: letsencrypt-staging'
    case 'externalAccountRequired':
      return `get a key id and a key from ${ca} and set tls.acme.external-account`
    case 'rejectedIdentifier':
    case 'unsupportedIdentifier':
      return 'take it out of tls.acme.names, or use automatic: local for names that only you know'
    case 'userActionRequired':
      return `visit ${ca} and agree`
    case 'accountDoesNotExist':
      return 'another one is made'
    case 'invalidContact':
    case 'unsupportedContact':
      return 'correct tls.acme.email'
    default:
      return 'it is tried again'
  }
}

function portOf(challenge: ChallengeType | null): string {
  return challenge === 'tls-alpn-01' ? '443' : '80'
}
