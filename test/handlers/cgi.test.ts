/** Real programs through the CGI handler and the real gateway: answers, bodies, limits, ends. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { TICK_MS } from '../../src/request/clock.ts'
import { lookAt } from '../flows/support/processes.ts'
import { CutShort, Visitor } from '../flows/support/visitor.ts'
import { until } from '../supervisor/site.ts'
import { isZombie, Programs } from './cgi/folder.ts'

const HEAD = 'printf "Content-Type: text/plain\\n\\n"\n'

describe('the environment', () => {
  it('is exactly the request, PATH, and what the site sets', async () => {
    using programs = await new Programs({ 'env.sh': `${HEAD}env -0 | sort -z` }).serve({
      env: { GREETING: 'grüß', SERVER_SOFTWARE: 'mine' },
    })
    const { text } = await programs.ask('env.sh/a%20b?x=1&y', {
      fields: {
        Proxy: 'http://evil',
        'X-Real_Ip': 'forged',
        'X-One': '1',
        Authorization: 'Basic eA==',
      },
      body: 'four',
    })
    const { root, port } = programs
    const variables = Object.fromEntries(
      text
        .split('\0')
        .filter(Boolean)
        .map((line) => line.split(/=(.*)/s).slice(0, 2)),
    )
    expect(variables).toEqual({
      CONTENT_LENGTH: '4',
      DOCUMENT_ROOT: root,
      DOCUMENT_URI: '/cgi-bin/env.sh/a b',
      GATEWAY_INTERFACE: 'CGI/1.1',
      GREETING: 'grüß',
      HTTP_AUTHORIZATION: 'Basic eA==',
      HTTP_HOST: 'localhost',
      HTTP_X_ONE: '1',
      PATH: process.env.PATH,
      PATH_INFO: '/a b',
      PATH_TRANSLATED: `${root}/a b`,
      // The shell's own.
      PWD: root,
      QUERY_STRING: 'x=1&y',
      REMOTE_ADDR: '127.0.0.1',
      REMOTE_PORT: expect.stringMatching(/^\d+$/),
      REQUEST_METHOD: 'POST',
      REQUEST_SCHEME: 'http',
      REQUEST_URI: '/cgi-bin/env.sh/a%20b?x=1&y',
      SCRIPT_FILENAME: join(root, 'env.sh'),
      SCRIPT_NAME: '/cgi-bin/env.sh',
      SERVER_ADDR: '127.0.0.1',
      SERVER_NAME: 'localhost',
      SERVER_PORT: String(port),
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_SOFTWARE: 'mine',
    })
  })

  it('has no CONTENT_LENGTH without a body, and the true one of a body in chunks', async () => {
    using programs = await new Programs({
      'length.sh': `${HEAD}echo "\${CONTENT_LENGTH-none}"; cat`,
    }).serve()
    expect((await programs.ask('length.sh')).text).toBe('none\n')
    using visitor = await Visitor.to(programs.port)
    visitor.send(
      'POST /cgi-bin/length.sh HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
    visitor.send('3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n')
    expect((await visitor.reply()).text).toBe('5\nabcde')
  })

  it('holds no arguments, no open files, no ignored signals, and the program’s own folder', async () => {
    using programs = await new Programs({
      'deep/own.pl': `#!/usr/bin/perl
print "Content-Type: text/plain\\n\\n";
open(my $status, "<", "/proc/self/status");
print grep { /^Sig(Ign|Blk)/ } <$status>;
close($status);
opendir(my $fds, "/proc/self/fd");
my @fds = sort grep { /^[0-9]/ && readlink("/proc/self/fd/$_") !~ m{/proc/.*/fd$} } readdir($fds);
use Cwd; print "fds @fds args ", scalar(@ARGV), " in ", getcwd(), " group ", getpgrp() == $$ ? "own" : "ours", "\\n";`,
    }).serve()
    const { text } = await programs.ask('deep/own.pl?a+b')
    // Perl itself ignores SIGFPE, and nothing else.
    expect(text).toMatch(/^SigBlk:\t0+\nSigIgn:\t0+80\n/)
    expect(text).toContain(`fds 0 1 2 args 0 in ${programs.root}/deep group own`)
  })
})

describe('answers', () => {
  it('get a length when the program ends at once', async () => {
    using programs = await new Programs({
      'hello.sh':
        'printf "Content-Type: text/plain\\r\\nX-A: 1\\r\\nStatus: 201 Made\\r\\n\\r\\nhello"',
    }).serve()
    const reply = await programs.ask('hello.sh')
    expect(reply).toMatchObject({ status: 201, text: 'hello' })
    expect(reply.fields).toMatchObject({ 'x-a': '1' })
    expect(reply.fields).not.toHaveProperty('status')
    // On a busy machine its end may come too late for that.
    await until('a length', async () => {
      return (await programs.ask('hello.sh')).fields['content-length'] === '5'
    })
  })

  it('stream: what a program has written is there before it ends', async () => {
    using programs = await new Programs({
      'slow.sh': `${HEAD}echo one; sleep 0.4; echo two; sleep 0.4; echo three`,
    }).serve()
    const { text, chunks } = await programs.ask('slow.sh')
    expect(text).toBe('one\ntwo\nthree\n')
    expect(chunks).toHaveLength(3)
    expect(chunks[2]! - chunks[0]!).toBeGreaterThan(600)
  })

  it('of HEAD have no body, 204 and 304 neither', async () => {
    using programs = await new Programs({
      'hello.sh': `${HEAD}echo hello`,
      'sized.sh': 'printf "Content-Type: a/b\\nContent-Length: 5\\n\\nhello"',
      'none.sh': 'printf "Status: 204 No Content\\n\\n"',
    }).serve()
    using visitor = await Visitor.to(programs.port)
    for (const path of ['hello.sh', 'sized.sh', 'hello.sh']) {
      expect(await visitor.ask(`/cgi-bin/${path}`, { method: 'HEAD' })).toMatchObject({
        status: 200,
        text: '',
      })
    }
    expect(await visitor.ask('/cgi-bin/none.sh')).toMatchObject({ status: 204, text: '' })
    const { fields } = await visitor.ask('/cgi-bin/sized.sh', { method: 'HEAD' })
    expect(fields['content-length']).toBe('5')
  })

  it('with a length are complete when it has come, and no longer than it', async () => {
    using programs = await new Programs({
      'goes-on.sh':
        'printf "Content-Type: a/b\\nContent-Length: 5\\n\\nhello surplus"; sleep 0.5; echo more',
    }).serve()
    using visitor = await Visitor.to(programs.port)
    const began = performance.now()
    expect((await visitor.ask('/cgi-bin/goes-on.sh')).text).toBe('hello')
    expect(performance.now() - began).toBeLessThan(400)
    expect((await visitor.ask('/cgi-bin/goes-on.sh')).text).toBe('hello')
  })

  it('shorter than their length are cut', async () => {
    using programs = await new Programs({
      'short.sh': 'printf "Content-Type: a/b\\nContent-Length: 50\\n\\nhello"',
    }).serve()
    expect(await programs.ask('short.sh').catch((error) => error)).toMatchObject({ status: 502 })
  })

  it('of a program that is killed are cut', async () => {
    using programs = await new Programs({
      'dies.sh': `${HEAD}echo some; sleep 0.1; kill -9 $$`,
    }).serve()
    expect(await programs.ask('dies.sh').catch((error) => error)).toBeInstanceOf(CutShort)
    await programs.logged(/dies\.sh was killed by SIGKILL in the middle of its answer/)
  })

  it.each([
    ['nothing', ':', /ended without the head of an answer; it wrote nothing/],
    [
      'no head',
      'echo oops; exit 3',
      /ended with exit code 3 without the head .* it wrote: oops\\x0a/,
    ],
    [
      'no field that counts',
      'printf "X-A: 1\\n\\nbody"',
      /neither Content-Type .* it wrote: X-A: 1/,
    ],
    ['a document', 'printf "<html>\\n\\n</html>"', /cgi: .*document.sh: .*it wrote: <html>/],
    ['a bad status', 'printf "Status: lots\\n\\n"', /malformed answer: Status/],
    ['a folded field', 'printf "A: b\\n c\\nStatus: 200\\n\\n"', /malformed answer/],
    ['an endless head', 'yes "A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"', /a head of more than/],
  ])('502 for %s', async (name, script, pattern) => {
    const file = `${name.split(' ').at(-1)}.sh`
    using programs = await new Programs({ [file]: script }).serve()
    expect((await programs.ask(file)).status).toBe(502)
    await programs.logged(pattern)
  })

  it('tell of what cannot be started', async () => {
    using programs = await new Programs({ 'lost.sh': '#!/no/such/interpreter\n' }).serve()
    programs.write('text.sh', '#!x', 0o755)
    writeFileSync(join(programs.root, 'text.sh'), 'no first line\n')
    expect((await programs.ask('lost.sh')).status).toBe(502)
    await programs.logged(/lost\.sh could not be started: the interpreter .* \(ENOENT\)/)
    expect((await programs.ask('text.sh')).status).toBe(502)
    await programs.logged(/text\.sh could not be started: .*#! .*\(ENOEXEC\)/)
    programs.write('plain.txt', 'x', 0o644)
    expect((await programs.ask('plain.txt')).status).toBe(403)
    await programs.logged(/plain\.txt cannot be run: chmod \+x/)
  })

  it('with a Location go on here when it is a path, and elsewhere otherwise', async () => {
    using programs = await new Programs({
      'local.sh': 'printf "Location: /there?x=1\\n\\n"',
      'away.sh': 'printf "Location: http://example.com/\\n\\n"',
      'found.sh': 'printf "Status: 303 See Other\\nLocation: /there\\n\\n"',
      'host.sh': 'printf "Location: //evil.example/\\n\\n"',
    }).serve()
    expect(await programs.ask('local.sh')).toMatchObject({ status: 299, text: '/there?x=1' })
    expect(programs.redirects).toEqual(['/there?x=1'])
    expect(await programs.ask('away.sh')).toMatchObject({
      status: 302,
      fields: { location: 'http://example.com/' },
    })
    expect(await programs.ask('found.sh')).toMatchObject({
      status: 303,
      fields: { location: '/there' },
    })
    expect(await programs.ask('host.sh')).toMatchObject({ status: 302 })
    expect(programs.redirects).toHaveLength(1)
  })

  it('of programs that speak HTTP themselves are framed anew', async () => {
    using programs = await new Programs({
      'nph-lf.sh': 'printf "HTTP/1.0 203 Fine\\nContent-Type: a/b\\nServer: me\\n\\nbody"',
      'nph-chunked.sh':
        'printf "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n4\\r\\nbody\\r\\n0\\r\\n\\r\\nHTTP/1.1 666 Evil\\r\\n\\r\\n"',
      'nph-early.sh':
        'printf "HTTP/1.1 103 Early Hints\\r\\nLink: </a>\\r\\n\\r\\n"; sleep 0.1; printf "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"',
      'nph-not.sh': `${HEAD}body`,
      'nph-other.sh':
        'printf "HTTP/1.1 101 Switching\\r\\nConnection: Upgrade\\r\\nUpgrade: x\\r\\n\\r\\n"',
    }).serve()
    using visitor = await Visitor.to(programs.port)
    const lf = await visitor.ask('/cgi-bin/nph-lf.sh')
    expect(lf).toMatchObject({ status: 203, text: 'body', fields: { server: 'me' } })
    expect(await visitor.ask('/cgi-bin/nph-chunked.sh')).toMatchObject({
      status: 200,
      text: 'body',
    })
    expect(await visitor.ask('/cgi-bin/nph-early.sh')).toMatchObject({ interim: [103], text: 'ok' })
    expect((await visitor.ask('/cgi-bin/nph-not.sh')).status).toBe(502)
    expect((await visitor.ask('/cgi-bin/nph-other.sh')).status).toBe(502)
  })
})

describe('bodies', () => {
  it.each([0, 1, 65_536, 65_537, 1_048_576])(
    'of %i bytes arrive as they were, both ways',
    async (size) => {
      using programs = await new Programs({
        'echo.sh': 'printf "Content-Type: application/octet-stream\\n\\n"; cat',
      }).serve()
      const body = randomBytes(size)
      const reply = await programs.ask('echo.sh', { body })
      expect(Buffer.compare(reply.body, body)).toBe(0)
      // Nothing of it is left.
      await until('the spool to be empty', () => readdirSync(programs.outside).length === 0)
    },
  )

  it('need not be read', async () => {
    using programs = await new Programs({ 'deaf.sh': `${HEAD}echo no` }).serve()
    expect((await programs.ask('deaf.sh', { body: randomBytes(1_000_000) })).text).toBe('no\n')
  })

  it('may be read by seeking', async () => {
    using programs = await new Programs({
      'seek.pl': `#!/usr/bin/perl
