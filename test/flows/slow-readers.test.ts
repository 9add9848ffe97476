/** Visitors who ask for much and read nothing: whoever made the answer is free for the others. */
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Portico, PYTHON } from './support/portico.ts'
import { Visitor } from './support/visitor.ts'

const SIZE = 3_000_000

test('an answer that nobody reads holds no worker', async () => {
  const portico = new Portico({
    'wsgi.py': `
def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'x' * (${SIZE} if environ['QUERY_STRING'] else 3)]
`,
    'www/index.php': `<?php echo str_repeat('x', $_SERVER['QUERY_STRING'] ? ${SIZE} : 3);`,
    'site.yaml': `
listen: "unix:./site.sock"
threads: 1
routes:
  /wsgi/: { app: wsgi }
  /php/: { app: php }
  /cgi/: { cgi: ./program.sh, concurrency: 1 }
apps:
  wsgi: { python: "wsgi:app", interpreter: ${PYTHON}, workers: 1 }
  php: { php: ./www, workers: 1 }
`,
  })
  await using _ = portico
  chmodSync(portico.folder, 0o755)
  const program = `#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
[ -n "$QUERY_STRING" ] && head -c ${SIZE} /dev/zero | tr '\\0' x || printf xxx
`
  chmodSync(portico.write('program.sh', program), 0o755)
  await portico.ready()
  // With little room in the kernel, as on a slow line.
  const socket = join(portico.folder, 'site.sock')
  for (const path of ['/wsgi/', '/php/', '/cgi/']) {
    using first = await Visitor.to(socket)
    expect((await first.ask(path)).text).toBe('xxx')
    const visitors = await Promise.all([1, 2, 3, 4].map(() => Visitor.to(socket)))
    for (const visitor of visitors) visitor.send(`GET ${path}?large HTTP/1.1\r\nHost: a\r\n\r\n`)
    await sleep(300)
    const others = first.ask(path).then(({ text }) => text)
    expect(await Promise.race([others, sleep(8_000, 'nothing')])).toBe('xxx')
    // They still get all of it, and nothing else.
    for (const visitor of visitors) {
      const { body } = await visitor.reply('GET')
      expect(body.equals(Buffer.alloc(SIZE, 'x'))).toBe(true)
      visitor.socket.destroy()
    }
  }
}, 60_000)
