/** A real bind9 that knows one zone, and questions to it. */
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { Daemon } from './daemon.ts'

/** Tells in `TXT who.example.test` which server answered. */
export async function bind9(port: number, name: string): Promise<Daemon> {
  return Daemon.start({
    name: 'bind9',
    command: (folder) => ['named', '-g', '-c', `${folder}/named.conf`, '-n', '1', '-U', '1'],
    files: (folder) => ({
      'named.conf': `
options {
  directory "${folder}"; pid-file "${folder}/pid"; session-keyfile "${folder}/key";
  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; managed-keys-directory "${folder}";
  minimal-responses yes; max-udp-size 4096; nocookie-udp-size 4096;
};
controls { };
zone "example.test" { type primary; file "${folder}/zone"; };
`,
      zone: `$TTL 60
@ IN SOA ns.example.test. root.example.test. 1 60 60 60 60
@ IN NS ns.example.test.
ns IN A 127.0.0.1
who IN TXT "${name}"
${Array.from({ length: 12 }, (_, i) => `large IN TXT "${String(i).padStart(2, '0')}${'x'.repeat(200)}"`).join('\n')}
`,
    }),
    ready: async () => (await question(port).catch(() => '')) === name,
  })
}

/** Who answers at `port`. */
export async function question(port: number, timeout = 1_000, tries = 1): Promise<string> {
  const resolver = new Resolver({ timeout, tries })
  resolver.setServers([`127.0.0.1:${port}`])
  const [[text = ''] = []] = await resolver.resolveTxt('who.example.test')
  return text
}

/** The same from one and the same port, which makes it one session. */
export async function questionsFromOnePort(port: number, count: number): Promise<string[]> {
  const socket = createSocket('udp4')
  const heard: string[] = []
  try {
    for (let id = 1; id <= count; id++) {
      const answer = new Promise<Buffer>((resolve, reject) => {
        socket.once('message', resolve)
        setTimeout(() => reject(new Error('no answer')), 3_000)
      })
      socket.send(query(id), port, '127.0.0.1')
      // The text is last: its length, and it.
      const bytes = await answer
      heard.push(/(first|second|third)/.exec(bytes.toString('latin1'))?.[1] ?? '')
    }
  } finally {
    socket.close()
  }
  return heard
}

/** RFC 1035 §4: `TXT who.example.test`. */
function query(id: number): Buffer {
  const labels = ['who', 'example', 'test'].flatMap((label) => [
    label.length,
    ...Buffer.from(label),
  ])
  return Buffer.from([id >> 8, id & 255, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 16, 0, 1])
}

/** What dig says, over UDP alone. */
export function dig(port: number, ...more: readonly string[]): string {
  return execFileSync(
    'dig',
    ['@127.0.0.1', '-p', String(port), '+tries=1', '+time=3', '+ignore', ...more],
    { encoding: 'utf8', timeout: 10_000 },
  )
}
