"""Does what a visitor asks for, and tells what it saw: for test/flows/support/conformance.ts."""

import hashlib
import json
import os
import time
from urllib.parse import parse_qs

BLOCK = bytes(range(256)) * 256


def application(environ, start_response):
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    kind = environ["PATH_INFO"].split("/")[1]
    return KINDS[kind](environ, start_response, query)


def report(environ, start_response, query):
    digest = hashlib.sha256()
    length = 0
    while True:
        piece = environ["wsgi.input"].read(65536)
        if not piece:
            break
        digest.update(piece)
        length += len(piece)
    seen = {name: value for name, value in environ.items() if isinstance(value, str) and name.isupper()}
    seen.update(scheme=environ["wsgi.url_scheme"], sha256=digest.hexdigest(), length=length)
    body = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def echo(environ, start_response, query):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(body)))])
    return [body]


def status(environ, start_response, query):
    body = b"" if query["is"][:3] in ("204", "304") else b"body"
    length = [] if body == b"" else [("Content-Length", "4")]
    location = [("Location", "/elsewhere")] if query["is"][:2] == "30" else []
    start_response(query["is"], [("X-Status", query["is"])] + location + length)
    return [body]


def fields(environ, start_response, query):
    start_response(
        "200 OK",
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Set-Cookie", "a=1; Path=/"),
            ("Set-Cookie", "b=2, c; Path=/"),
            ("X-Long", "x" * 3000),
            ("X-Empty", ""),
            ("Content-Length", "2"),
        ]
        + ([("X-Latin", "\xe9")] if "latin" in query else []),
    )
    return [b"ok"]


def pieces(size):
    for at in range(0, size, len(BLOCK)):
        yield BLOCK[: size - at]


def sized(environ, start_response, query):
    start_response("200 OK", [("Content-Type", "image/x-test"), ("Content-Length", query["size"])])
    return pieces(int(query["size"]))


def unsized(environ, start_response, query):
    start_response("200 OK", [("Content-Type", "image/x-test")])
    return pieces(int(query["size"]))


def drip(environ, start_response, query):
    start_response("200 OK", [("Content-Type", "text/plain")])

    def parts():
        for number in range(4):
            yield b"part %d\n" % number
            time.sleep(0.25)

    return parts()


def endless(environ, start_response, query):
    """Until the visitor leaves: then the file that it named tells so."""
    start_response("200 OK", [("Content-Type", "text/plain")])

    def parts():
        try:
            for _ in range(2000):
                yield b"more " * 1000
                time.sleep(0.01)
        finally:
            with open(os.path.join(os.environ["LEFT"], query["token"]), "w") as file:
                file.write("left")

    return parts()


def raises(environ, start_response, query):
    raise RuntimeError("as asked")


def short(environ, start_response, query):
    start_response("200 OK", [("Content-Length", "100000")])
    return [b"short"]


KINDS = {
    "report": report,
    "echo": echo,
    "status": status,
    "fields": fields,
    "sized": sized,
    "unsized": unsized,
    "drip": drip,
    "endless": endless,
    "raises": raises,
    "short": short,
}
