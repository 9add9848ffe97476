/** Folders as people have them, and what is made of each. */
import { describe, expect, it } from 'vitest'
import { complaints, folderWith, load } from './here.ts'

const FLASK = 'from flask import Flask\n\napp = Flask(__name__)\n'
const DJANGO = `import os
def main():
    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')
`
const DJANGO_WSGI = `from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
`
const DJANGO_ASGI = DJANGO_WSGI.replaceAll('wsgi', 'asgi')

async function found(files: Record<string, string>, target = '.') {
  const folder = folderWith(files)
  const { plan, description, warnings } = await load(folder, target)
  const [host] = plan.hosts
  return {
    description: description.replaceAll(folder, '<here>'),
    routes: (host?.routes ?? []).map(({ match, handler }) => ({
      path: match.path,
      ...(handler.kind === 'files'
        ? { files: handler.root.replace(folder, '<here>'), list: handler.list }
        : { kind: handler.kind }),
    })),
    apps: Object.values(plan.apps).map(
      (app) =>
        `${app.kind === 'python' ? `${app.module}:${app.callable}` : app.kind} in ${app.dir.replace(folder, '<here>')}`,
    ),
    warnings: warnings.map((warning) => warning.message.replaceAll(folder, '<here>')),
  }
}

async function refused(files: Record<string, string>, target = '.'): Promise<string[]> {
  return complaints(folderWith(files), target)
}

const APP = { path: '/', kind: 'app' }

describe('a file', () => {
  it.each([
    ['app.psgi', '', 'PSGI application app.psgi'],
    ['config.ru', '', 'Rack application config.ru'],
    [
      'server.js',
      'require("node:http").createServer().listen(1)',
      'Node application <here>/server.js',
    ],
    ['api.ts', 'export default { fetch: () => new Response() }', 'Node application <here>/api.ts'],
    ['mine.ts', 'export default { routes: { "/": { respond: "x" } } }', 'site file <here>/mine.ts'],
  ])('%s', async (name, text, description) => {
    expect(await found({ [name]: text }, name)).toMatchObject({ description })
  })
})

