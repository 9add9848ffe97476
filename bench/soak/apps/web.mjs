/** The same as a program with an HTTP server of its own. */
import { openSync, readFileSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'
import { crc32 } from 'node:zlib'

const version = readFileSync('version', 'utf8')
const journal = openSync('journal', 'a')

createServer((request, response) => {
  const query = new URL(request.url, 'http://localhost').searchParams
  const number = query.get('n') ?? ''
  if (number !== '') writeSync(journal, `${number} ${process.pid}\n`)
  let length = 0
  let crc = 0
  request.on('data', (chunk) => {
    length += chunk.length
    crc = crc32(chunk, crc)
  })
  request.on('end', () => {
    const told = `${number} v${version} ${length} ${crc}\n`
    const answer = told + '.'.repeat(Number(query.get('more') ?? 0))
    response.writeHead(200, { 'Content-Length': answer.length }).end(answer)
  })
}).listen(process.env.PORT)
