/**
 * A program that listens where PORT says, as it would anywhere: `portico serve examples/node-server`.
 * Portico has each of its workers listen on a socket of their own.
 */
const { createServer } = require('node:http')

const server = createServer((request, response) => {
  const visitor = request.headers['x-forwarded-for'] ?? request.socket.remoteAddress
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(`Hello ${visitor}, you asked worker ${process.pid} for ${request.url}\n`)
})

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`listening on port ${server.address().port}`)
})
