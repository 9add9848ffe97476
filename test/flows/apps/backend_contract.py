"""What a server behind Portico is asked to do, whatever protocol it speaks."""

import json
import os
import time
from urllib.parse import parse_qs


def application(environ, start_response):
    path = environ["PATH_INFO"]
    query = {key: values[0] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
    kind = path.strip("/").split("/")[0]
    return globals()["do_" + (kind or "hello")](environ, start_response, query)


def do_hello(environ, start_response, query):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


def do_unsized(environ, start_response, query):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b"without ", b"a length"]


def do_environ(environ, start_response, query):
    body = json.dumps({key: value for key, value in environ.items() if isinstance(value, str)}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def do_echo(environ, start_response, query):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("X-Length", environ["CONTENT_LENGTH"]), ("Content-Length", str(len(body)))])
    return [body]


def do_status(environ, start_response, query):
    start_response(query["is"], [("Content-Length", "0")])
    return []


def do_big(environ, start_response, query):
    size = int(query["size"])
    start_response("200 OK", [("Content-Length", str(size))])
    block = bytes(range(256)) * 256

    def parts():
        for at in range(0, size, len(block)):
            yield block[: size - at]

    return parts()


def do_drip(environ, start_response, query):
    start_response("200 OK", [("Content-Length", "5")])

    def parts():
        for letter in b"drips":
            time.sleep(0.1)
            yield bytes([letter])

    return parts()


def do_endless(environ, start_response, query):
    """Until the visitor leaves; then the file named in the environment tells so."""
    start_response("200 OK", [("Content-Type", "text/plain")])

    def parts():
        try:
            for _ in range(1000):
                yield b"more " * 100
                time.sleep(0.02)
        finally:
            with open(os.environ["LEFT"], "w") as file:
                file.write("left")

    return parts()


def do_die(environ, start_response, query):
    os._exit(1)


def do_send(environ, start_response, query):
    start_response(
        "200 OK",
        [
            (query["by"], query["path"]),
            ("Content-Type", "text/x-backend"),
            ("Content-Disposition", "attachment; filename=x"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("ETag", '"of the backend"'),
            ("Cache-Control", "private"),
            ("X-Accel-Buffering", "no"),
            ("Content-Length", "7"),
        ],
    )
    return [b"dropped"]


def do_websocket(environ, start_response, query):
    import uwsgi

    uwsgi.websocket_handshake()
    uwsgi.websocket_send(uwsgi.websocket_recv())
    return []
