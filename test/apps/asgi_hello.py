"""The smallest ASGI application, as uvicorn's documentation has it."""


async def application(scope, receive, send):
    assert scope["type"] == "http"
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [[b"content-type", b"text/plain"], [b"content-length", b"13"]],
        }
    )
    await send({"type": "http.response.body", "body": b"Hello, world!"})