print "Content-Type: text/plain\\n\\n"; seek(STDIN, 2, 0); print <STDIN>;`,
    }).serve()
    expect((await programs.ask('seek.pl', { body: 'abcdef' })).text).toBe('cdef')
  })

  it('of answers wait for a slow visitor, and the program for us', async () => {
    using programs = await new Programs({
      'much.pl': `#!/usr/bin/perl
$| = 1; print "Content-Type: text/plain\\n\\n"; print "x" x 65536 for 1 .. 800; print STDERR "written\\n";`,
    }).serve()
    using visitor = await Visitor.to(programs.port)
    visitor.send('GET /cgi-bin/much.pl HTTP/1.0\r\n\r\n')
    await sleep(600)
    expect(programs.log.join('\n')).not.toMatch(/written/)
    const all = await visitor.end()
    expect(all.length).toBeGreaterThan(800 * 65_536)
    await programs.logged(/much\.pl: written/)
  })
})

describe('what programs say', () => {
  it('is in the log, line by line', async () => {
    using programs = await new Programs({
      'says.sh': `${HEAD}echo one >&2; printf "two\\033[0m" >&2`,
    }).serve()
    await programs.ask('says.sh')
    await programs.logged(/^warn cgi: .*says\.sh: one$/)
    await programs.logged(/^warn cgi: .*says\.sh: two\\x1b\[0m$/)
  })

  it('may be much: it is bounded, and holds the program up for moments only', async () => {
    using programs = await new Programs({
      'shouts.pl': `#!/usr/bin/perl