describe('a folder', () => {
  it('with a site file is that site', async () => {
    const site = 'routes: { /: { respond: x } }'
    const { description } = await found({ 'site.yaml': site, 'wsgi.py': FLASK, 'index.html': '' })
    expect(description).toBe('site file <here>/site.yaml')
    expect((await found({ 'portico.yaml': site })).description).toBe(
      'site file <here>/portico.yaml',
    )
  })

  it('with wsgi.py', async () => {
    expect(await found({ 'wsgi.py': FLASK, 'app.py': FLASK })).toMatchObject({
      description: 'WSGI application wsgi:app',
      routes: [APP],
      apps: ['wsgi:app in <here>'],
      warnings: [],
    })
  })

  it('of a Django project, beside its settings or above them', async () => {
    const plain = { 'manage.py': DJANGO, 'mysite/wsgi.py': DJANGO_WSGI, 'mysite/settings.py': '' }
    expect(await found(plain)).toMatchObject({
      description: 'Django project: mysite.wsgi:application',
      routes: [APP],
    })
    const nested = {
      'manage.py': DJANGO.replace('mysite.settings', 'config.settings.production'),
      'config/wsgi.py': DJANGO_WSGI,
      'mysite/other/wsgi.py': DJANGO_WSGI,
    }
    expect((await found(nested)).apps).toEqual(['config.wsgi:application in <here>'])
    expect(await refused({ 'manage.py': DJANGO, 'mysite/settings.py': '' })).toEqual(
      [
        '<here>/manage.py: this Django project has no wsgi.py; expected a wsgi.py beside its settings',
      ].map((line) => expect.stringContaining(line.slice('<here>'.length))),
    )
  })

  it.each([
    ['app = Flask(__name__)', 'app'],
    ['application: Any = make()', 'application'],
    ['app = make()\napplication = app', 'application'],
    ['def application(environ, start_response):\n  pass', 'application'],
    ['class app:\n  pass', 'app'],
    ['from shop import create, app', 'app'],
    ['from shop import make as application', 'application'],
    ['from shop import (app)', 'app'],
  ])('with app.py that says %j', async (text, callable) => {
    expect((await found({ 'app.py': text })).apps).toEqual([`app:${callable} in <here>`])
  })

  it.each(['  app = 1', 'app == 2', 'apple = 3', 'from shop import app as thing', '# app = 1'])(
    'with app.py that says %j is only files',
    async (text) => {
      expect(await found({ 'app.py': text })).toMatchObject({ apps: [], routes: [{ list: true }] })
    },
  )

  it('serves the files beside an application', async () => {
    const { routes, description } = await found({ 'main.py': FLASK, 'static/': '', 'public/': '' })
    expect(routes).toEqual([{ path: '/static/', files: '<here>/static', list: false }, APP])
    expect(description).toContain('main:app, with the files of <here>/static below /static/')
    expect((await found({ 'main.py': FLASK, 'public/': '' })).routes[0]).toMatchObject({
      files: '<here>/public',
    })
  })

  it('with wsgi.py in its one package', async () => {
    expect((await found({ 'shop/wsgi.py': DJANGO_WSGI })).apps).toEqual([
      'shop.wsgi:application in <here>',
    ])
    const two = await found({ 'shop/wsgi.py': DJANGO_WSGI, 'blog/wsgi.py': DJANGO_WSGI })
    expect(two.apps).toEqual([])
  })

  it('of files', async () => {
    expect(await found({ 'index.html': 'hello' })).toMatchObject({
      description: 'files of <here>',
      routes: [{ path: '/', files: '<here>', list: false }],
    })
    expect(await found({ 'a.txt': '' })).toMatchObject({ routes: [{ list: true }] })
    expect(await found({ 'public/index.html': '', 'package.json': '{}' })).toMatchObject({
      routes: [{ files: '<here>/public', list: false }],
    })
  })

  it.each<[string, Record<string, string>, string, object[]]>([
    ['PHP', { 'index.php': '' }, 'PHP application in <here>', [APP]],
    [
      'a PHP framework',
      { 'public/index.php': '', 'package.json': '{}', 'composer.json': '{}' },
      'PHP application in <here>/public',
      [APP],
    ],
    [
      'PHP scripts beside pages',
      { 'index.html': '', 'contact.php': '' },
      'PHP application in <here>',
      [APP],
    ],
    [
      'PHP and CGI programs',
      { 'htdocs/mail.php': '', 'cgi-bin/': '' },
      'PHP application in <here>/htdocs, with the CGI programs of <here>/cgi-bin',
      [{ path: '/cgi-bin/', kind: 'cgi' }, APP],
    ],
    [
      'CGI programs in the document root of PHP',
      { 'index.php': '', 'cgi-bin/': '' },
      'PHP application in <here>, with the CGI programs of <here>/cgi-bin',
      [{ path: '/cgi-bin/', kind: 'cgi' }, APP],
    ],
    [
      'a fetch handler',
      { 'package.json': '{}', 'index.ts': 'export default { fetch: () => new Response() }' },
      'Node application <here>/index.ts',
      [APP],
    ],
    [
      'a program that its package starts',
      {
        'package.json': '{"scripts":{"start":"node --enable-source-maps bin/www"}}',
        'bin/www': '',
      },
      'Node application <here>/bin/www',
      [APP],
    ],
    [
      'a main module and public files',
      {
        'package.json': '{"main":"lib/web"}',
        'lib/web.js': 'require("http").createServer()',
        'lib/public/': '',
      },
      'Node application <here>/lib/web.js, with the files of <here>/lib/public below /public/',
      [{ path: '/public/', files: '<here>/lib/public', list: false }, APP],
    ],
    ['PSGI', { 'app.psgi': '' }, 'PSGI application app.psgi', [APP]],
    [
      'WordPress, whose uploads are no programs',
      { 'index.php': '', 'wp-content/uploads/': '' },
      'PHP application in <here>',
      [APP],
    ],
    ['Rack', { 'config.ru': '', 'package.json': '{}' }, 'Rack application config.ru', [APP]],
    [
      'CGI programs',
      { 'cgi-bin/': '', 'htdocs/': '' },
      'CGI programs of <here>/cgi-bin, with the files of <here>/htdocs',
      [
        { path: '/cgi-bin/', kind: 'cgi' },
        { path: '/', files: '<here>/htdocs', list: false },
      ],
    ],
    [
      'CGI programs alone',
      { 'cgi-bin/': '' },
      'CGI programs of <here>/cgi-bin',
      [{ path: '/cgi-bin/', kind: 'cgi' }],
    ],
  ])('with %s', async (_, files, description, routes) => {
    expect(await found(files)).toMatchObject({ description, routes, warnings: [] })
  })

  it('with a Node package whose program is not seen is not shown as files', async () => {
    const library = { 'package.json': '{}', 'index.js': 'module.exports = 1' }
    expect(await refused(library)).toEqual([
      expect.stringMatching(
        /package\.json: a Node package, and no program in it is recognized; expected portico serve .*server\.js, or "main"/,
      ),
    ])
    const page = { ...library, 'index.html': '' }
    expect((await found(page)).routes).toEqual([{ path: '/', files: '<here>', list: false }])
  })

  it.each<[string, Record<string, string>, string]>([
    ['asgi.py', { 'asgi.py': '' }, 'asgi:application'],
    ['FastAPI', { 'main.py': 'from fastapi import FastAPI\napp = FastAPI()\n' }, 'main:app'],
    ['a coroutine', { 'app.py': 'async def app(scope, receive, send): ...' }, 'app:app'],
    ['a package', { 'shop/asgi.py': DJANGO_ASGI }, 'shop.asgi:application'],
  ])('with an ASGI application: %s', async (_, files, name) => {
    expect(await found(files)).toMatchObject({
      description: `ASGI application ${name}`,
      routes: [APP],
      apps: [`${name} in <here>`],
      warnings: [],
    })
  })

  it('of a Django project is WSGI where it can be', async () => {
    const files = { 'manage.py': DJANGO, 'mysite/settings.py': '', 'mysite/asgi.py': DJANGO_ASGI }
    expect((await found(files)).apps).toEqual(['mysite.asgi:application in <here>'])
    expect((await found({ ...files, 'mysite/wsgi.py': DJANGO_WSGI })).apps).toEqual([
      'mysite.wsgi:application in <here>',
    ])
  })
})

