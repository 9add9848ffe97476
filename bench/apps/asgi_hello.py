"""The smallest honest ASGI application: a fixed text with its length, each message made anew."""


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [[b"content-type", b"text/plain"], [b"content-length", b"14"]],
        }
    )
    await send({"type": "http.response.body", "body": b"Hello, world!\n"})


async def lifespan(receive, send):
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": "lifespan.%s.complete" % phase})