print STDERR "line $_ ", "x" x 1000, "\\n" for 1 .. 5000; print "Content-Type: text/plain\\n\\nfine";`,
    }).serve()
    const began = performance.now()
    expect((await programs.ask('shouts.pl')).text).toBe('fine')
    expect(performance.now() - began).toBeLessThan(3000)
    expect(programs.log.length).toBeLessThan(250)
    await programs.logged(/more lines\)$/)
  })
})

describe('ends', () => {
  it('a silent program is killed at its deadline, with what it started', async () => {
    using programs = await new Programs({
      'hangs.sh': 'sleep 300 & echo $$ $! >&2; wait',
    }).serve({ deadlineMs: 300 })
    expect((await programs.ask('hangs.sh')).status).toBe(504)
    const line = await programs.logged(/: \d+ \d+$/)
    const [shell = 0, child = 0] = line.split(' ').slice(-2).map(Number)
    await programs.gone(shell)
    await programs.ended(child)
    await programs.logged(/hangs\.sh wrote nothing for 300 ms: killed/)
  })

  it('one that does not listen to SIGTERM is killed all the same', async () => {
    using programs = await new Programs({
      'stubborn.sh': 'trap "" TERM; echo $$ >&2; while :; do sleep 0.2; done',
    }).serve({ deadlineMs: 300 })
    expect((await programs.ask('stubborn.sh')).status).toBe(504)
    const pid = Number((await programs.logged(/: \d+$/)).split(' ').at(-1))
    await programs.gone(pid, 5000)
  })

  it('an answer that stops is cut', async () => {
    using programs = await new Programs({ 'stops.sh': `${HEAD}echo some; sleep 300` }).serve({
      deadlineMs: 300,
    })
    expect(await programs.ask('stops.sh').catch((error) => error)).toBeInstanceOf(CutShort)
  })

  it('a program that goes on writing has no deadline', async () => {
    using programs = await new Programs({
      'steady.sh': `${HEAD}for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.2; done`,
    }).serve({ deadlineMs: 300 + TICK_MS })
    expect((await programs.ask('steady.sh')).text).toBe('1\n2\n3\n4\n5\n6\n7\n8\n')
  })

  it('one that closes its output has answered; it may go on until the deadline', async () => {
    using programs = await new Programs({
      'goes-on.sh': `echo $$ >&2; ${HEAD}echo done; exec >&-; sleep 300`,
    }).serve({ deadlineMs: 500 })
    expect((await programs.ask('goes-on.sh')).text).toBe('done\n')
    const pid = Number((await programs.logged(/: \d+$/)).split(' ').at(-1))
    expect(lookAt(pid)).not.toBeNull()
    await programs.gone(pid)
    await programs.logged(/went on behind its answer for 500 ms: killed/)
  })

  it('one that leaves something behind with its output open has answered at the deadline', async () => {
    using programs = await new Programs({
      'leaves.sh': `${HEAD}echo done; sleep 300 & echo $! >&2`,
    }).serve({ deadlineMs: 500 })
    expect((await programs.ask('leaves.sh')).text).toBe('done\n')
    const pid = Number((await programs.logged(/: \d+$/)).split(' ').at(-1))
    await programs.ended(pid)
    await programs.logged(/left a process that holds its output open: killed/)
  })

  it('what runs on in the background with an output of its own is left alone', async () => {
    using programs = await new Programs({
      'daemon.sh': `${HEAD}sleep 30 >/dev/null 2>&1 & echo $!`,
    }).serve()
    const pid = Number((await programs.ask('daemon.sh')).text)
    expect(lookAt(pid)).not.toBeNull()
    process.kill(pid, 'SIGKILL')
  })

  it('a visitor that leaves ends the program and what it started', async () => {
    using programs = await new Programs({
      'waits.sh': `sleep 300 & echo $$ $! >&2; ${HEAD}echo begun; wait`,
    }).serve()
    const visitor = await Visitor.to(programs.port)
    visitor.send('GET /cgi-bin/waits.sh HTTP/1.1\r\nHost: x\r\n\r\n')
    const line = await programs.logged(/: \d+ \d+$/)
    visitor.socket.resetAndDestroy()
    const [shell = 0, child = 0] = line.split(' ').slice(-2).map(Number)
    await programs.gone(shell)
    await programs.ended(child)
  })

  it('visitors that leave while programs are being started leave nothing behind', async () => {
    using programs = await new Programs({
      'waits.sh': 'echo $$ >> "$DOCUMENT_ROOT/../pids"; exec sleep 300',
    }).serve({ concurrency: 200 })
    const visitors = await Promise.all(Array.from({ length: 150 }, () => Visitor.to(programs.port)))
    for (const { socket } of visitors) {
      socket.write('GET /cgi-bin/waits.sh HTTP/1.1\r\nHost: x\r\n\r\n', () =>
        socket.resetAndDestroy(),
      )
    }
    await sleep(1500)
    const pids = existsSync(join(programs.root, '../pids'))
      ? readFileSync(join(programs.root, '../pids'), 'utf8').trim().split('\n').map(Number)
      : []
    for (const pid of pids) await programs.gone(pid)
  })

  it('close ends what runs', async () => {
    using programs = await new Programs({ 'waits.sh': 'echo $$ >&2; sleep 300' }).serve()
    void programs.ask('waits.sh').catch(() => {})
    const pid = Number((await programs.logged(/: \d+$/)).split(' ').at(-1))
    programs[Symbol.dispose]()
    await programs.ended(pid)
  })
})

describe('many at once', () => {
  it('run within the limit, all are answered, none is left a zombie, no descriptor is lost', async () => {
    using programs = await new Programs({
      'count.sh': `${HEAD}mkdir "$DOCUMENT_ROOT/../running-$$"; ls -d "$DOCUMENT_ROOT"/../running-* | wc -l; sleep 0.02; rmdir "$DOCUMENT_ROOT/../running-$$"; echo $$`,
    }).serve({ concurrency: 8 })
    await programs.ask('count.sh')
    const files = (): number => readdirSync('/proc/self/fd').length
    const before = files()
    const replies = await Promise.all(Array.from({ length: 200 }, () => programs.ask('count.sh')))
    const pids = replies.map(({ status, text }) => {
      expect(status).toBe(200)
      const [running = 0, pid = 0] = text.split('\n').map(Number)
      expect(running).toBeLessThanOrEqual(8)
      return pid
    })
    await until('all to be buried', () => !pids.some(isZombie))
    await until('descriptors to be closed', () => files() <= before + 2)
  })

  it('503 when the queue is full, and who leaves it makes room', async () => {
    using programs = await new Programs({ 'slow.sh': `${HEAD}sleep 0.5; echo done` }).serve({
      concurrency: 1,
      queue: 1,
    })
    const first = programs.ask('slow.sh')
    await sleep(50)
    const second = await Visitor.to(programs.port)
    second.send('GET /cgi-bin/slow.sh HTTP/1.1\r\nHost: x\r\n\r\n')
    await sleep(50)
    const third = await programs.ask('slow.sh')
    expect(third).toMatchObject({ status: 503, fields: { 'retry-after': '1' } })
    second.socket.resetAndDestroy()
    await sleep(50)
    const fourth = programs.ask('slow.sh')
    expect((await first).text).toBe('done\n')
    expect((await fourth).text).toBe('done\n')
  })

  it('compiled programs and large requests', async () => {
    using programs = await new Programs().serve()
    const source = join(programs.outside, 'hello.c')
    writeFileSync(
      source,
      '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint main(void) { printf("Content-Type: text/plain\\n\\n%zu", strlen(getenv("HTTP_X_LONG"))); }\n',
    )
    execFileSync('gcc', ['-o', join(programs.root, 'hello'), source])
    const { text } = await programs.ask('hello', { fields: { 'X-Long': 'x'.repeat(20_000) } })
    expect(text).toBe('20000')
  })
})
