/** Configurations as people have them, with small applications of the same shape. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'

const CASES = join(import.meta.dirname, '../cases')

/** In configurations: the folder of the site. */
const ROOT = /@ROOT@/g

export interface Case {
  /** Beside the configuration. */
  readonly files: Readonly<Record<string, string>>
  /** A path, and what its answer holds. */
  readonly asks: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  /** In place of `serve FILE`. */
  readonly command?: readonly string[]
}

/** Tells its name, where it runs, and what it was asked. */
const WSGI = (name: string, callable = 'application'): string => `
import os
def ${callable}(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    facts = ["${name}", os.getcwd(), environ["SCRIPT_NAME"], environ["PATH_INFO"]]
    facts += [os.environ.get(key, "") for key in ("STAGE", "DEBUG", "NUMBER_2", "LANG", "DJANGO_ENV")]
    return ["|".join(facts).encode()]
`

/** Tells what it finds of uWSGI's. */
const SHOP = `
import time
import uwsgi
import uwsgidecorators

@uwsgidecorators.spool
def mail(task):
    pass

def feed():
    time.sleep(60)

def answering(name):
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        facts = ["shop", name, int(uwsgi.opt["spooler-processes"]), uwsgi.opt["shop-name"].decode()]
        return [" ".join(map(str, facts)).encode()]
    return application

app, admin = answering("app"), answering("admin")
`

export const UWSGI: Readonly<Record<string, Case>> = {
  django: {
    files: { 'mysite/__init__.py': '', 'mysite/wsgi.py': WSGI('django') },
    asks: { '/polls/': 'django|@ROOT@||/polls/' },
  },
  flask: {
    files: {
      'wsgi.py':
        'from flask import Flask\napp = Flask(__name__)\n@app.get("/")\ndef hello():\n    return "flask"\n',
    },
    asks: { '/': 'flask' },
  },
  keystone: {
    files: { 'bin/keystone-wsgi-public': `#!/usr/bin/python3\n${WSGI('keystone')}` },
    asks: { '/v3': 'keystone|@ROOT@||/v3' },
  },
  mediawiki: {
    files: { 'mediawiki/index.php': '<?php echo "wiki ", date_default_timezone_get();' },
    asks: { '/': 'wiki Europe/Berlin', '/index.php?title=Main': 'wiki' },
  },
  netbox: {
    files: {
      'netbox/netbox/__init__.py': '',
      'netbox/netbox/wsgi.py': WSGI('netbox'),
      'netbox/netbox/static/a.css': 'a {}',
    },
    asks: { '/dcim/': 'netbox|@ROOT@/netbox||/dcim/', '/static/a.css': 'a {}' },
  },
  graphite: {
    files: {
      'conf/graphite.wsgi': `import graphite_settings\n${WSGI('graphite')}`,
      'conf/graphite_settings.py': '',
    },
    asks: { '/render': 'graphite|@ROOT@||/render' },
  },
  searx: {
    files: {
      'searx-src/searx/__init__.py': '',
      'searx-src/searx/webapp.py': WSGI('searx', 'app'),
      'searx-src/searx/static/a.js': 'let a',
    },
    asks: { '/search': 'C.UTF-8', '/static/a.js': 'let a' },
  },
  mailman3: {
    files: {
      'web/wsgi.py': WSGI('mailman'),
      'web/manage.py':
        'import sys, time\nprint("manage", sys.argv[1], flush=True)\ntime.sleep(60)\n',
    },
    asks: { '/mailman3/': 'mailman|@ROOT@/web||/mailman3/' },
  },
  tiangolo: {
    files: {
      'app/uwsgi.ini': '[uwsgi]\nmodule = main\ncallable = app\nchdir = %d\n',
      'app/main.py': WSGI('tiangolo', 'app'),
    },
    asks: { '/': 'tiangolo|@ROOT@/app' },
    env: { UWSGI_INI: '@ROOT@/app/uwsgi.ini', UWSGI_CHEAPER: '2', UWSGI_PROCESSES: '3' },
    command: ['uwsgi', '--ini', 'tiangolo.ini', '--die-on-term', '--need-app'],
  },
  vassal: {
    files: { 'vassal/vassal.py': WSGI('vassal', 'app') + WSGI('admin', 'admin') },
    asks: {
      '/x': 'vassal|@ROOT@/vassal||/x|test|test-vassal|2',
      '/admin/y': 'admin|@ROOT@/vassal|/admin|/y',
    },
    env: { STAGE: 'test' },
  },
  background: {
    files: { 'shop.py': SHOP },
    asks: { '/': 'shop app 4', '/admin/': 'shop admin 4' },
  },
}

const ASGI = `
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"asgi " + scope["path"].encode()})
`

export const GUNICORN: Readonly<Record<string, Case>> = {
  django: {
    files: { 'mysite/__init__.py': '', 'mysite/wsgi.py': WSGI('django') },
    asks: { '/': '|production' },
  },
  flask: {
    files: {
      'wsgi.py':
        'from flask import Flask\ndef create_app(name):\n    app = Flask(__name__)\n    app.get("/")(lambda: name)\n    return app\n',
    },
    asks: { '/': 'a flask' },
  },
  fastapi: { files: { 'main.py': ASGI }, asks: { '/items': 'asgi /items' } },
  netbox: {
    files: { 'netbox/netbox/__init__.py': '', 'netbox/netbox/wsgi.py': WSGI('netbox') },
    asks: { '/': 'netbox|@ROOT@/netbox' },
  },
  hooks: { files: { 'shop.py': WSGI('shop') }, asks: { '/a?b=c': 'shop' } },
}

export function configuration(server: 'uwsgi' | 'gunicorn', name: string, end: string): string {
  return readFileSync(join(CASES, server, `${name}${end}`), 'utf8')
}

export function atRoot(text: string, root: string): string {
  return text.replace(ROOT, root).replace('@CORES@', String(availableParallelism()))
}

/** Writes a case into `root`, where everybody may read it. */
export function writeCase(one: Case, root: string, more: Readonly<Record<string, string>>): void {
  chmodSync(root, 0o755)
  for (const [name, text] of Object.entries({ ...one.files, ...more })) {
    const path = join(root, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, atRoot(text, root))
  }
}
