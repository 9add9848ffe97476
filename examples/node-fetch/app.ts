/**
 * A fetch handler: `portico serve examples/node-fetch`. The standard Request and Response, TypeScript as
 * it is, nothing imported.
 *
 *     curl localhost:8080/                    who you are
 *     curl localhost:8080/clock               events, as they happen
 *     curl -T README.md localhost:8080/loud   a stream up, and down again
 *
 * `/chat` is a WebSocket; the page at `/chat.html` talks to it.
 */

/** What Portico gives beside the request. */
interface Server {
  requestIP(request: Request): { address: string } | null
  upgrade(request: Request, options?: { data?: unknown }): boolean
}

interface Socket {
  readonly data: string
  send(message: string): void
}

const PAGE = `<!doctype html><title>Chat</title><ul id=said></ul><form><input autofocus></form><script>
const socket = new WebSocket(location.href.replace(/^http/, 'ws').replace('.html', ''))
socket.onmessage = ({ data }) => { said.append(Object.assign(document.createElement('li'), { textContent: data })) }
document.forms[0].onsubmit = () => { const [input] = document.forms[0]; socket.send(input.value); input.value = ''; return false }
</script>`

const sockets = new Set<Socket>()

function clock(signal: AbortSignal): Response {
  const encoder = new TextEncoder()
  const body = new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 1000))
      controller.enqueue(encoder.encode(`data: ${new Date().toISOString()}\n\n`))
      if (signal.aborted) controller.close()
    },
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

function loud(request: Request): Response {
  const upper = new TransformStream<string, string>({
    transform: (text, controller) => controller.enqueue(text.toUpperCase()),
  })
  const body = request.body
    ?.pipeThrough(new TextDecoderStream())
    .pipeThrough(upper)
    .pipeThrough(new TextEncoderStream())
  return new Response(body ?? null)
}

export default {
  async fetch(request: Request, server: Server): Promise<Response | undefined> {
    const { pathname } = new URL(request.url)
    const who = server.requestIP(request)?.address ?? 'somebody'
    switch (pathname) {
      case '/':
        return Response.json({ who, agent: request.headers.get('user-agent') })
      case '/clock':
        return clock(request.signal)
      case '/loud':
        return loud(request)
      case '/chat.html':
        return new Response(PAGE, { headers: { 'content-type': 'text/html; charset=utf-8' } })
      case '/chat':
        if (server.upgrade(request, { data: who })) return undefined
        return new Response('a WebSocket lives here\n', { status: 426 })
      default:
        return new Response('not here\n', { status: 404 })
    }
  },

  /** With several workers, each has its own sockets: a real chat would need something between them. */
  websocket: {
    open(socket: Socket): void {
      sockets.add(socket)
    },
    message(socket: Socket, message: string): void {
      for (const each of sockets) each.send(`${socket.data}: ${message}`)
    },
    close(socket: Socket): void {
      sockets.delete(socket)
    },
  },
}
