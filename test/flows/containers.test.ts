/** Applications in containers, by the real podman. */
import { chmodSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { type Containers, IMAGE, makeContainers } from './support/containers.ts'
import { Portico } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { ask } from './support/visitor.ts'

const root = process.getuid?.() === 0

/** As CGI of BusyBox' httpd. */
const FACTS = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
case $QUERY_STRING in
  slow) sleep 1; echo slow ;;
  die) kill -9 $(cat /tmp/pid) ;;
  *) id -u; echo "$WHO $SECRET"; cat "$CERT_FILE" 2>/dev/null; ls /data 2>/dev/null ;;
esac
`
/** Says so when it begins and when it is told to end. */
const MAIN = `#!/bin/sh
trap 'echo bye; kill $pid; exit 0' TERM
echo "hello from the container"
httpd -f -p $PORT -h /app &
pid=$!
echo $$ > /tmp/pid
wait $pid
`
/** HTTP on a unix socket. */
const SOCKET = `
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(void) {
  struct sockaddr_un where = {AF_UNIX, "/run/app/app.sock"};
  const char *answer = "HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\nConnection: close\\r\\n\\r\\nyes";
  char request[4096];
  int listening = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listening, (struct sockaddr *)&where, sizeof where) < 0) return 1;
  listen(listening, 16);
  for (;;) {
    int visitor = accept(listening, 0, 0);
    if (read(visitor, request, sizeof request) > 0) write(visitor, answer, strlen(answer));
    close(visitor);
  }
}
`

let containers: Containers

beforeAll(() => {
  if (root)
    containers = makeContainers({
      'app/cgi-bin/facts': FACTS,
      'bin/main': MAIN,
      'bin/serve-socket.c': SOCKET,
    })
}, 60_000)
afterAll(() => containers?.close())

const names = (): string[] =>
  containers.podman('ps', '--all', '--format', '{{.Names}}').split('\n').filter(Boolean)

test.runIf(root)(
  'an image is served, with its variables, secrets, volumes and limits',
  async () => {
    await using portico = await Portico.serve(
      {
        'data/file.txt': '',
        key: 'hunter2\n',
        'site.yaml': `
listen: "127.0.0.1:0"
threads: 2
routes: { /: { app: shop } }
apps:
  shop:
    container: ${IMAGE}
    command: [/bin/sh, /bin/main]
    port: 8000
    engine: podman
    pull: never
    user: nobody
    env: { WHO: me }
    secrets: { SECRET: key, CERT: { file: key, as: file } }
    volumes: ["./data:/data:ro"]
    limits: { memory: 64MB, pids: 50 }
`,
      },
      { env: containers.env },
    )
    const { text } = await ask(portico.port, '/cgi-bin/facts')
    expect(text).toBe('65534\nme hunter2\nhunter2\nfile.txt\n')
    await portico.logged(/^hello from the container$/)
    const [name = ''] = names()
    expect(names()).toHaveLength(1)
    expect(name).toMatch(new RegExp(`^portico-site-${portico.pid}-`))
    const facts = '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}'
    expect(containers.podman('inspect', '--format', facts, name)).toBe(`${64 * 1024 ** 2} 50`)
    const { shop } = (await portico.status()).apps
    expect(shop).toMatchObject({ state: 'running', version: `${IMAGE} (podman)` })
    expect(shop?.usage?.processes).toBeGreaterThan(1)
    for (const { command } of portico.processes()) expect(command).not.toContain('hunter2')

    // It dies, and is back.
    kill(Number(containers.podman('inspect', '--format', '{{.State.Pid}}', name)))
    await portico.logged(/died \(exit code 137\); starting it again at once/)
    expect((await ask(portico.port, '/cgi-bin/facts')).text).toMatch(/me hunter2/)

    portico.signal('SIGTERM')
    await portico.exited
    expect(portico.messages).toMatch(/\bbye\b/)
    expect(names()).toEqual([])
  },
  60_000,
)

test.runIf(root)(
  'a reload loses nothing: the next container is there before the last one goes',
  async () => {
    const site = (who: string) => `
listen: "127.0.0.1:0"
threads: 1
routes: { /: { app: shop } }
apps:
  shop: { container: ${IMAGE}, command: [/bin/sh, /bin/main], port: 8000, pull: never, engine: podman, env: { WHO: ${who} } }
`
    await using portico = await Portico.serve({ 'site.yaml': site('one') }, { env: containers.env })
    expect((await ask(portico.port, '/cgi-bin/facts')).text).toMatch(/one/)
    const slow = ask(portico.port, '/cgi-bin/facts?slow')
    portico.write('site.yaml', site('two'))
    const answers: Promise<string>[] = []
    const visits = setInterval(() => {
      answers.push(ask(portico.port, '/cgi-bin/facts').then(({ text }) => text))
    }, 50)
    expect(await portico.run('reload')).toMatchObject({ code: 0 })
    clearInterval(visits)
    expect((await slow).text).toBe('slow\n')
    const said = new Set((await Promise.all(answers)).map((text) => text.split('\n')[1]?.trim()))
    expect([...said].sort()).toEqual(['one', 'two'].slice(2 - said.size))
    expect((await ask(portico.port, '/cgi-bin/facts')).text).toMatch(/two/)
    await until('the last container to go', () => names().length === 1)

    // One that does not come up leaves the other serving.
    portico.write('site.yaml', site('three').replace('/bin/main', '/bin/none'))
    expect((await portico.run('reload')).code).not.toBe(0)
    expect((await ask(portico.port, '/cgi-bin/facts')).text).toMatch(/two/)
  },
  60_000,
)

test.runIf(root)(
  'a killed supervisor leaves no container',
  async () => {
    await using portico = await Portico.serve(
      {
        'site.yaml': `
listen: "127.0.0.1:0"
user: www-data
threads: 1
routes: { /: { app: shop } }
apps:
  shop: { container: ${IMAGE}, command: [/bin/serve-socket], socket: /run/app/app.sock, network: none, pull: never, engine: podman }
`,
      },
      { env: containers.env },
    )
    chmodSync(portico.folder, 0o755)
    expect((await ask(portico.port, '/')).text).toBe('yes')
    expect(names()).toHaveLength(1)
    kill(portico.pid)
    await until('it to go', () => names().length === 0, 15_000)
  },
  60_000,
)

test.runIf(root)(
  'what cannot be run is told',
  async () => {
    await using portico = await Portico.serve(
      {
        'site.yaml': `
listen: "127.0.0.1:0"
threads: 1
routes: { /: { app: shop }, /d/: { app: docker } }
apps:
  shop: { container: localhost/none:1, port: 80, pull: never, engine: podman }
  docker: { container: localhost/none:1, port: 80, engine: docker }
`,
      },
      { env: { ...containers.env, DOCKER_HOST: 'unix:///nowhere/docker.sock' } },
    )
    await portico.logged(
      /^application shop did not start: it ended at once[\s\S]*localhost\/none:1/,
    )
    await portico.logged(/^application docker did not start: containers need podman or docker: /)
  },
  60_000,
)
