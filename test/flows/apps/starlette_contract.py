"""The contract of `frameworks.test.ts`, kept with Starlette."""
import asyncio
import hashlib

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

done = []


async def index(request):
    return PlainTextResponse("Hello from starlette")


async def form(request):
    return PlainTextResponse("name=" + (await request.form())["name"])


async def upload(request):
    file = (await request.form())["file"]
    found, size = hashlib.sha256(), 0
    while chunk := await file.read(65536):
        found.update(chunk)
        size += len(chunk)
    return PlainTextResponse("%s %d %s" % (file.filename, size, found.hexdigest()))


async def cookie(request):
    count = str(int(request.cookies.get("count", "0")) + 1)
    response = PlainTextResponse(count)
    response.set_cookie("count", count)
    return response


async def redirect(request):
    return RedirectResponse("/", status_code=302)


async def numbers():
    for number in range(5):
        yield "%d\n" % number
        await asyncio.sleep(0.001)


async def stream(request):
    return StreamingResponse(numbers(), media_type="text/plain")


async def error(request):
    raise RuntimeError("on purpose, in starlette")


async def file(request):
    return FileResponse(request.query_params["path"])


async def endless(request):
    async def ticks():
        try:
            while True:
                yield "tick\n"
                await asyncio.sleep(0.01)
        finally:
            done.append("endless")

    return StreamingResponse(ticks())


async def later():
    await asyncio.sleep(0.3)
    done.append("background")


async def background(request):
    return PlainTextResponse("at once", background=BackgroundTask(later))


async def told(request):
    return PlainTextResponse(" ".join(done))


async def echo(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


views = (form, upload, cookie, redirect, stream, error, file, endless, background, told)
application = Starlette(
    routes=[Route("/", index)]
    + [Route("/" + view.__name__, view, methods=["GET", "POST"]) for view in views]
    + [WebSocketRoute("/echo", echo)]
)
