/** Placeholders, blocks, includes and sections against the real uWSGI: `--show-config`. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inFolder, ours, theirs } from './effective.ts'

const ENVIRONMENT = { HOME: '/home/shop', STAGE: 'production' }

interface Both {
  readonly ours: readonly string[]
  readonly theirs: readonly string[]
  readonly problems: readonly string[]
}

/** Without the option that names the file, which ours is not given as one. */
function both(files: Readonly<Record<string, string>>): Both {
  return inFolder(files, (folder, first) => {
    const expected = theirs(folder, first, ENVIRONMENT)
    const found = ours(folder, first, ENVIRONMENT)
    return {
      ours: found.options,
      problems: found.problems,
      theirs: expected.filter((line) => !line.endsWith(`= ${first}`)),
    }
  })
}

const INI: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'keys, values, comments and blanks': {
    'a.ini': `; a comment
[uwsgi]
# another
foo = bar
  indented\t=  x  y \t
emptykey
emptyval =
eq = a=b=c
quoted = "abc"
with = x ; no comment here
line\\
cont = x
[other]
not = mine
[uwsgi]
again = yes
again = and again`,
  },
  'magic variables': {
    'deep/er/my.app.ini':
      '[uwsgi]\na = %d|%p|%n|%s|%c|%e|%v|%o|%x|%0|%1|%2\nb = %h %u %U %g %G %k %j\nc = %f%z%q %%\nd = 100%\ne = joined\nf = %(_)\n',
  },
  'placeholders and sums': {
    'a.ini': `[uwsgi]
base = /srv
set-placeholder = ph=hello
set = st=12
a = %(base)/x/%(ph) %(nosuch)
b = %(st + 3) %(st base) %(st ++) %(st --) %(st * 2 - 1) %(st / 5) %(st / 0) %(nosuch + 1)
c = %(later)
later = %(base)
d = %(c)
e = %(base
f = x%(base)y%(ph)z`,
  },
  'the environment and files': {
    'a.ini': '[uwsgi]\na = $(HOME) $(NOPE) x$(HOME)y$(STAGE)\nb = @(one.txt)!\nc = $(HOME)-%(a)\n',
    'one.txt': 'the text',
  },
  loops: {
    'a.ini': `[uwsgi]
for = one two  three
v = val-%(_) %(_)
w = plain
endfor =
for-times = 3
t = %(_)
end-for
for-glob = glob/*.txt
g = %(_)
endfor
for-glob = glob/nothing*
n = %(_)
endfor
for-readline = lines.txt
l = <%(_)>
endfor`,
    'lines.txt': 'one\ntwo words\n\nlast',
    'glob/b.txt': '',
    'glob/a.txt': '',
    'glob/dir.txt/x': '',
  },
  conditions: {
    'a.ini': `[uwsgi]
foo = bar
if-env = HOME
a = home-%(_)
endif =
if-env = NOPE
b = no
endif
if-env = STAGE=production
c = %(_)
endif
if-env = STAGE=test
c = no
endif
if-not-env = NOPE
d = yes
endif
if-not-env = STAGE=production
d = no
end-if
if-file = there.txt
e = %(_)
endif
if-file = /etc
e = no
endif
if-dir = /etc
f = %(_)
endif
if-not-dir = /etc
f = no
endif
if-not-file = nope
g = %(_)
endif
if-exists = there.txt
h = %(_)
endif
if-not-exists = there.txt
h = no
endif
if-opt = foo=bar
i = %(_)
endif
if-opt = foo=baz
i = no
endif
if-not-opt = nope
j = yes
endif
if-not-opt = foo
j = no
endif
if-reload
k = no
endif
if-not-reload
k = yes
endif`,
    'there.txt': '',
  },
  'files that include others': {
    'a.ini': `[uwsgi]
first = 1
include = b.ini
between = 2
ini = b.ini:sec
last = 9
inherit = c.ini`,
    'b.ini': '[uwsgi]\nb = %n %(first) %(last)\n[sec]\nb2 = %x\n',
    'c.ini': '[uwsgi]\nc = %(last) $(HOME) %n\n',
  },
}

describe('INI is read as uWSGI reads it', () => {
  it.each(Object.keys(INI))('%s', (name) => {
    const found = both(INI[name]!)
    expect(found.ours).toEqual(found.theirs)
  })

  // Without values that refer to themselves: with these uWSGI never ends.
  it('whatever is in it', () => {
    const line = fc.oneof(
      fc.constantFrom('[uwsgi]', '[x]', '', ' ', ';c', '#c = d', 'endif', 'endfor', 'end-if ='),
      fc.constantFrom(
        'if-env = HOME',
        'if-env = NOPE',
        'for = a b',
        'for-times = 2',
        'if-opt = k1',
      ),
      fc
        .tuple(
          fc.constantFrom('k1', 'k2', ' k3 ', 'k 4'),
          fc.constantFrom('=', ' = ', ''),
          fc.array(
            fc.constantFrom(
              'a',
              ' ',
              '%(k0)',
              '%(k0 + 1)',
              '%(_)',
              '$(HOME)',
              '$(',
              '%n',
              '%',
              ')',
              '=',
            ),
            { maxLength: 5 },
          ),
        )
        .map(([key, equals, parts]) => `${key}${equals}${parts.join('')}`),
    )
    const file = fc.array(line, { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(file, (lines) => {
        const found = both({ 'fuzz.ini': `[uwsgi]\nk0 = 1\n${lines.join('\n')}\n[end]\n` })
        // What uWSGI refuses, it does not show.
        if (!found.theirs.includes('k0 = 1')) expect(found.problems).not.toEqual([])
        else expect(found.ours).toEqual(found.theirs)
      }),
      { numRuns: 60 },
    )
  })
})

describe('YAML and JSON', () => {
  it('are read as uWSGI reads them', () => {
    const yaml = `# comment
uwsgi:
  socket: 127.0.0.1:0
  master: true
  workers: 3
  env:
    - A=1
    - B=2
  foo: "%n"
  version-of: 1.50
  off: false
other:
  socket: x
`
    expect(both({ 'a.yaml': yaml })).toSatisfy(same)
    const json = '{"uwsgi":{"socket":["a","b"],"workers":3,"foo":"%n"},"other":{"x":1}}'
    expect(both({ 'a.json': json })).toSatisfy(same)
  })
})

function same(found: Both): boolean {
  expect(found.ours).toEqual(found.theirs)
  return true
}
