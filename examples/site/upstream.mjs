/** Another server that is already there; the site file's `/upstream/` is proxied to it. */
import { createServer } from 'node:http'

createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(
    `This is the upstream.\n${request.method} ${request.url}\nvisitor ${request.headers['x-forwarded-for'] ?? 'unknown'}\n`,
  )
}).listen(8081, '127.0.0.1')
