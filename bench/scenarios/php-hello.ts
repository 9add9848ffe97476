/** The smallest PHP page, from php-fpm with the same children behind us and behind nginx. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HELLO } from '../harness/expected.ts'
import type { Scenario } from '../harness/scenario.ts'
import { throughput } from '../harness/throughput.ts'
import { nginxPhpFpm } from '../rivals/nginx-php-fpm.ts'
import { portico } from '../rivals/portico.ts'

export const phpHello: Scenario = throughput({
  name: 'php-hello',
  title: 'An index.php that prints 14 bytes; php-fpm with 2 children, 32 keep-alive connections.',
  rivals: [portico, nginxPhpFpm],
  reference: nginxPhpFpm.name,
  connections: 32,
  prepare(bench) {
    const root = join(bench.scratch, 'php')
    mkdirSync(root, { recursive: true })
    // php-fpm runs as another user when started as root.
    for (const folder of [bench.scratch, root]) chmodSync(folder, 0o755)
    writeFileSync(
      join(root, 'index.php'),
      '<?php header("Content-Type: text/plain"); echo "Hello, world!\\n";\n',
    )
    return { site: { kind: 'php', root, workers: 2 }, expected: HELLO }
  },
})
