/** A real postfix that takes mail for example.test and delivers it nowhere. */
import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync } from 'node:fs'
import { Daemon } from './daemon.ts'
import { Visitor } from './visitor.ts'

/** Folders of its queue that belong to it. */
const OWN = [
  'active',
  'bounce',
  'corrupt',
  'defer',
  'deferred',
  'flush',
  'hold',
  'incoming',
  'maildrop',
  'private',
  'public',
  'saved',
  'trace',
]

function number(what: string, name: string): number {
  return Number(execFileSync('id', [what, name], { encoding: 'utf8' }))
}

/** On `port`; visitors of 127.0.0.1 may say whom they speak for. */
export async function postfix(port: number): Promise<Daemon> {
  return Daemon.start({
    name: 'postfix',
    // As `postfix start-fg` does it, without its minute of checks.
    command: (folder) => ['/usr/lib/postfix/sbin/master', '-c', folder, '-d'],
    prepare: (folder) => {
      const [user, group] = [number('-u', 'postfix'), number('-g', 'postfix')]
      for (const name of ['', ...OWN, 'pid'])
        mkdirSync(`${folder}/queue/${name}`, { recursive: true })
      mkdirSync(`${folder}/data`)
      for (const name of OWN) chownSync(`${folder}/queue/${name}`, user, group)
      chownSync(`${folder}/data`, user, group)
    },
    files: (folder) => ({
      'main.cf': `
compatibility_level = 3.6
queue_directory = ${folder}/queue
data_directory = ${folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = ${folder}/log
maillog_file_prefixes = ${folder}
myhostname = mx.example.test
mydestination = example.test
mynetworks = 127.0.0.1/32
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_relay_restrictions = permit_auth_destination, reject
smtpd_peername_lookup = no
disable_dns_lookups = yes
local_recipient_maps =
local_transport = discard:
alias_maps =
`,
      'master.cf': `
127.0.0.1:${port} inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
discard   unix  - - n - - discard
error     unix  - - n - - error
anvil     unix  - - n - 1 anvil
proxymap  unix  - - n - - proxymap
postlog   unix-dgram n - n - 1 postlogd
`,
    }),
    ready: async () => {
      const visitor = await Visitor.to(port).catch(() => null)
      if (visitor === null) return false
      const first = await visitor.read()
      visitor.leave()
      return String(first).startsWith('220')
    },
  })
}
