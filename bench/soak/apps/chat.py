"""The same over ASGI: many requests at a time in one process."""

import asyncio
import os
import zlib

with open("version") as file:
    VERSION = file.read()
journal = os.open("journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


async def application(scope, receive, send):
    query = dict(part.partition("=")[::2] for part in scope["query_string"].decode().split("&"))
    number = query.get("n", "")
    if number != "":
        os.write(journal, f"{number} {os.getpid()}\n".encode())
    length = crc = 0
    more = True
    while more:
        message = await receive()
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        length += len(piece)
        crc = zlib.crc32(piece, crc)
    await asyncio.sleep(0.005)
    told = f"{number} v{VERSION} {length} {crc}\n".encode()
    answer = told + b"." * int(query.get("more", "0"))
    fields = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": answer})
