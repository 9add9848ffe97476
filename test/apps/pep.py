"""Every way in which PEP 3333 lets an application answer, and some in which it does not."""
import hashlib
import json
import os
import sys
import tempfile
import threading
import time

routes = {}


def route(path):
    def add(handler):
        routes[path] = handler
        return handler

    return add


def application(environ, start_response):
    return routes[environ["PATH_INFO"]](environ, start_response)


def options(environ):
    return dict(pair.split("=", 1) for pair in environ["QUERY_STRING"].split("&") if pair)


def plain(start_response, *more):
    return start_response("200 OK", [("Content-Type", "text/plain"), *more])


@route("/environ")
def show_environ(environ, start_response):
    plain(start_response)
    facts = {
        "dict": type(environ) is dict,
        "strings": all(
            type(key) is str and (key.startswith("wsgi.") or type(value) is str)
            for key, value in environ.items()
        ),
        "values": {key: value for key, value in environ.items() if type(value) in (str, bool, tuple)},
    }
    return [json.dumps(facts).encode()]


@route("/spoil")
def spoil(environ, start_response):
    """What one request does to its environ must not reach the next."""
    environ["SPOILED"] = "yes"
    environ["HTTP_HOST"] = "spoiled"
    environ["wsgi.errors"] = None
    plain(start_response)
    return [b"spoiled"]


@route("/input")
def read_input(environ, start_response):
    data = environ["wsgi.input"]
    parts = [
        data.read(3),
        data.readline(),
        data.readline(2),
        *data.readlines(4),
        b"|".join(iter(data)),
        data.read(),
        data.read(5),
    ]
    plain(start_response)
    return [json.dumps([part.decode("latin-1") for part in parts]).encode()]


@route("/digest")
def digest(environ, start_response):
    found = hashlib.sha256()
    size = 0
    for chunk in iter(lambda: environ["wsgi.input"].read(65536), b""):
        found.update(chunk)
        size += len(chunk)
    plain(start_response)
    return [("%d %s" % (size, found.hexdigest())).encode()]


@route("/errors")
def errors(environ, start_response):
    stream = environ["wsgi.errors"]
    stream.write("written é\n")
    stream.writelines(["line one\n", "line two\n"])
    stream.flush()
    print("to stderr", file=sys.stderr)
    print("to stdout")
    plain(start_response)
    return [b"ok"]


@route("/status")
def status(environ, start_response):
    asked = options(environ)
    headers = [("Content-Length", asked["length"])] if "length" in asked else []
    start_response(asked["status"] + " Reason", headers)
    return [asked.get("body", "").encode()]


@route("/fields")
def fields(environ, start_response):
    start_response(
        "200 Fine, thanks",
        [
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("X-Latin", "caf\xe9"),
            ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("Server", "mine"),
        ],
    )
    return [b""]


@route("/tuple")
def a_tuple(environ, start_response):
    plain(start_response)
    return (b"one ", b"two ", b"", b"three")


@route("/late-start")
def late_start(environ, start_response):
    """`start_response` may be called as late as the first iteration."""
    plain(start_response)
    yield b"late"


@route("/empty-first")
def empty_first(environ, start_response):
    plain(start_response)
    yield b""
    start_response("201 Changed", [("X-Changed", "yes")], fake_error())
    yield b"body"


def fake_error():
    try:
        raise KeyError("on purpose")
    except KeyError:
        return sys.exc_info()


@route("/steps")
def steps(environ, start_response):
    """Each chunk must have left before the next is asked for."""
    plain(start_response)
    for number in range(3):
        time.sleep(0.15)
        yield b"%d;" % number


@route("/declared-then-slow")
def declared_then_slow(environ, start_response):
    plain(start_response, ("Content-Length", "4"))
    yield b"done"
    time.sleep(1)


@route("/length")
def length(environ, start_response):
    """declared=…, chunks=…: sizes of the pieces; list=1: not a generator."""
    asked = options(environ)
    plain(start_response, ("Content-Length", asked["declared"]))
    chunks = [b"x" * int(size) for size in asked["chunks"].split(",") if size]
    return chunks if "list" in asked else iter(chunks)


@route("/write")
def write(environ, start_response):
    send = plain(start_response)
    send(b"first ")
    send(b"")
    send(b"second ")
    return [b"third"]


@route("/write-only")
def write_only(environ, start_response):
    plain(start_response, ("Content-Length", "5"))(b"whole")
    return []


@route("/twice")
def twice(environ, start_response):
    plain(start_response)
    plain(start_response)
    return [b"never"]


@route("/replace")
def replace(environ, start_response):
    plain(start_response)
    start_response("500 Replaced", [("X-Replaced", "yes")], fake_error())
    return [b"replaced"]


