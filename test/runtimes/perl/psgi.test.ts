/** Perl over PSGI: the bridge program with a real Perl and Plack. */
import { describe, expect, test } from 'vitest'
import { psgi } from '../../../src/runtimes/perl/runtime.ts'
import { FrameType } from '../../../src/wire/frames.ts'
import { type Bridge, bridgeSuite, loading, scriptPlan } from '../bridge.ts'
import { frame } from '../python/link.ts'
import { Supervisor } from '../python/supervisor.ts'

const bridge: Bridge = {
  runtime: psgi,
  file: 'bridge.psgi',
  version: /^5\.\d+\.\d+$/,
  napping: /File ".*bridge\.psgi", line \d+ in Doze::nap/,
  spinning: /File ".*bridge\.psgi", line \d+ in Doze::spin/,
  raised: /^on purpose\n\tinner called at .*bridge\.psgi line \d+\n/,
  bad: [
    ...['status', 'early', 'headers', 'odd', 'name', 'newline', 'wide', 'length', 'lengths'],
    ...['body-wide', 'body-string', 'body-undef', 'two', 'text', 'nothing', 'hash'],
  ],
}

bridgeSuite(bridge)

test('delayed answers: the responder, the writer, and who forgets them', async () => {
  const supervisor = await Supervisor.launch(scriptPlan(bridge), psgi)
  const worker = await supervisor.first()
  expect(await worker.request({ path: '/delayed' })).toMatchObject({ body: 'delayed' })
  const open = await worker.request({ path: '/writer-left-open' })
  expect(open).toMatchObject({ body: 'some', failed: true })
  const none = await worker.request({ path: '/no-responder' })
  expect(none).toMatchObject({ status: 500, failed: true })
  expect(none.body).toContain('without calling the responder')
  await supervisor.stop()
})

test('psgix.harakiri: a worker leaves when its application wishes', async () => {
  const supervisor = await Supervisor.launch(scriptPlan(bridge), psgi)
  const worker = await supervisor.first()
  expect((await worker.request({ path: '/harakiri' })).body).toBe('last')
  await worker.until((seen) => seen.some((one) => one.type === FrameType.LEAVING))
  worker.socket.write(frame(FrameType.QUIT, 0))
  expect(await supervisor.heard('exited')).toMatchObject({ code: 0 })
  await supervisor.stop()
})

test('a file with a layer is read through it', async () => {
  const supervisor = await Supervisor.launch(scriptPlan(bridge), psgi)
  const worker = await supervisor.first()
  const query = `path=${process.execPath}&from=0&layer=:encoding(latin1)&length=100000`
  const answer = await worker.request({ path: '/file', query })
  expect(answer.file).toBeUndefined()
  expect(answer).toMatchObject({ bytes: 100_000, declared: 100_000 })
  await supervisor.stop()
})

describe('loading says what is wrong', () => {
  test.each<[string, string | null, RegExp]>([
    ['no file', null, /^there is no file .*bridge\.psgi; check `psgi:`/],
    ['a syntax error', 'sub {\n  my $x = ;\n', /syntax error at .*bridge\.psgi line 2/],
    [
      'a missing module',
      'use No::Such::Module;\nsub {}\n',
      /Can't locate No\/Such\/Module\.pm in @INC/,
    ],
    ['what dies', 'die "no configuration\\n"', /no configuration/],
    ['what exits', 'exit 4;', /the application called exit\(4\)/],
    ['what is no application', '"text"', /must end with a PSGI application.*it gives 'text'/],
  ])('%s', async (_, source, expected) => {
    expect(await loading(bridge, source)).toMatch(expected)
  })

  test('no Plack', async () => {
    const env = { PERL5OPT: '-M-lib=/usr/share/perl5' }
    const detail = await loading(bridge, 'sub {}', { env })
    expect(detail).toMatch(/needs Plack, which .*perl does not find; install it with `cpanm Plack`/)
  })

  test('no Perl', () => {
    const command = (interpreter: string) =>
      psgi.command(scriptPlan(bridge, { interpreter, env: { PATH: '/nowhere' } }))
    expect(() => command('')).toThrow(/there is no Perl on this machine; install it \(Debian/)
    expect(() => command('./perl6')).toThrow(/there is no Perl at \.\/perl6; check `interpreter:`/)
  })
})
