/**
 * The newest Flask and Django of PyPI, in a virtual environment that the site file names: what a user
 * has who installs neither from Debian.
 */
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Portico } from '../flows/support/portico.ts'
import { Visitor } from '../flows/support/visitor.ts'
import { makeVenv } from './venv.ts'

const FLASK = `
import flask
from importlib.metadata import version
app = flask.Flask(__name__)

@app.get("/")
def hello():
    return {"flask": version("flask"), "path": flask.__file__}
`

const DJANGO = `
import django
from django.conf import settings
from django.http import JsonResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
django.setup()
urlpatterns = [path("", lambda request: JsonResponse({"django": django.__version__, "path": django.__file__}))]

from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
`

let folder = ''
let venv = ''

beforeAll(() => {
  ;({ folder, venv } = makeVenv(['flask', 'django']))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.each([
  { name: 'flask', file: 'app.py', code: FLASK, target: 'app:app' },
  { name: 'django', file: 'wsgi.py', code: DJANGO, target: 'wsgi:application' },
])('the newest $name', async ({ name, file, code, target }) => {
  await using portico = await Portico.serve(
    { [file]: code, 'site.yaml': site(target) },
    { args: ['--workers', '2'] },
  )
  await portico.settled()
  using visitor = await Visitor.to(portico.port)
  const reply = await visitor.ask('/')
  expect(reply.status).toBe(200)
  const told: Record<string, string> = JSON.parse(reply.text)
  expect(told[name]).toMatch(/^[0-9]+\.[0-9]/)
  expect(told.path).toContain(venv)
})

function site(target: string): string {
  return `
listen: "127.0.0.1:0"
routes: { /: { app: one } }
apps: { one: { python: "${target}", venv: ${venv} } }
`
}
