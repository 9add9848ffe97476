"""HOT: makes the scope of a request from the two parts of a REQUEST frame (ASGI 3.0, HTTP 2.4).

Visitors who keep their connection repeat themselves: the scope of a request is kept and copied, which
takes a quarter of the time of making it; and of others what their header block decodes to, as for WSGI
(`environ.py`).
"""
from ..environ import LONGEST_BLOCK, MOST_BLOCKS
from ..link import Garbage

_versions = {
    "HTTP/1.1": "1.1",
    "HTTP/1.0": "1.0",
    "HTTP/2.0": "2",
    "HTTP/2": "2",
    "HTTP/3.0": "3",
    "HTTP/3": "3",
}
_socket_schemes = {"http": "ws", "https": "wss"}

_asgi = {"version": "3.0", "spec_version": "2.4"}
_http_extensions = {
    "http.response.trailers": {},
    "http.response.early_hint": {},
    "http.response.pathsend": {},
}
_websocket_extensions = {"websocket.http.response": {}}

#: Scopes remembered; when full the memory starts anew. Longer ones are not kept.
MOST_SCOPES = 1024
LONGEST_SCOPE = 4096

#: Header block → list of (name, value).
_known = {}
#: Everything of a REQUEST's payload but the body → scope, to be copied with what may be changed in it.
scopes = {}
#: Bytes of the two lengths before the line.
LENGTHS = 8


def headers_of(block):
    """The request's headers, to be copied."""
    headers = _known.get(block)
    if headers is None:
        headers = decode(block)
        if len(block) <= LONGEST_BLOCK:
            if len(_known) >= MOST_BLOCKS:
                _known.clear()
            _known[block] = headers
    return headers


def decode(block):
    if not block:
        return []
    words = block.split(b"\0")
    if len(words) % 2:
        raise Garbage("a header block with a name but no value")
    return [(name_of(words[at]), words[at + 1]) for at in range(0, len(words), 2)]


def name_of(variable):
    """`HTTP_X_FORWARDED_FOR` and `CONTENT_TYPE` as they are called in a request."""
    if variable[:5] == b"HTTP_":
        variable = variable[5:]
    return variable.lower().replace(b"_", b"-")


def learn(both, line_size):
    """The scope to copy for a request's lengths, line and header block.

    Raises ValueError for a path with a NUL.
    """
    block_at = LENGTHS + line_size
    scope = make(both[LENGTHS:block_at], both[block_at:])
    # Where requests have names, no two are the same.
    if len(both) <= LONGEST_SCOPE and both.find(b" ", LENGTHS, block_at) < 0:
        if len(scopes) >= MOST_SCOPES:
            scopes.clear()
        scopes[both] = scope
    return scope


def make(line, block):
    (
        method,
        root,
        path,
        query,
        uri,
        protocol,
        address,
        port,
        name,
        own_port,
        scheme,
        length,
    ) = line.decode("latin-1").split("\0")
    headers = headers_of(block)
    if " " in length:
        length, trace, name_of_request = length.split(" ")
        headers = [
            *headers,
            (b"traceparent", trace.encode("latin-1")),
            (b"x-request-id", name_of_request.encode("latin-1")),
        ]
    if length:
        headers = [*headers, (b"content-length", length.encode("latin-1"))]
    if root:
        # Spec: `path` is the whole of it, `root_path` the part that is not the application's.
        path = root + path
        root = text(root)
    return {
        "type": "http",
        "asgi": _asgi,
        "http_version": _versions.get(protocol, "1.1"),
        "method": method,
        "scheme": scheme,
        "path": path if path.isascii() else text(path),
        "raw_path": uri.partition("?")[0].encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": root,
        "headers": headers,
        "client": (address, int(port)) if address else None,
        "server": (name, int(own_port)),
        "extensions": _http_extensions,
    }


def text(latin):
    """Bytes that came as latin-1: UTF-8 in truth, where they are."""
    return latin.encode("latin-1").decode("utf-8", "replace")


def as_websocket(scope):
    """Turns the scope of a request into that of a WebSocket."""
    scope["type"] = "websocket"
    scope["scheme"] = _socket_schemes.get(scope["scheme"], "ws")
    scope["extensions"] = _websocket_extensions.copy()
    offered = b",".join([value for name, value in scope["headers"] if name == b"sec-websocket-protocol"])
    scope["subprotocols"] = [one.strip() for one in offered.decode("latin-1").split(",") if one.strip()]
    del scope["method"]
