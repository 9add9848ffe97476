"""A whole ASGI application without a framework: a page, a WebSocket, a stream of events.

`portico serve examples/asgi`, then open http://localhost:8080/ in a browser.
"""
import asyncio
import time

PAGE = b"""<!doctype html>
<meta charset="utf-8">
<title>Echo</title>
<h1>Echo</h1>
<form><input autofocus placeholder="Say something"> <button>Send</button></form>
<ol></ol>
<p>The server's clock: <time>\xe2\x80\xa6</time></p>
<script>
  const here = location.pathname.replace(/[^/]*$/, '')
  const socket = new WebSocket(location.origin.replace('http', 'ws') + here + 'echo')
  const input = document.querySelector('input')
  document.querySelector('form').onsubmit = (event) => {
    event.preventDefault()
    socket.send(input.value)
    input.value = ''
  }
  socket.onmessage = ({ data }) => {
    const item = document.createElement('li')
    item.textContent = data
    document.querySelector('ol').append(item)
  }
  new EventSource(here + 'clock').onmessage = ({ data }) => {
    document.querySelector('time').textContent = data
  }
</script>
"""


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["path"].endswith("/clock"):
        await clock(send)
    else:
        await answer(send, 200, b"text/html; charset=utf-8", PAGE)


async def lifespan(receive, send):
    """Connections to a database would be opened and closed here."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


async def clock(send):
    """Server-sent events. When the visitor has left, `send` raises an OSError, which ends this."""
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while True:
        event = "data: %s\n\n" % time.strftime("%H:%M:%S")
        await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
        await asyncio.sleep(1)


async def answer(send, status, kind, body):
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
