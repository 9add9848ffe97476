/** docs/dropin.md: what becomes of every option, signal and letter of uWSGI and Gunicorn. */
import { LETTERS, type Meanings, SIGNALS } from '../supervisor/guise.ts'
import { HOOKS } from './gunicorn/hooks.ts'
import { SETTINGS } from './gunicorn/settings.ts'
import { TABLE } from './uwsgi/rules.ts'

const INTRODUCTION = `# In place of uWSGI and Gunicorn

This page is made of the program's own tables by \`portico docs --write docs\`.

| what you have | what you run |
| --- | --- |
| a configuration of uWSGI (INI, YAML, JSON) | \`portico serve app.ini\`, \`portico serve app.ini:section\` |
| uWSGI's command line | \`portico uwsgi\` in place of \`uwsgi\`: \`portico uwsgi --http :8080 --wsgi-file app.py -p 4\` |
| Gunicorn's command line, \`gunicorn.conf.py\` | \`portico gunicorn\` in place of \`gunicorn\`: \`portico gunicorn -w 4 shop.wsgi\` |
| an Emperor's folder | \`portico farm '/etc/uwsgi/vassals/*.ini'\` |

\`portico check app.ini\` (and \`portico gunicorn --print-config …\`) shows each option with its line and what
becomes of it; \`portico serve\` logs one line for each that has no effect; \`portico import app.ini\` prints
the site file that says the same, to go on from. XML is not read.

A Gunicorn or uWSGI in a virtual environment brings its Python along by its own path; Portico takes the
one that VIRTUAL_ENV names, else \`.venv\` or \`venv\` in the application's folder, else the one in PATH.

What is different on purpose:

- No reload loses a request: where uWSGI kills workers (TERM, \`R\`, \`W\`), these finish what they have in hand.
- Static files: \`static-map\` is a route, and what is not there is 404; the application is not asked for it. A folder
  that is not there yet is left out, with a warning, until a reload.
- \`mount\` is a route: the application gets the path below it, and the mount as SCRIPT_NAME, as with
  \`manage-script-name\`.
- An option that uWSGI does not know is passed over with a warning, or is an error with \`strict\`.
- \`import uwsgi\` and \`import uwsgidecorators\` work, as far as [python.md](python.md#from-uwsgi) says: caches, locks,
  signals, timers, mules and the spooler, whose tasks are jobs. What lies in the spooler's folder stays there: let uWSGI
  finish it first. Programs of mules run in the first application, also where there are more by \`mount\`.
- \`forwarded-allow-ips\`: those that are trusted tell the visitor's address too (REMOTE_ADDR), not only the scheme.
- Without \`preload_app\`, each worker imports the application by itself (\`lazy\`), as in Gunicorn.
`

export function dropInMarkdown(): string {
  return [
    INTRODUCTION,
    '## Signals\n',
    ...Object.entries(SIGNALS)
      .filter(([name]) => name !== 'portico')
      .map(([name, meanings]) => `### \`signals: ${name}\`\n\n${meaningTable(meanings)}`),
    `## The letters of a FIFO\n\n\`master-fifo\`, or \`fifo:\` in a site file: \`echo r > fifo\`.\n\n${meaningTable(LETTERS)}`,
    "## Gunicorn's settings\n",
    table(
      ['setting', 'command line', 'what becomes of it'],
      SETTINGS.filter(({ name }) => !HOOKS.some((hook) => hook.name === name)).map((setting) => [
        code(setting.name),
        setting.flags === '' ? '' : setting.flags.split(' ').map(code).join(' '),
        outcome(setting.outcome, setting.text),
      ]),
    ),
    "## Gunicorn's hooks\n\nThe warm parent stands for the arbiter; `server` and `worker` have `pid`, `log`, `cfg`, and what else Gunicorn documents.\n",
    table(
      ['hook', 'runs'],
      HOOKS.map(({ name, runs, sentence }) => [
        code(name),
        runs ? sentence : `**no**: ${sentence}`,
      ]),
    ),
    "## uWSGI's options\n",
    table(
      ['options', 'what becomes of them'],
      TABLE.map(([names, rule]) => [
        names.trim().split(' ').map(code).join(' '),
        outcome(rule.kind, rule.text),
      ]),
    ),
  ].join('\n')
}

function meaningTable(meanings: Meanings): string {
  return table(
    ['', 'does'],
    Object.entries(meanings).map(([name, { sentence }]) => [
      code(name.replace(/^SIG/, '')),
      sentence,
    ]),
  )
}

function outcome(kind: 'mapped' | 'needless' | 'unsupported', text: string): string {
  if (kind === 'mapped') return `→ ${text}`
  return kind === 'needless' ? `not needed: ${text}` : `**not supported**: ${text}`
}

function code(text: string): string {
  return `\`${text}\``
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line), ''].join('\n')
}
