"""The contract of `frameworks.test.ts`, kept with FastAPI, in part by functions in threads."""
import hashlib

from fastapi import Cookie, FastAPI, Request, Response, WebSocket
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse

application = FastAPI()


@application.get("/", response_class=PlainTextResponse)
@application.head("/", response_class=PlainTextResponse)
def index():
    return "Hello from fastapi"


@application.post("/form", response_class=PlainTextResponse)
async def form(request: Request):
    return "name=" + (await request.form())["name"]


@application.post("/upload", response_class=PlainTextResponse)
async def upload(request: Request):
    file = (await request.form())["file"]
    data = await file.read()
    return "%s %d %s" % (file.filename, len(data), hashlib.sha256(data).hexdigest())


@application.get("/cookie", response_class=PlainTextResponse)
def cookie(response: Response, count: int = Cookie(0)):
    response.set_cookie("count", str(count + 1))
    return str(count + 1)


@application.get("/redirect")
def redirect():
    return RedirectResponse("/", status_code=302)


@application.get("/stream")
def stream():
    return StreamingResponse(("%d\n" % number for number in range(5)), media_type="text/plain")


@application.get("/error")
def error():
    raise RuntimeError("on purpose, in fastapi")


@application.websocket("/echo")
async def echo(websocket: WebSocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)
