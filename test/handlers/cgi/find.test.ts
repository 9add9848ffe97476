import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { PorticoError } from '../../../src/errors.ts'
import { Finder } from '../../../src/handlers/cgi/find.ts'
import { clock } from '../../../src/request/clock.ts'
import { Programs } from './folder.ts'

const programs = new Programs({
  'env.sh': '',
  'a/b/deep.cgi': '',
  'a/index.cgi': '',
  '.hidden/x.cgi': '',
  '.secret.cgi': '',
  'grün.cgi': '',
})
const { root, outside } = programs
afterAll(() => programs[Symbol.dispose]())
programs.write('plain.txt', 'not for running', 0o644)
writeFileSync(join(outside, 'tool'), '#!/bin/sh\n')
chmodSync(join(outside, 'tool'), 0o755)
symlinkSync(join(outside, 'tool'), join(root, 'out.cgi'))
symlinkSync(outside, join(root, 'out'))
symlinkSync('env.sh', join(root, 'link.cgi'))
symlinkSync('nowhere', join(root, 'dangling.cgi'))
mkdirSync(join(root, 'empty'))

const finder = new Finder(programs.plan({ index: ['index.cgi'] }))

function find(path: string, prefix = '/cgi-bin/', one = finder): object | null | string {
  try {
    const found = one.find(path, prefix)
    if (found === null) return null
    const { script, scriptName, pathInfo } = found
    return { script: script.replace(root, ''), scriptName, pathInfo }
  } catch (error) {
    return error instanceof PorticoError ? error.code : String(error)
  }
}

describe('a folder of programs', () => {
  it('divides the path behind the first program', () => {
    expect(find('/cgi-bin/env.sh')).toEqual({
      script: '/env.sh',
      scriptName: '/cgi-bin/env.sh',
      pathInfo: '',
    })
    expect(find('/cgi-bin/env.sh/a//b/')).toMatchObject({ pathInfo: '/a//b/' })
    expect(find('/cgi-bin/a/b/deep.cgi/x')).toMatchObject({
      scriptName: '/cgi-bin/a/b/deep.cgi',
      pathInfo: '/x',
    })
    expect(find('/cgi-bin//a//b/deep.cgi')).toMatchObject({
      scriptName: '/cgi-bin//a//b/deep.cgi',
      pathInfo: '',
    })
  })

  it('leaves hidden names behind the program to the program', () => {
    expect(find('/cgi-bin/env.sh/.git/..x')).toMatchObject({ pathInfo: '/.git/..x' })
  })

  it.each([
    '/cgi-bin/nothing',
    '/cgi-bin/nothing/env.sh',
    '/cgi-bin/',
    '/cgi-bin/empty/',
    '/cgi-bin/.hidden/x.cgi',
    '/cgi-bin/.secret.cgi',
    '/cgi-bin/../outside/tool',
    '/cgi-bin/a/../../outside/tool',
    '/cgi-bin/./env.sh',
    '/cgi-bin/out.cgi',
    '/cgi-bin/out/tool',
    '/cgi-bin/dangling.cgi',
    '/cgi-bin/env.sh\0.txt',
    '/cgi-bin/env.sh/\0',
    `/cgi-bin/${'x'.repeat(300)}`,
  ])('%j is not there', (path) => {
    expect(find(path)).toBe('NOT_FOUND')
  })

  it('follows a link that stays inside, and the program is asked for by its name there', () => {
    expect(find('/cgi-bin/link.cgi')).toMatchObject({ script: '/link.cgi' })
    expect(finder.find('/cgi-bin/link.cgi', '/cgi-bin/')?.file).toBe(join(root, 'env.sh'))
  })

  it('finds names of any bytes', () => {
    const bytes = Buffer.from('grün.cgi').toString('latin1')
    expect(find(`/cgi-bin/${bytes}`)).toMatchObject({ scriptName: `/cgi-bin/${bytes}` })
  })

  it('says how to mend what cannot be run', () => {
    expect(find('/cgi-bin/plain.txt')).toBe('FILE_UNREADABLE')
    expect(() => finder.find('/cgi-bin/plain.txt', '/cgi-bin/')).toThrow(/plain\.txt .* chmod \+x/)
  })

  it('answers for a folder with its index, and without the slash not at all', () => {
    expect(find('/cgi-bin/a/')).toEqual({
      script: '/a/index.cgi',
      scriptName: '/cgi-bin/a/index.cgi',
      pathInfo: '',
    })
    expect(find('/cgi-bin/a')).toBeNull()
    expect(find('/cgi-bin/a', '/cgi-bin/', new Finder(programs.plan()))).toBe('NOT_FOUND')
  })

  it('is found by an exact route, and by a regular expression', () => {
    expect(find('/run/env.sh', '/run/env.sh')).toMatchObject({ script: '/env.sh', pathInfo: '' })
    expect(find('/a/b/deep.cgi/more', '')).toMatchObject({ pathInfo: '/more' })
  })
})

describe('what changes', () => {
  it('is seen a second later at most, what is new at once', () => {
    const finder = new Finder(programs.plan())
    expect(find('/cgi-bin/new.sh', '/cgi-bin/', finder)).toBe('NOT_FOUND')
    const file = programs.write('new.sh', '')
    expect(find('/cgi-bin/new.sh', '/cgi-bin/', finder)).toMatchObject({ pathInfo: '' })
    chmodSync(file, 0o644)
    clock.now += 2000
    expect(find('/cgi-bin/new.sh', '/cgi-bin/', finder)).toBe('FILE_UNREADABLE')
  })
})

describe('one program', () => {
  const one = new Finder(programs.plan({ root: join(root, 'env.sh') }))

  it('answers for everything below its route', () => {
    expect(find('/git/a.git/.x/info', '/git/', one)).toEqual({
      script: '/env.sh',
      scriptName: '/git',
      pathInfo: '/a.git/.x/info',
    })
    expect(find('/x', '/', one)).toMatchObject({ scriptName: '', pathInfo: '/x' })
    expect(find('/git', '/git', one)).toMatchObject({ scriptName: '/git', pathInfo: '' })
    expect(find('/any/where', '', one)).toMatchObject({ scriptName: '', pathInfo: '/any/where' })
  })

  it('may be a link to anywhere: the owner has named it', () => {
    const link = new Finder(programs.plan({ root: join(root, 'out.cgi') }))
    expect(link.find('/x', '/')?.file).toBe(join(outside, 'tool'))
  })
})
