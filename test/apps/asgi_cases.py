"""Everything that an ASGI server may be asked for, by path."""
import asyncio
import contextvars
import json
import os
import sys
import time

seen = []
variable = contextvars.ContextVar("variable", default="clean")


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    name = scope["path"][len(scope["root_path"]) :].strip("/").replace("-", "_").replace("/", "_")
    if scope["type"] == "websocket":
        return await globals()["ws_" + name](scope, receive, send)
    return await globals().get("do_" + name, nowhere)(scope, receive, send)


async def lifespan(scope, receive, send):
    assert (await receive()) == {"type": "lifespan.startup"}
    scope["state"]["started"] = True
    await send({"type": "lifespan.startup.complete"})
    assert (await receive()) == {"type": "lifespan.shutdown"}
    print("tidied up")
    await send({"type": "lifespan.shutdown.complete"})


async def start(send, status=200, headers=(), **more):
    await send({"type": "http.response.start", "status": status, "headers": list(headers), **more})


async def body(send, data=b"", more=False):
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def text(send, what, **more):
    await start(send, **more)
    await body(send, what if isinstance(what, bytes) else str(what).encode())


async def nowhere(scope, receive, send):
    await text(send, "not found", status=404)


def query(scope):
    return dict(item.split("=") for item in scope["query_string"].decode().split("&") if item)


async def do_scope(scope, receive, send):
    def plain(value):
        if isinstance(value, bytes):
            return {"bytes": value.decode("latin-1")}
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value

    task = asyncio.current_task()
    scope["state"]["mine"] = len(seen)
    await text(send, json.dumps({**plain(dict(scope)), "task": task is not None and task in asyncio.all_tasks()}))
    scope["headers"].append((b"spoiled", b"1"))
    scope["extensions"]["spoiled"] = 1


async def do_context(scope, receive, send):
    before = variable.get()
    variable.set("dirty")
    await text(send, before)


async def do_echo(scope, receive, send):
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message["body"])
        more = message["more_body"]
    await text(send, b"%d:" % len(pieces) + b"".join(pieces))


async def do_digest(scope, receive, send):
    import hashlib

    digest, size, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        digest.update(message["body"])
        size += len(message["body"])
        more = message["more_body"]
        await asyncio.sleep(0)
    await text(send, "%d %s" % (size, digest.hexdigest()))


async def do_unread(scope, receive, send):
    await text(send, "did not look")


async def do_first_piece(scope, receive, send):
    first = await receive()
    await start(send)
    await body(send, first["body"], True)
    rest = await receive()
    await body(send, b"|" + rest["body"], rest["more_body"])
    if rest["more_body"]:
        await body(send, b"|" + (await receive())["body"])


async def do_stream(scope, receive, send):
    size = int(query(scope)["size"])
    await start(send)
    sent = 0
    while sent < size:
        piece = b"s" * min(100_000, size - sent)
        sent += len(piece)
        await body(send, piece, True)
        seen.append(sent)
    await body(send)
    seen.append("done")


async def do_large(scope, receive, send):
    await text(send, b"L" * int(query(scope)["size"]))


async def do_steps(scope, receive, send):
    await start(send)
    for number in range(3):
        await body(send, b"%d;" % number, True)
        await asyncio.sleep(0.05)
    await body(send)


async def do_sleep(scope, receive, send):
    await asyncio.sleep(float(query(scope)["seconds"]))
    await text(send, "slept")


async def do_block(scope, receive, send):
    time.sleep(float(query(scope)["seconds"]))
    await text(send, "blocked")


async def do_after(scope, receive, send):
    await text(send, "now")
    await asyncio.sleep(float(query(scope)["seconds"]))
    seen.append("background")
    print("background done")


async def do_seen(scope, receive, send):
    await text(send, json.dumps(seen))
    seen.clear()


async def do_disconnect(scope, receive, send):
    await receive()
    message = await receive()
    seen.append(message["type"])
    await text(send, "to nobody")
    seen.append("sent")


async def do_disconnect_stream(scope, receive, send):
    await start(send)
    try:
        while True:
            await body(send, b"tick", True)
            await asyncio.sleep(0.01)
    except OSError as error:
        seen.append("OSError")
        raise


async def do_deaf(scope, receive, send):
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise


async def do_end_of_answer(scope, receive, send):
    await receive()
    await text(send, "ok")
    seen.append((await receive())["type"])


async def do_two_receivers(scope, receive, send):
    await receive()
    first = asyncio.create_task(receive())
    second = asyncio.create_task(receive())
    await asyncio.sleep(0)
    first.cancel()
    await text(send, "ok")
    seen.append((await second)["type"])


async def do_headers(scope, receive, send):
    headers = [
        (b"X-Name", b"caf\xe9"),
        [b"set-cookie", b"a=1"],
        (b"set-cookie", b"b=2"),
        (b"connection", b"keep-alive"),
        (b"transfer-encoding", b"chunked"),
        (b"date", b"today"),
        (b"server", b"mine"),
    ]
    await send({"type": "http.response.start", "status": 201, "headers": iter(headers)})
    await body(send, b"made")


async def do_no_headers(scope, receive, send):
    await send({"type": "http.response.start", "status": 299})
    await send({"type": "http.response.body"})


