"""Makes the environ of a request (PEP 3333) from the two parts of a REQUEST frame.

Visitors send the same header block with request after request: what a block decodes to is kept and
copied, which takes a tenth of the time of decoding it.
"""
from .files import FileWrapper
from .link import SPOOLED, Garbage

#: Header blocks remembered; when full the memory starts anew. Longer ones are not kept.
MOST_BLOCKS = 512
LONGEST_BLOCK = 4096

#: Never from a visitor: CONTENT_LENGTH has a place of its own, HTTP_PROXY would be taken for the
#: variable that names a proxy (CVE-2016-5385).
_never = ("HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_PROXY")


def base_environ(threads, workers, errors):
    """The part of an environ that all requests share. The rest is there too, so that copies never grow."""
    return {
        "REQUEST_METHOD": "",
        "SCRIPT_NAME": "",
        "PATH_INFO": "",
        "QUERY_STRING": "",
        "REQUEST_URI": "",
        "RAW_URI": "",
        "SERVER_PROTOCOL": "",
        "REMOTE_ADDR": "",
        "REMOTE_PORT": "",
        "SERVER_NAME": "",
        "SERVER_PORT": "",
        "SERVER_SOFTWARE": "Portico",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": None,
        "wsgi.input_terminated": True,
        "wsgi.errors": errors,
        "wsgi.multithread": threads > 1,
        "wsgi.multiprocess": workers > 1,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }


def make_learn(base, known):
    """A function that decodes a header block to an environ to be copied, and keeps it in `known`."""

    def learn(block):
        environ = base.copy()
        if block:
            words = block.decode("latin-1").split("\0")
            if len(words) % 2:
                raise Garbage("a header block with a name but no value")
            environ.update(zip(words[::2], words[1::2]))
            for name in _never:
                environ.pop(name, None)
        if len(block) <= LONGEST_BLOCK:
            if len(known) >= MOST_BLOCKS:
                known.clear()
            known[block] = environ
        return environ

    return learn


def fill(environ, line):
    """Puts the request line's eleven values into `environ`, and the Content-Length where there is one.

    Raises ValueError where there are not twelve: a path with a NUL in it.
    """
    (
        environ["REQUEST_METHOD"],
        environ["SCRIPT_NAME"],
        environ["PATH_INFO"],
        environ["QUERY_STRING"],
        uri,
        environ["SERVER_PROTOCOL"],
        environ["REMOTE_ADDR"],
        environ["REMOTE_PORT"],
        environ["SERVER_NAME"],
        environ["SERVER_PORT"],
        scheme,
        length,
    ) = line.decode("latin-1").split("\0")
    environ["REQUEST_URI"] = environ["RAW_URI"] = uri
    if scheme != "http":
        add_scheme(environ, scheme)
    if length:
        add_length(environ, length)


def add_scheme(environ, scheme):
    environ["wsgi.url_scheme"] = scheme
    if scheme == "https":
        environ["HTTPS"] = "on"


def add_length(environ, length):
    """CONTENT_LENGTH and, where requests have names, what this one is called."""
    if " " in length:
        length, environ["HTTP_TRACEPARENT"], environ["HTTP_X_REQUEST_ID"] = length.split(" ")
        if not length:
            return
    environ["CONTENT_LENGTH"] = length


def open_body(flags, path):
    """The request's body from a file. Opened at once: the server deletes it when it likes."""
    if flags != SPOOLED:
        raise Garbage("a request with flags %d, which no WSGI worker takes" % flags)
    return open(path, "rb")
