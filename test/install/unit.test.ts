/** What `portico install` writes is what the programs that read it want. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const LAUNCHER = new URL('../../bin/portico', import.meta.url).pathname
const UNITS = 'etc/systemd/system'

let folder = ''
let root = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shop-'))
  root = mkdtempSync(join(tmpdir(), 'root-'))
})

afterEach(() => {
  for (const path of [folder, root]) rmSync(path, { recursive: true, force: true })
})

function portico(...args: string[]): string {
  return execFileSync(process.execPath, [LAUNCHER, ...args], { cwd: folder, encoding: 'utf8' })
}

function install(site: string, ...flags: string[]): string[] {
  writeFileSync(join(folder, 'site.yaml'), site)
  const args = [
    'install',
    '--scope',
    'system',
    '--name',
    'shop',
    '--root',
    root,
    '--json',
    ...flags,
  ]
  return JSON.parse(portico(...args)).files.map((path: string) => path.slice(root.length + 1))
}

function written(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** What `systemd-analyze` finds wrong with a unit; '' for nothing. */
function verify(...units: string[]): string {
  const paths = units.map((unit) => join(root, UNITS, unit))
  const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...paths], {
    encoding: 'utf8',
  })
  // Those of the machine are not our concern.
  return stderr
    .split('\n')
    .filter((line) => line.includes('portico-'))
    .join('\n')
}

const PLAIN = 'listen: ":80"\nroutes: { /: { respond: hello } }\n'

describe('units', () => {
  test('a site that runs as an ordinary user may open low ports, and nothing else', () => {
    expect(install(PLAIN)).toEqual([
      `${UNITS}/portico-shop.service`,
      'usr/local/share/bash-completion/completions/portico',
      'usr/local/share/man/man1/portico.1',
    ])
    const unit = written(`${UNITS}/portico-shop.service`)
    expect(unit).toContain('User=www-data\n')
    expect(unit).toContain('AmbientCapabilities=CAP_NET_BIND_SERVICE\n')
    expect(unit).toContain('CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n')
    expect(verify('portico-shop.service')).toBe('')
  })

  test('so does one whose applications have users of their own: else they would all be one', () => {
    writeFileSync(join(folder, 'shop.py'), '')
    const app = (more: string): string =>
      `listen: ":80"\nroutes: { /: { app: shop } }\napps: { shop: { python: "shop:app", ${more} } }\n`
    install(app('user: nobody'))
    const unit = written(`${UNITS}/portico-shop.service`)
    expect(unit).not.toContain('User=')
    expect(unit).toContain('RestrictNamespaces=yes\n')
    install(app('user: nobody, sandbox: bubblewrap, read-only: [/]'))
    const walled = written(`${UNITS}/portico-shop.service`)
    expect(walled).toMatch(/^CapabilityBoundingSet=.*CAP_SYS_ADMIN/m)
    expect(walled).not.toContain('RestrictNamespaces')
  })

  test('names in a site file begin no line of a unit, and no section of what logrotate runs', () => {
    const files = install(
      `log: { access: '${folder}/a" *.conf "' }\nlisten: "unix:${folder}/a\\nExecStartPre=evil"\n${PLAIN.split('\n')[1]}\n`,
      '--sockets',
    )
    expect(files.join(' ')).not.toContain('logrotate.d')
    expect(written(`${UNITS}/portico-shop.socket`)).not.toMatch(/^ExecStartPre/m)
  })

  test('one that gives its rights away itself starts as root, with the rights for that', () => {
    install(`user: www-data\n${PLAIN}`)
    const unit = written(`${UNITS}/portico-shop.service`)
    expect(unit).not.toContain('User=')
    expect(unit).toMatch(/^CapabilityBoundingSet=.*CAP_SETUID/m)
    expect(verify('portico-shop.service')).toBe('')
  })

  test('with sockets, systemd opens what the site listens on', () => {
    const site = 'listen: [":80", "127.0.0.1:8080", "[::1]:81", "unix:/run/shop.sock"]\n'
    const files = install(
      `${site}routes: { /: { respond: hello } }\n`,
      '--sockets',
      '--user',
      'root',
    )
    expect(files).toContain(`${UNITS}/portico-shop.socket`)
    const sockets = written(`${UNITS}/portico-shop.socket`).match(/(?<=^ListenStream=).*/gm)
    expect(sockets).toEqual(['80', '127.0.0.1:8080', '[::1]:81', '/run/shop.sock'])
    expect(verify('portico-shop.service', 'portico-shop.socket')).toBe('')
  })

  test('are as exposed as a service need be', () => {
    install(PLAIN)
    const path = join(root, UNITS, 'portico-shop.service')
    const args = ['security', '--offline=yes', '--no-pager', path]
    const out = execFileSync('systemd-analyze', args, { encoding: 'utf8' })
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(out)?.[1])
    // systemd's own scale: up to 4.0 is "OK".
    expect(exposure).toBeGreaterThan(0)
    expect(exposure).toBeLessThan(4)
  })

  test('names with spaces, quotes, dollars and percents stay what they are', () => {
    const odd = join(folder, `a "b" $c 100% d`)
    execFileSync('mkdir', [odd])
    writeFileSync(join(odd, 'site.yaml'), PLAIN)
    portico('install', odd, '--scope', 'system', '--name', 'odd', '--root', root)
    expect(verify('portico-odd.service')).toBe('')
    expect(written(`${UNITS}/portico-odd.service`)).toContain(
      `serve "${folder}/a \\"b\\" $$c 100%% d/site.yaml"\n`,
    )
  })
})

