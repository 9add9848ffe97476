/** Jobs of a whole site: put by an application, redis-cli and the command line; done by Python, Node and any program. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON, portico, type Ran, run } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { ask } from './support/visitor.ts'

const PYTHON_APP = `
import os, time
import portico


def note(text):
    with open("notes", "a") as file:
        file.write("%s %d\\n" % (text, os.getpid()))


@portico.job(queue="mail", retries=2, backoff=0.05)
def send(to, subject=""):
    note("send")
    return {"sent": [to, subject], "attempt": portico.jobs.current.attempt}


@portico.job(retries=1, backoff=0.05)
def boom():
    raise ValueError("it never works")


@portico.job(deadline=0.4, retries=0)
def hang():
    time.sleep(60)


@portico.job(retries=0)
def nap(seconds):
    note("nap begins")
    time.sleep(seconds)
    note("nap ends")


@portico.job(raw=True)
async def shout(payload):
    return payload.upper()


def application(environ, start_response):
    word = environ["PATH_INFO"].strip("/")
    if word == "send":
        answer = portico.jobs.result(send.delay("a@b.c", subject="hi"), timeout=10)
    else:
        answer = globals()[word].delay()
    start_response("200 OK", [])
    return [str(answer).encode()]
`

const NODE_APP = `
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Dead, enqueue, job, result, Retry } from 'portico'

function note(text) {
  appendFileSync('notes', text + ' ' + process.pid + '\\n')
}

const send = job({ queue: 'mail', retries: 2, backoff: 50 }, async function send([to, subject = ''], job) {
  note('send')
  return { sent: [to, subject], attempt: job.attempt }
})

export const jobs = {
  send,
  boom: job({ retries: 1, backoff: 50 }, () => {
    throw new TypeError('it never works')
  }),
  hang: job({ deadline: 400, retries: 0 }, async function hang() {
    for (;;);
  }),
  async nap([seconds]) {
    note('nap begins')
    await sleep(seconds * 1000)
    note('nap ends')
  },
  shout: job({ raw: true }, async (payload) => Buffer.from(Buffer.from(payload).toString().toUpperCase())),
  idle: job({ deadline: 300, retries: 0 }, () => new Promise(() => {})),
  async stray() {
    setTimeout(() => {
      throw new Error('where nobody catches it')
    })
    await sleep(5000)
  },
  async again(_, { attempt }) {
    if (attempt < 3) throw new Retry(10)
    throw new Dead('third time')
  },
  async leave(_, { attempt }) {
    if (attempt === 1) process.exit(3)
    return attempt
  },
}

export default {
  async fetch(request) {
    const word = new URL(request.url).pathname.slice(1)
    if (word === 'send') return Response.json(await result(await send.enqueue(['a@b.c', 'hi']), 10000))
    return new Response(await enqueue(word))
  },
}
`

const PROGRAM = `#!/bin/sh
read -r line
case "$line" in bad) echo "cannot do $line" >&2; exit 65;; esac
echo "$PORTICO_JOB_NAME $PORTICO_JOB_ATTEMPT $line"
`

const site = (app: string): string => `
listen: "127.0.0.1:0"
threads: 1
state: ./state
timeouts: { stop: 5s }
jobs:
  queues:
    shell: { run: [/bin/sh, ./program.sh], retries: 1, backoff: 50ms }
routes: { /: { app: app } }
apps:
  app:
    ${app}
    workers: 1
    jobs: { workers: 2, queues: [mail, default] }
`

interface Language {
  readonly name: string
  readonly files: Readonly<Record<string, string>>
  readonly sent: string
  /** Of a job that does nothing else for ever. */
  readonly stuck: RegExp
  readonly meant: string
}

const languages: readonly Language[] = [
  {
    name: 'Python',
    files: { 'app.py': PYTHON_APP, 'site.yaml': site(`python: app\n    interpreter: ${PYTHON}`) },
    sent: "{'sent': ['a@b.c', 'hi'], 'attempt': 1}",
    stuck: /in hang\n.*\n.*longer than its deadline of 0.4 s/,
    meant: "did you mean 'app.send'?",
  },
  {
    name: 'Node',
    files: { 'app.ts': NODE_APP, 'site.yaml': site('node: ./app.ts') },
    sent: '{"sent":["a@b.c","hi"],"attempt":1}',
    stuck: /at hang .*app\.ts:\d+:\d+\)\n.*longer than its deadline of 0.4 s/,
    meant: "did you mean 'send'?",
  },
]

interface Shown {
  readonly state: string
  readonly error: string
  readonly result: string | null
  readonly attempt: number
}

