/** The same as a fetch handler in Node. */
import { openSync, readFileSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'

const version = readFileSync('version', 'utf8')
const journal = openSync('journal', 'a')

export default {
  async fetch(request) {
    const query = new URL(request.url).searchParams
    const number = query.get('n') ?? ''
    if (number !== '') writeSync(journal, `${number} ${process.pid}\n`)
    const body = new Uint8Array(await request.arrayBuffer())
    await sleep(2)
    const told = `${number} v${version} ${body.length} ${crc32(body)}\n`
    return new Response(told + '.'.repeat(Number(query.get('more') ?? 0)))
  },
}
