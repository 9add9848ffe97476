/** A real dovecot for IMAP and POP3: one user, everything in a folder of its own. */
import { execFileSync } from 'node:child_process'
import { Daemon } from './daemon.ts'
import { Visitor } from './visitor.ts'

const root = process.getuid?.() === 0

/** Whoever may own mail: nobody logs in as root. */
const mail = root
  ? { uid: number('-u', 'mail'), gid: number('-g', 'mail') }
  : { uid: process.getuid!(), gid: process.getgid!() }

function number(what: string, name: string): number {
  return Number(execFileSync('id', [what, name], { encoding: 'utf8' }))
}

function nameOf(what: string): string {
  return execFileSync('id', [what, '-n'], { encoding: 'utf8' }).trim()
}

/** `joe` with the password `pass word`. */
export async function dovecot(imap: number, pop3: number): Promise<Daemon> {
  const user = root ? 'dovecot' : nameOf('-u')
  return Daemon.start({
    name: 'dovecot',
    command: (folder) => ['dovecot', '-F', '-c', `${folder}/dovecot.conf`],
    owner: mail,
    files: (folder) => ({
      users: `joe:{PLAIN}pass word:${mail.uid}:${mail.gid}::${folder}/home::\n`,
      'dovecot.conf': `
base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = /dev/stderr
protocols = imap pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
default_internal_user = ${user}
default_internal_group = ${root ? 'dovecot' : nameOf('-g')}
default_login_user = ${root ? 'dovenull' : user}
first_valid_uid = 1
mail_location = maildir:${folder}/home/mail
passdb { 
  driver = passwd-file
  args = username_format=%u ${folder}/users
}
userdb {
  driver = passwd-file
  args = username_format=%u ${folder}/users
}
service imap-login {
  chroot =
  inet_listener imap {
    port = ${imap}
  }
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = ${pop3}
  }
  inet_listener pop3s {
    port = 0
  }
}
service anvil {
  chroot =
}
`,
    }),
    ready: async () => (await greets(imap)) && (await greets(pop3)),
  })
}

async function greets(port: number): Promise<boolean> {
  const visitor = await Visitor.to(port).catch(() => null)
  if (visitor === null) return false
  const first = await visitor.read()
  visitor.leave()
  return first !== null
}
