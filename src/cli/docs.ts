/** `portico docs`: the reference of the site file, for people (Markdown) and editors (JSON Schema). */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'

interface Options {
  readonly schema?: true
  readonly markdown?: true
  readonly write?: string
}

const EXAMPLES = `
Examples:
  portico docs                                  the reference, as Markdown
  portico docs --schema > site.schema.json      the JSON Schema, for an editor
  portico docs --write docs                     both and the metrics, as files in docs/
`

export function docsCommand(program: Command): void {
  program
    .command('docs')
    .description('print the reference of the site file')
    .option('--markdown', 'as Markdown (the default)')
    .option('--schema', 'as JSON Schema')
    .option('--json', 'the same as --schema')
    .option(
      '--write <dir>',
      'write site-file.md, site.schema.json, metrics.md and dropin.md into this folder',
    )
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options & { json?: true }) => {
      const { jsonSchema, markdown } = await import('../site/reference.ts')
      const schema = (): string => `${JSON.stringify(jsonSchema(), null, 2)}\n`
      if (options.write === undefined) {
        const wantsSchema = (options.schema ?? options.json ?? false) && options.markdown !== true
        process.stdout.write(wantsSchema ? schema() : markdown())
        return
      }
      mkdirSync(options.write, { recursive: true })
      writeFileSync(join(options.write, 'site-file.md'), markdown())
      writeFileSync(join(options.write, 'site.schema.json'), schema())
      const { metricsMarkdown } = await import('../stats/reference.ts')
      writeFileSync(join(options.write, 'metrics.md'), metricsMarkdown())
      const { dropInMarkdown } = await import('../import/reference.ts')
      writeFileSync(join(options.write, 'dropin.md'), dropInMarkdown())
    })
}
