/** Process launches/s: CGI programs that print 14 bytes, of C and of the shell. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HELLO } from '../harness/expected.ts'
import type { Bench, Scenario } from '../harness/scenario.ts'
import { throughput } from '../harness/throughput.ts'
import { nginxFcgiwrap } from '../rivals/nginx-fcgiwrap.ts'
import { portico } from '../rivals/portico.ts'

const C = `#include <stdio.h>
int main(void) { fputs("Content-Type: text/plain\\n\\nHello, world!\\n", stdout); return 0; }
`
const SHELL = `#!/bin/sh
printf 'Content-Type: text/plain\\n\\nHello, world!\\n'
`

export const cgiC: Scenario = scenario('cgi-c', 'A program in C', (program) => {
  writeFileSync(`${program}.c`, C)
  execFileSync('cc', ['-O2', '-o', program, `${program}.c`])
})

export const cgiShell: Scenario = scenario('cgi-sh', 'A shell script', (program) => {
  writeFileSync(program, SHELL)
  chmodSync(program, 0o755)
})

function scenario(name: string, what: string, make: (program: string) => void): Scenario {
  return throughput({
    name,
    title: `${what} that prints 14 bytes, started anew for every request; at most 8 at a time, 8 keep-alive connections.`,
    rivals: [portico, nginxFcgiwrap],
    reference: nginxFcgiwrap.name,
    connections: 8,
    prepare(bench: Bench) {
      const root = join(bench.scratch, name)
      mkdirSync(root, { recursive: true })
      make(join(root, 'hello'))
      const site = { kind: 'cgi', root, programs: 8 } as const
      return { site, expected: { ...HELLO, path: '/hello' } }
    },
  })
}
