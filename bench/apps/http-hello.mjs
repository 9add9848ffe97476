/* The smallest server of Node alone. */
import { createServer } from 'node:http'

createServer((_request, response) => {
  response.setHeader('Content-Type', 'text/plain;charset=UTF-8')
  response.end('Hello, world!\n')
}).listen(Number(process.env.PORT), '127.0.0.1')
