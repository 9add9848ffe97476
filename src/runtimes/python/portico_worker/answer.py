"""One answer of the application, from `start_response` to its last frame (PEP 3333).

The plain case, a list with the whole body, is done by the loops themselves; all others are here.
"""
import io
from time import perf_counter

from . import heads, trace
from .environ import open_body
from .files import LEAST_BYTES, FileWrapper, locate
from .link import (
    DATA,
    END,
    FAILED,
    FILE,
    HEAD,
    INITIAL_WINDOW,
    MAX_DATA,
    MAX_WHOLE,
    RESPONSE,
    answer_head,
    frame_head,
    u32,
    u64_pair,
)

#: Stands for the head until there is one; its last part keeps it off the plain path.
NO_HEAD = (0, 0, -1, b"", True)

FAILURE_HEAD = b"Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n"

#: The last bytes of a traceback that are sent on; a recursion's can be very long.
LONGEST_TRACEBACK = 65536

_known = heads.known


def refusal(id, line):
    """The answer to a request that cannot be put into an environ: a NUL in its path."""
    body = b"Bad Request\n"
    head = b"Bad Request\r\nContent-Type: text/plain\r\n"
    size = 0 if line.startswith(b"HEAD\0") else len(body)
    return (
        answer_head.pack(16 + len(head) + size, id, RESPONSE, 0, 400, len(head), 0, len(body))
        + head
        + body[:size]
    )


class Left(ConnectionError):
    """The visitor, or the server, is gone: nobody waits for this answer any more."""