describe.each(languages)('jobs of $name', ({ files: own, sent: answer, stuck, meant }) => {
  const files = { ...own, 'program.sh': PROGRAM }

  it('are put, done, looked at and tried again', async () => {
    await using site = await Portico.serve(files)
    const jobs = async (...args: string[]): Promise<string> => {
      const ran = await portico(['jobs', ...args, '--site', 'site.yaml'], { cwd: site.folder })
      return ran.out + ran.err
    }
    const ended = (id: string): Promise<Shown> =>
      until(`the end of ${id}`, async () => {
        const text = await jobs('show', id, '--json')
        const shown: Shown | undefined = text.startsWith('{') ? JSON.parse(text) : undefined
        return shown !== undefined && ['done', 'dead', 'cancelled'].includes(shown.state) && shown
      })

    const [sent, boom, hang] = await Promise.all(
      ['/send', '/boom', '/hang'].map(async (path) => (await ask(site.port, path)).body.toString()),
    )
    expect(sent).toBe(answer)
    expect(await ended(boom!)).toMatchObject({ state: 'dead', attempt: 2 })
    const late = await ended(hang!)
    expect(late.error).toMatch(stuck)
    expect((await site.logged(/longer than its deadline of 0.4 s/)).app).toBe('app')

    const { commonsSocket } = await site.status()
    const cli = async (...args: string[]): Promise<string> =>
      (await run('redis-cli', ['-s', commonsSocket, ...args])).out.trim()
    const raw = await cli('PORTICO.JOB.PUT', 'default', 'shout', 'hello', 'PRIORITY', '9')
    expect((await ended(raw)).result).toBe('HELLO')
    expect(await cli('PORTICO.JOB.PUT', 'no queue', 'x', '')).toContain(
      'JOBINVALID a queue is named',
    )

    const good = (await jobs('put', 'build', 'docs', '--queue', 'shell')).trim()
    expect((await ended(good)).result).toBe('build 1 docs\n')
    const bad = (await jobs('put', 'build', 'bad', '--queue', 'shell')).trim()
    expect(await ended(bad)).toMatchObject({
      state: 'dead',
      attempt: 1,
      error: 'cannot do bad\nexit code 65',
    })
    const unknown = (await jobs('put', 'snd')).trim()
    expect((await ended(unknown)).error).toContain(meant)
    await site.logged(/job (app\.)?boom \S+ failed \(attempt 2 of 2\), and is a dead letter now$/)
    const words = (await jobs('put', 'send', 'a@b.c')).trim()
    expect(await ended(words)).toMatchObject({
      state: 'dead',
      attempt: 1,
      error: expect.stringMatching(/^its payload is no JSON: (Expecting value|Unexpected token)/),
    })
    const delayed = (await jobs('put', 'send', '--queue', 'mail', '--delay', '1h')).trim()

    expect(await jobs()).toMatch(/mail +0 +1 +0 +0/)
    // Counts are some seconds old where counting takes its time.
    const metrics = await until('the counts', async () => {
      const { out } = await site.run('status', '--metrics')
      return out.includes('portico_jobs_delayed{queue="mail"} 1\n') && out
    })
    expect(metrics).toMatch(/^portico_jobs_dead\{queue="default"\} [1-9]$/m)
    expect((await site.run('status')).out).toMatch(/^mail +0 +1 +0 +0 +-$/m)
    expect(await jobs('dead')).toMatch(/(Value|Type)Error: it never works/)
    expect(await jobs('cancel', delayed)).toBe('cancelled\n')
    expect((await ended(delayed)).state).toBe('cancelled')
    expect(await jobs('retry', '--all', '--queue', 'shell')).toBe('1 wait again\n')
    expect(await ended(bad)).toMatchObject({ state: 'dead', attempt: 1 })
    expect(await jobs('drop', bad)).toBe('1 forgotten\n')
    expect(await jobs('show', bad)).toContain(`no job ${bad} is known`)
  }, 60_000)

  it('in hand are finished at a stop, and what waits is there at the next start', async () => {
    await using site = await Portico.serve(files)
    const notes = (): string => {
      try {
        return readFileSync(join(site.folder, 'notes'), 'latin1')
      } catch {
        return ''
      }
    }
    const put = async (...words: string[]): Promise<void> => {
      await portico(['jobs', 'put', ...words], { cwd: site.folder })
    }
    await put('nap', '[1]', '--site', 'site.yaml')
    await until('the nap', () => notes().includes('nap begins'))
    await put('send', '["later"]', '--queue', 'mail', '--delay', '3s', '--site', 'site.yaml')
    expect((await site.run('stop')).code).toBe(0)
    expect(notes()).toContain('nap ends')

    const again = portico(['serve', 'site.yaml'], { cwd: site.folder })
    await until('the job that waited', () => notes().includes('send'), 20_000)
    await portico(['stop', 'site.yaml'], { cwd: site.folder })
    expect((await again).code).toBe(0)
  }, 60_000)

  it('of a worker that is killed are begun again by another one', async () => {
    await using site = await Portico.serve(files)
    const notes = (): string[] => {
      try {
        return readFileSync(join(site.folder, 'notes'), 'latin1').split('\n')
      } catch {
        return []
      }
    }
    await portico(['jobs', 'put', 'nap', '[1]', '--site', 'site.yaml'], { cwd: site.folder })
    const first = await until('the nap', () =>
      notes().find((line) => line.startsWith('nap begins')),
    )
    kill(Number(first.split(' ')[2]))
    await until('the end of the nap', () => notes().some((line) => line.startsWith('nap ends')))
    const begun = notes().filter((line) => line.startsWith('nap begins'))
    expect(new Set(begun).size).toBe(2)
  }, 60_000)
})