test('an access log that is a file is rotated as logrotate understands it', () => {
  install(`log: { access: ./access.log }\n${PLAIN}`)
  writeFileSync(join(folder, 'access.log'), 'a line\n')
  const config = written('etc/logrotate.d/portico-shop')
  expect(config).toContain('--signal=USR1 portico-shop.service')
  // Root's, as it would be below /etc; the unit is not there, so nobody is told.
  const path = join(root, 'rotate.conf')
  writeFileSync(path, config.replace(/^ *su .*\n/m, ''), { mode: 0o644 })
  execFileSync('logrotate', ['--force', '--state', join(root, 'state'), path])
  expect(readFileSync(join(folder, 'access.log.1'), 'utf8')).toBe('a line\n')
})

test('what was installed is removed, and nothing else', () => {
  install(PLAIN)
  const args = [
    'install',
    '--scope',
    'system',
    '--name',
    'shop',
    '--root',
    root,
    '--json',
    '--remove',
  ]
  expect(JSON.parse(portico(...args)).removed).toEqual([`/${UNITS}/portico-shop.service`])
  expect(() => written(`${UNITS}/portico-shop.service`)).toThrow('ENOENT')
})

test('a site with problems is not installed', () => {
  expect(() => install('listen: [\n')).toThrow(/Command failed/)
})

test('the manual page is read without a warning, and has every command', () => {
  const page = portico('man')
  const { stdout, stderr } = spawnSync('man', ['--warnings', '--local-file', '-'], {
    input: page,
    encoding: 'utf8',
    env: { ...process.env, MANWIDTH: '100', LC_ALL: 'C.UTF-8' },
  })
  expect(stderr).toBe('')
  for (const words of ['portico serve [options] [target]', '--workers', 'portico reload']) {
    expect(stdout).toContain(words)
  }
})

describe('completion', () => {
  /** What bash offers after `line`. */
  function offered(line: string): string[] {
    const words = line.split(' ')
    const script = `${portico('completion', 'bash')}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_portico; printf '%s\\n' "\${COMPREPLY[@]}"`
    const out = execFileSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8' })
    return out.split('\n').filter((word) => word !== '')
  }

  test.each([
    ['portico st', ['stop', 'status']],
    ['portico serve --work', ['--workers']],
    ['portico install --scope ', ['system', 'user']],
    ['portico serve notes', ['notes.txt']],
  ])('bash: %s', (line, expected) => {
    writeFileSync(join(folder, 'notes.txt'), '')
    expect(offered(line)).toEqual(expect.arrayContaining(expected))
    expect(offered('portico nonsense-')).toEqual([])
  })

  test.each(['bash', 'zsh', 'fish'])('%s: the shell can read it', (shell) => {
    const path = join(folder, 'completion')
    writeFileSync(path, portico('completion', shell))
    expect(spawnSync(shell, ['-n', path], { encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    })
  })
})
