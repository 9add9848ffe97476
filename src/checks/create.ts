/** A check from its plan. */
import type { ProbePlan } from '../site/check-plan.ts'
import { unprivileged } from '../system/unprivileged.ts'
import type { PoolFiles } from '../transports/backend/tls.ts'
import { amqp } from './amqp.ts'
import type { Check } from './check.ts'
import { dns } from './dns.ts'
import { fastcgi } from './fastcgi.ts'
import { file } from './file.ts'
import { http } from './http.ts'
import { http2 } from './http2.ts'
import { mysql } from './mysql.ts'
import { ping } from './ping.ts'
import { redis } from './redis.ts'
import { script } from './script.ts'
import { smtp } from './smtp.ts'
import { tcp } from './tcp.ts'
import { uwsgi } from './uwsgi.ts'

/** `user`: whom the site runs as, '' for whoever we are; `files`: of the pool's TLS. */
export function createCheck(plan: ProbePlan, user: string, files: PoolFiles): Check {
  switch (plan.kind) {
    case 'tcp':
      return tcp(plan)
    case 'http':
      return plan.version === 2 ? http2(plan, files) : http(plan, files)
    case 'smtp':
      return smtp(plan)
    case 'dns':
      return dns(plan)
    case 'ping':
      return ping(plan)
    case 'script':
      return script(plan, unprivileged(user, 'check'))
    case 'file':
      return file(plan)
    case 'fastcgi':
      return fastcgi(plan)
    case 'uwsgi':
      return uwsgi(plan)
    case 'redis':
      return redis(plan)
    case 'mysql':
      return mysql(plan)
    case 'amqp':
      return amqp(plan)
  }
}
