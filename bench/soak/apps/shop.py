"""Plain WSGI. What is begun is told in the journal before anything else is done."""

import os
import time
import zlib

with open("version") as file:
    VERSION = file.read()
journal = os.open("journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
HELD = 100_000
held = []


def application(environ, start_response):
    query = dict(part.partition("=")[::2] for part in environ["QUERY_STRING"].split("&"))
    number = query.get("n", "")
    if number != "":
        os.write(journal, f"{number} {os.getpid()}\n".encode())
    if "sleep" in query:
        time.sleep(600)
    if "keep" in query:
        held.append(b"x" * HELD)
    body = environ["wsgi.input"].read()
    told = f"{number} v{VERSION} {len(body)} {zlib.crc32(body)}\n".encode()
    answer = told + b"." * int(query.get("more", "0"))
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