describe('a name', () => {
  it.each(['create_app()', "factories.create('a:b', debug=True)"])(
    'is a factory: %s',
    async (call) => {
      const { apps } = await found({ 'shop.py': '' }, `shop:${call}`)
      expect(apps).toEqual([`shop:${call} in <here>`])
    },
  )

  it('is module:callable, as with Gunicorn', async () => {
    const files = { 'shop/__init__.py': '', 'shop/web.py': FLASK, 'hello.py': DJANGO_WSGI }
    expect((await found(files, 'shop.web:app')).apps).toEqual(['shop.web:app in <here>'])
    expect((await found(files, 'shop.web:app.wsgi_app')).apps).toEqual([
      'shop.web:app.wsgi_app in <here>',
    ])
    expect((await found(files, 'hello')).apps).toEqual(['hello:application in <here>'])
    expect((await found(files, 'shop.web')).apps).toEqual(['shop.web:app in <here>'])
    expect((await found(files, 'hello.py')).apps).toEqual(['hello:application in <here>'])
  })

  it('of a module elsewhere is taken, with a warning', async () => {
    expect(await found({}, 'installed:app')).toMatchObject({
      apps: ['installed:app in <here>'],
      warnings: ['no module "installed" in <here>: it has to be installed'],
    })
  })

  it('that is nearly right is refused', async () => {
    const files = { 'hello.py': FLASK, 'site.yaml': '' }
    expect(await refused(files, 'helo:app')).toEqual([
      '<here>: no module "helo" here; did you mean "hello"?',
    ])
    expect(await refused(files, 'sit.yaml')).toEqual([
      '<here>/sit.yaml: no such file or folder; did you mean "site.yaml"?',
    ])
    expect(await refused(files, './nothing/here')).toEqual([
      '<here>/nothing/here: no such file or folder; expected a site file, a folder, or module:callable',
    ])
    expect(await refused(files, 'hello.py:app')).toEqual([
      '<here>/hello.py:app: a module is named without .py; expected "hello:app"',
    ])
    expect(await refused(files, 'hello:create app')).toEqual([
      expect.stringContaining('"create app" is not the name of a callable'),
    ])
    expect(await refused({ 'notes.txt': '' }, 'notes.txt')).toEqual([
      '<here>/notes.txt: this is no site file; expected a name that ends in .yaml, .json, .ts, .js, .psgi, .ru or .py',
    ])
    expect(await refused({ 'a.php': '' }, 'a.php')).toEqual([
      '<here>/a.php: this is no site file; expected the folder of the PHP application',
    ])
  })
})