class Answer:
    """The loops set `link`, `id`, `began` and `line`; what stands here are every answer's beginnings."""

    head = NO_HEAD
    #: A frame of this answer has left: its head can no longer change.
    sent = False
    #: The last frame has left.
    complete = False
    cancelled = False
    #: Bytes of DATA that the server will take.
    window = INITIAL_WINDOW
    #: Declared bytes that are still to come; -1: nothing was declared.
    left = -1
    #: Flags of OPENED, once it has come.
    opened = None
    #: The open file with the request's body, where it came as one.
    spool = None
    #: What a greenlet waits for.
    news = None

    def start_response(self, status, headers, exc_info=None):
        if exc_info is not None:
            try:
                if self.sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.head is not NO_HEAD:
            raise AssertionError("start_response was called a second time without exc_info")
        if type(headers) is list:
            try:
                self.head = _known[status, tuple(headers)]
                return self.write
            except (KeyError, TypeError):
                pass
        self.head = heads.encode(status, headers)
        return self.write

    def write(self, data):
        """The older way to send a body: what `start_response` returns."""
        self.emit(data)
        self.head = self.head[:4] + (True,)

    def run(self, application, environ, flags, body):
        """The whole life of a request."""
        result = None
        try:
            if flags:
                environ["wsgi.input"] = self.spool = open_body(flags, body)
            else:
                environ["wsgi.input"] = io.BytesIO(body)
            result = application(environ, self.start_response)
            self.deliver(result)
        except BaseException as error:
            self.fail(error)
        self.close(result)

    def deliver(self, result):
        """Sends what the application returned."""
        if isinstance(result, (list, tuple)):
            body = result[0] if len(result) == 1 else b"".join(result)
            if self.sent:
                self.emit(body)
                self.finish()
            else:
                self.whole(body)
        elif isinstance(result, (bytes, str)):
            raise TypeError("the application must return an iterable of bytes, not %r" % type(result))
        elif type(result) is not FileWrapper or not self.send_file(result):
            self.iterate(result)

    def iterate(self, result):
        for chunk in result:
            if not self.sent:
                # Most frameworks' answers: one piece, its length declared. Written out, as it saves 2 µs.
                status, flags, declared, head, special = self.head
                size = len(chunk)
                if (
                    declared == size <= MAX_WHOLE
                    and not special
                    and type(chunk) is bytes
                    and not self.cancelled
                    and not self.line.startswith(b"HEAD\0")
                ):
                    self.complete = self.sent = True
                    more = len(head)
                    service = int((perf_counter() - self.began) * 1e6) & 0xFFFFFFFF
                    self.link.send_soon(
                        answer_head.pack(
                            16 + more + size, self.id, RESPONSE, flags, status, more, service, declared
                        )
                        + head
                        + chunk
                    )
                    continue
            elif chunk and (self.complete or self.left == 0):
                if not self.bodiless:
                    self.log_excess()
                break
            self.emit(chunk)
            if not self.complete:
                self.link.look(self)
                if self.cancelled:
                    return
        if not self.complete:
            self.finish()

    @property
    def bodiless(self):
        return self.head[0] in (204, 304) or self.line.startswith(b"HEAD\0")

    def emit(self, data):
        """Sends a piece of the body; returns when the next one may be asked for."""
        if not isinstance(data, bytes):
            raise TypeError("the body must be bytes, not %s" % type(data).__name__)
        if not data or (self.complete and self.bodiless):
            return
        if self.cancelled:
            raise Left("the visitor has left")
        if not self.sent:
            self.begin()
            declared = self.head[2]
            if self.bodiless:
                return self.respond(b"", declared)
            self.left = declared
            if declared >= 0 and len(data) >= declared and declared <= MAX_WHOLE:
                if len(data) > declared:
                    self.log_excess()
                return self.respond(data[:declared], declared)
            self.data(data, self.head_frame(HEAD, declared, 0))
        elif self.complete:
            self.log_excess()
        else:
            self.data(data)

    def begin(self):
        if self.head is NO_HEAD:
            raise AssertionError("the application did not call start_response before the body")
        self.sent = True

    def data(self, data, before=b""):
        """Sends DATA frames within the window, the first behind `before`."""
        if 0 <= self.left < len(data):
            self.log_excess()
            data = data[: self.left]
        if self.left >= 0:
            self.left -= len(data)
        at = 0
        link = self.link
        while at < len(data):
            while self.window <= 0:
                if before:
                    self.push(before)
                    before = b""
                link.wait(self, lambda: self.window > 0)
                if self.cancelled:
                    raise Left("the visitor has left")
            piece = data[at : at + min(self.window, MAX_DATA)]
            at += len(piece)
            self.window -= len(piece)
            self.push(b"".join((before, frame_head.pack(len(piece), self.id, DATA, 0, 0), piece)))
            before = b""
        if before:
            self.push(before)

    def push(self, frame):
        if not self.link.send_now(frame):
            self.cancelled = True
            raise Left("the server has closed the link")

    def whole(self, body):
        """Sends an answer of which the whole body is known."""
        if not isinstance(body, bytes):
            raise TypeError("the body must be bytes, not %s" % type(body).__name__)
        self.begin()
        size = len(body)
        declared = self.head[2]
        if self.bodiless:
            # An empty body tells nothing of the one that GET would have brought.
            if declared < 0 and size and self.head[0] not in (204, 304):
                declared = size
            self.respond(b"", declared)
        elif declared > size or size > MAX_WHOLE:
            self.left = declared
            self.data(body, self.head_frame(HEAD, size if declared < 0 else declared, 0))
            self.finish()
        else:
            if 0 <= declared < size:
                self.log_excess()
                body = body[:declared]
            self.respond(body, declared)

    def head_frame(self, kind, declared, more):
        status, flags, _, head, _ = self.head
        size = len(head)
        return (
            answer_head.pack(
                16 + size + more, self.id, kind, flags, status, size, self.microseconds(), declared
            )
            + head
        )

    def microseconds(self):
        return int((perf_counter() - self.began) * 1e6) & 0xFFFFFFFF

    def respond(self, body, declared):
        self.complete = self.sent = True
        self.link.send_soon(self.head_frame(RESPONSE, declared, len(body)) + body)

    def finish(self):
        """Ends an answer that the application has ended."""
        if not self.sent:
            self.begin()
            declared = self.head[2]
            if self.bodiless or declared <= 0:
                return self.respond(b"", declared)
            self.left = declared
            self.push(self.head_frame(HEAD, declared, 0))
        short = self.left > 0
        if short:
            self.log(
                "the application declared %d bytes and sent %d" % (self.head[2], self.head[2] - self.left)
            )
        self.end(FAILED if short else 0)

    def end(self, flags):
        self.complete = True
        self.link.send_now(
            frame_head.pack(u32.size, self.id, END, flags, 0) + u32.pack(self.microseconds())
        )

    def send_file(self, wrapper):
        """Has the server send the file. False: it is to be read here."""
        found = None if self.sent or self.head is NO_HEAD else locate(wrapper)
        if found is None:
            return False
        path, offset, there = found
        declared = self.head[2]
        if self.bodiless:
            self.respond(b"", there if declared < 0 and self.head[0] not in (204, 304) else declared)
            return True
        size = there if declared < 0 else min(there, declared)
        if size < LEAST_BYTES:
            self.whole(wrapper.filelike.read(size))
            return True
        self.sent = True
        self.left = there if declared < 0 else declared
        frame = frame_head.pack(u64_pair.size + len(path), self.id, FILE, 0, 0)
        self.push(self.head_frame(HEAD, self.left, 0) + frame + u64_pair.pack(offset, size) + path)
        while self.opened is None:
            self.link.wait(self, lambda: self.opened is not None)
            if self.cancelled:
                raise Left("the visitor has left")
        if self.opened:
            return False
        self.left -= size
        self.finish()
        return True

    def fail(self, error):
        """The application raised."""
        if isinstance(error, Left) and self.cancelled:
            return
        text = trace.text(error)
        self.log("the application failed\n" + text.rstrip("\n"))
        if self.complete or self.cancelled:
            return
        if self.sent:
            return self.end(FAILED)
        body = text.encode("utf-8", "backslashreplace")[-LONGEST_TRACEBACK:]
        self.head = (500, FAILED, -1, FAILURE_HEAD, True)
        self.respond(body, -1)

    def close(self, result):
        """Always, whatever happened before (PEP 3333). The server has heard the end of it then."""
        if self.cancelled and not self.complete:
            # The last frame tells the server that this worker is free again.
            self.end(FAILED)
        try:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self.log("close() of the answer failed\n" + trace.text(error).rstrip("\n"))
        if self.spool is not None:
            self.spool.close()

    def log_excess(self):
        self.log("the application sent more than the %d bytes it declared" % self.head[2])

    def log(self, message):
        # From the frame, not the environ: that is the application's to change. No query: it may be secret.
        errors = self.link.errors
        errors.write("portico: %s: %s\n" % (called(self.line), message))
        errors.flush()


def called(line):
    """A request for people, of the line of its frame: `GET /a`, with its id where it has one."""
    parts = line.decode("latin-1").split("\0")
    method, script, path = parts[:3]
    named = parts[-1].rpartition(" ")
    return "%s %s%s%s" % (method, script, path, " (request %s)" % named[2] if named[1] else "")