async def do_length(scope, receive, send):
    options = query(scope)
    await start(send, headers=[(b"content-length", options["says"].encode())])
    pieces = int(options.get("pieces", 1))
    for number in range(pieces):
        await body(send, b"x" * (int(options["sends"]) // pieces), number < pieces - 1)


async def do_status(scope, receive, send):
    await start(send, status=int(query(scope)["code"]))
    await body(send, b"body", True)
    await body(send, b"more")


async def do_trailers(scope, receive, send):
    await start(send, headers=[(b"trailer", b"x-sum")], trailers=True)
    await body(send, b"data")
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")], "more_trailers": True})
    await send({"type": "http.response.trailers", "headers": [(b"x-end", b"2")]})


async def do_bad_trailers(scope, receive, send):
    await start(send, trailers=True)
    await body(send, b"data")
    await send({"type": "http.response.trailers", "headers": [(b"content-length", b"1")]})


async def do_hints(scope, receive, send):
    await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]})
    await text(send, "hinted")


async def do_file(scope, receive, send):
    options = query(scope)
    headers = [(b"content-length", options["says"].encode())] if "says" in options else []
    await start(send, headers=headers)
    await send({"type": "http.response.pathsend", "path": options["path"]})


async def do_raises(scope, receive, send):
    raise ValueError("wrong")


async def do_raises_late(scope, receive, send):
    await start(send)
    await body(send, b"half", True)
    raise ValueError("wrong, late")


async def do_raises_after(scope, receive, send):
    await text(send, "fine")
    raise ValueError("wrong, after")


async def do_exits(scope, receive, send):
    sys.exit(3)


async def do_nothing(scope, receive, send):
    pass


async def do_half(scope, receive, send):
    await start(send)
    await body(send, b"half", True)


async def do_returns(scope, receive, send):
    await text(send, "fine")
    return "something"


WRONG = {
    "body-first": [{"type": "http.response.body"}],
    "start-twice": [{"type": "http.response.start", "status": 200}] * 2,
    "unknown": [{"type": "http.response.nonsense"}],
    "str-body": [{"type": "http.response.start", "status": 200}, {"type": "http.response.body", "body": "text"}],
    "str-header": [{"type": "http.response.start", "status": 200, "headers": [("a", "b")]}],
    "odd-header": [{"type": "http.response.start", "status": 200, "headers": [b"ab", b"c", b"def"]}],
    "newline": [{"type": "http.response.start", "status": 200, "headers": [(b"a", b"b\r\nc: d")]}],
    "bad-name": [{"type": "http.response.start", "status": 200, "headers": [(b"a b", b"c")]}],
    "low-status": [{"type": "http.response.start", "status": 100}],
    "str-status": [{"type": "http.response.start", "status": "200"}],
    "two-lengths": [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", b"1"), (b"content-length", b"2")],
        }
    ],
    "after-end": [
        {"type": "http.response.start", "status": 200},
        {"type": "http.response.body"},
        {"type": "http.response.body"},
    ],
}


async def do_wrong(scope, receive, send):
    for message in WRONG[query(scope)["how"]]:
        await send(message)


# WebSockets.


async def ws_echo(scope, receive, send):
    assert (await receive()) == {"type": "websocket.connect"}
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            seen.append([message["code"], message["reason"]])
            return
        await send({**message, "type": "websocket.send"})


async def ws_refuse(scope, receive, send):
    await receive()
    await send({"type": "websocket.close", "code": 4000})
    seen.append((await receive())["type"])


async def ws_deny(scope, receive, send):
    await receive()
    assert "websocket.http.response" in scope["extensions"]
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"who are you?"})


async def ws_close(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"x-mine", b"yes")]})
    await send({"type": "websocket.send", "text": "bye"})
    await send({"type": "websocket.close", "code": 4001, "reason": "é" * 100})
    seen.append(await receive())


async def ws_returns(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})


async def ws_raises(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    raise ValueError("wrong in a WebSocket")


async def ws_raises_early(scope, receive, send):
    raise ValueError("wrong before")


async def ws_silent(scope, receive, send):
    pass


async def ws_flood(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    try:
        for number in range(int(query(scope)["count"])):
            await send({"type": "websocket.send", "bytes": b"m" * int(query(scope)["size"])})
            seen.append(number)
    except OSError:
        seen.append("closed")


async def ws_deaf(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await asyncio.sleep(30)


async def ws_bad_accept(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"sec-websocket-accept", b"x")]})


async def ws_bad_code(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 1006})


def fails(how):
    async def failing(scope, receive, send):
        if scope["type"] != "lifespan":
            return await application(scope, receive, send)
        await receive()
        if how == "failed":
            await send({"type": "lifespan.startup.failed", "message": "no database"})
        elif how == "raises":
            raise ConnectionError("no database, raised")
        elif how == "hangs":
            await asyncio.sleep(60)

    return failing


failed = fails("failed")
raises = fails("raises")
hangs = fails("hangs")
returns = fails("returns")


class Double:
    """ASGI 2."""

    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        await text(send, "double")


class Callable:
    async def __call__(self, scope, receive, send):
        await text(send, "callable")


instance = Callable()


def three(scope, receive, send):
    return text(send, "three")