@route("/replace-late")
def replace_late(environ, start_response):
    plain(start_response)
    yield b"sent already"
    start_response("500 Replaced", [], fake_error())
    yield b"never"


@route("/never-starts")
def never_starts(environ, start_response):
    return [b"no head"]


@route("/raises")
def raises(environ, start_response):
    raise RuntimeError("on purpose é")


@route("/exits")
def exits(environ, start_response):
    sys.exit(3)


@route("/raises-late")
def raises_late(environ, start_response):
    plain(start_response)
    yield b"some"
    raise RuntimeError("on purpose, later")


@route("/bad")
def bad(environ, start_response):
    class Text(str):
        pass

    heads = {
        "status-bytes": (b"200 OK", []),
        "status-short": ("20", []),
        "status-early": ("100 Continue", []),
        "status-control": ("200 OK\r\nX: y", []),
        "headers-tuple": ("200 OK", ()),
        "header-list": ("200 OK", [["A", "b"]]),
        "header-bytes": ("200 OK", [("A", b"b")]),
        "name-space": ("200 OK", [("A b", "c")]),
        "value-newline": ("200 OK", [("A", "b\r\nSet-Cookie: c")]),
        "value-control": ("200 OK", [("A", "b\x00")]),
        "value-unicode": ("200 OK", [("A", "\u20ac")]),
        "hop": ("200 OK", [("Transfer-Encoding", "chunked")]),
        "length": ("200 OK", [("Content-Length", "-1")]),
        "lengths": ("200 OK", [("Content-Length", "1"), ("Content-Length", "2")]),
    }
    start_response(*heads[options(environ)["what"]])
    return [b"never"]


@route("/bad-body")
def bad_body(environ, start_response):
    plain(start_response)
    return {"str": ["text"], "bytes": b"bytes", "none": None, "mixed": [b"a", "b"], "iter": iter(["a"])}[
        options(environ)["what"]
    ]


class Closing:
    """Counts how often it was closed, whatever became of it."""

    closed = 0
    events = []

    def __init__(self, chunks):
        self.chunks = chunks

    def __iter__(self):
        return iter(self.chunks)

    def close(self):
        Closing.closed += 1


@route("/closing")
def closing(environ, start_response):
    asked = options(environ)

    def chunks():
        yield b"a" * int(asked.get("size", "10"))
        if "raise" in asked:
            raise RuntimeError("on purpose")
        for _ in range(int(asked.get("more", "0"))):
            time.sleep(0.02)
            yield b"more"

    plain(start_response)
    return Closing(chunks())


@route("/close-raises")
def close_raises(environ, start_response):
    class Broken(Closing):
        def close(self):
            raise RuntimeError("close on purpose")

    plain(start_response)
    return Broken([b"fine"])


@route("/closed")
def closed(environ, start_response):
    plain(start_response)
    return [str(Closing.closed).encode()]


@route("/stream")
def stream(environ, start_response):
    total = int(options(environ)["size"])
    plain(start_response)
    chunk = b"s" * int(options(environ).get("chunk", "65536"))
    while total > 0:
        yield chunk[:total]
        total -= len(chunk)


@route("/one-piece")
def one_piece(environ, start_response):
    plain(start_response)
    return [b"p" * int(options(environ)["size"])]


@route("/file")
def file(environ, start_response):
    """The file `path`; from=…: after that many bytes; length=…: declared; kind=…: which sort of object."""
    asked = options(environ)
    kind = asked.get("kind", "buffered")
    if kind == "gzip":
        import gzip

        opened = gzip.open(asked["path"])
    elif kind == "temporary":
        opened = tempfile.NamedTemporaryFile()
        with open(asked["path"], "rb") as source:
            opened.write(source.read())
        opened.flush()
        opened.seek(0)
    else:
        opened = open(asked["path"], "rb", 0 if kind == "raw" else -1)
    if kind == "unlinked":
        os.unlink(asked["path"])
    if "from" in asked:
        opened.read(int(asked["from"]))
    plain(start_response, *([("Content-Length", asked["length"])] if "length" in asked else []))
    wrapped = environ["wsgi.file_wrapper"](opened, 10000)
    return (chunk for chunk in wrapped) if kind == "hidden" else wrapped


@route("/sleep")
def sleep_a_while(environ, start_response):
    time.sleep(float(options(environ)["seconds"]))
    plain(start_response)
    return [b"slept"]


@route("/stuck-in-c")
def stuck_in_c(environ, start_response):
    # A hash of a lot holds no lock, pow of this size does: nothing of Python runs until it is done.
    pow(3, 10**7 * 5, 10 ** (10**6))
    return [b"never"]


@route("/die")
def die(environ, start_response):
    os._exit(9)


@route("/threads")
def threads(environ, start_response):
    plain(start_response)
    return [threading.current_thread().name.encode()]
