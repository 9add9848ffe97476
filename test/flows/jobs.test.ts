/** Jobs of a whole site: put by an application, redis-cli and the command line; done by Python and by any program. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON, portico, run } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { ask } from './support/visitor.ts'

const APP = `
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

const PROGRAM = `#!/bin/sh
read -r line
case "$line" in bad) echo "cannot do $line" >&2; exit 65;; esac
echo "$PORTICO_JOB_NAME $PORTICO_JOB_ATTEMPT $line"
`

const SITE = `
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
    python: app
    interpreter: ${PYTHON}
    workers: 1
    jobs: { workers: 2, queues: [mail, default] }
`

const files = { 'app.py': APP, 'program.sh': PROGRAM, 'site.yaml': SITE }

interface Shown {
  readonly state: string
  readonly error: string
  readonly result: string | null
  readonly attempt: number
}

describe('jobs', () => {
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
    expect(sent).toBe("{'sent': ['a@b.c', 'hi'], 'attempt': 1}")
    expect(await ended(boom!)).toMatchObject({ state: 'dead', attempt: 2 })
    const late = await ended(hang!)
    expect(late.error).toMatch(/in hang\n.*\n.*longer than its deadline of 0.4 s/)
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
    expect((await ended(unknown)).error).toContain("did you mean 'app.send'?")
    await site.logged(/job app\.boom \S+ failed \(attempt 2 of 2\), and is a dead letter now$/)
    const words = (await jobs('put', 'send', 'a@b.c')).trim()
    expect(await ended(words)).toMatchObject({
      state: 'dead',
      attempt: 1,
      error: expect.stringMatching(/^its payload is no JSON: Expecting value/),
    })
    const delayed = (await jobs('put', 'send', '--queue', 'mail', '--delay', '1h')).trim()

    expect(await jobs()).toMatch(/mail +0 +1 +0 +0/)
    expect(await jobs('dead')).toContain('ValueError: it never works')
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
    await using site = await Portico.serve({
      ...files,
      'app.py': APP.replace('@portico.job(retries=0)\ndef nap', '@portico.job(retries=2)\ndef nap'),
    })
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