describe('jobs of Node', () => {
  const [, { files }] = languages as [Language, Language]

  it('fail with their reasons, whatever ends them; a worker that they break is replaced', async () => {
    await using site = await Portico.serve({ ...files, 'program.sh': PROGRAM })
    const { commonsSocket } = await site.status()
    const jobs = (...args: string[]): Promise<Ran> =>
      portico(['jobs', ...args, '--site', 'site.yaml'], { cwd: site.folder })
    const put = async (name: string): Promise<string> => {
      const command = ['PORTICO.JOB.PUT', 'default', name, '', 'RETRIES', '3', 'BACKOFF', '10']
      return (await run('redis-cli', ['-s', commonsSocket, ...command])).out.trim()
    }
    const end = async (id: string): Promise<Shown> =>
      until(`the end of ${id}`, async () => {
        const { out } = await jobs('show', id, '--json')
        const shown: Shown | undefined = out.startsWith('{') ? JSON.parse(out) : undefined
        return shown !== undefined && ['done', 'dead'].includes(shown.state) && shown
      })
    const [stray, again, leave] = await Promise.all(['stray', 'again', 'leave'].map(put))
    // With the options that it was declared with where it is put.
    const idle = await end((await ask(site.port, '/idle')).body.toString())
    expect(idle).toMatchObject({ state: 'dead', attempt: 1 })
    expect(idle.error).toMatch(
      /is not stuck: .*waits for something.*\nit ran longer than its deadline of 0.3 s/,
    )
    const broken = await end(stray!)
    expect(broken).toMatchObject({ state: 'dead', attempt: 4 })
    expect(broken.error).toMatch(/^Error: where nobody catches it\n +at .*app\.ts:/)
    const dead = await end(again!)
    expect(dead).toMatchObject({ state: 'dead', attempt: 3 })
    expect(dead.error).toBe('third time')
    await site.logged(/job again \S+ is a dead letter \(attempt 3 of 4\): third time$/)
    expect(await end(leave!)).toMatchObject({ state: 'done', result: '2' })

    site.write('site.yaml', files['site.yaml']!.replace('jobs:', 'jobs:\n  size: 1GB'))
    expect((await site.run('reload')).code).toBe(0)
    await site.logged(/^jobs.size: takes effect after a restart/)
    const shouted = (await ask(site.port, '/shout')).body.toString()
    expect(await end(shouted)).toMatchObject({ state: 'done', result: 'NULL' })
  }, 60_000)

  it('may have a module of their own; what it lacks, and queues that nobody does, are told', async () => {
    const own = (module: string): string =>
      files['site.yaml']!.replace('jobs: { workers: 2, queues: [mail, default] }', module)
    await using site = await Portico.serve({
      'app.ts': `
import { job } from 'portico'
export const jobs = { clean: job({ queue: 'cleaning' }, () => {}) }
export default { fetch: () => new Response('ok') }
`,
      'tasks/mine.cjs': `exports.jobs = { hello: async (name) => 'hello ' + name }`,
      'tasks/none.ts': 'export const job = 1',
      'site.yaml': own('jobs: { module: ./tasks/mine.cjs }'),
    })
    await site.logged(/^nobody does the jobs of queue cleaning, such as clean/)
    const jobs = (...args: string[]): Promise<Ran> =>
      portico(['jobs', ...args, '--site', 'site.yaml'], { cwd: site.folder })
    const id = (await jobs('put', 'hello', '"you"')).out.trim()
    await until('the greeting', async () => {
      const { out } = await jobs('show', id, '--json')
      return out.startsWith('{') && JSON.parse(out).result === '"hello you"'
    })
    site.write('site.yaml', own('jobs: { module: ./tasks/none.ts }'))
    await site.run('reload')
    await site.logged(/none\.ts exports no jobs: `export const jobs/)
  }, 60_000)
})
