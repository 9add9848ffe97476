"""One HTTP request of an ASGI application: what it receives, and its answer as frames.

HOT: `receive` and `send` do what a small request and a small answer need before anything else.
"""
import os
import stat
from time import perf_counter

from ..answer import NO_HEAD, Answer, Left
from ..files import LEAST_BYTES
from ..link import (
    DATA,
    FILE,
    HEAD,
    INFORM,
    LONGEST_HOLD,
    MAX_DATA,
    MAX_WHOLE,
    RESPONSE,
    answer_head,
    frame_head,
    u64_pair,
)
from . import fields
from .request import DONE, FLOWING, NEW, PLAIN, STARTED, TRAILING, Request

_known = fields.known


class HttpRequest(Request):
    #: Of the method HEAD.
    bare = False
    head = NO_HEAD
    #: What is left of the body for the application: all of it as bytes, or a `body.Upload` or
    #: `body.Spool`; None when it has had it.
    source = b""
    #: Declared bytes that are still to come; -1: nothing was declared.
    left = -1
    #: `trailers: True`; then the field lines so far.
    trailers = None
    #: Flags of OPENED, once it has come.
    opened = None

    async def receive(self):
        while self.stage != DONE and not self.gone:
            source = self.source
            if type(source) is bytes:
                self.source = None
                return {"type": "http.request", "body": source, "more_body": False}
            if source is not None:
                message = source.take()
                if message is not None:
                    if not message["more_body"]:
                        self.source = None
                    return message
            await self.news()
        return {"type": "http.disconnect"}

    async def send(self, message):
        kind = message["type"]
        if kind == "http.response.start" and self.stage == NEW:
            headers = message.get("headers")
            try:
                if type(headers) is list:
                    headers = tuple(map(tuple, headers))
                head = _known[message["status"], headers]
            except (KeyError, TypeError):
                head = fields.find(message)
            self.head = head
            if "trailers" in message and message["trailers"]:
                self.trailers = b""
                self.stage = STARTED
            else:
                # head[4]: there is no body.
                self.stage = STARTED if head[4] or self.bare or self.gone else PLAIN
        elif kind == "http.response.body":
            body = message.get("body", b"")
            more = "more_body" in message and message["more_body"]
            status, flags, declared, head, _ = self.head
            size = len(body)
            if (
                self.stage == PLAIN
                and not more
                and (declared == size or declared < 0)
                and type(body) is bytes
                and size <= MAX_WHOLE
            ):
                self.stage = DONE
                now = perf_counter()
                more = len(head)
                service = int((now - self.began) * 1e6) & 0xFFFFFFFF
                link = self.link
                link.held.append(
                    answer_head.pack(
                        16 + more + size, self.id, RESPONSE, flags, status, more, service, declared
                    )
                    + head
                    + body
                )
                if not link.planned or now - link.turn >= LONGEST_HOLD:
                    link.queued(now)
                if self.waiting:
                    self.wake()
            else:
                await self.body(body, more)
        elif kind == "http.response.pathsend" and self.stage in (PLAIN, STARTED):
            await self.file(message["path"])
        elif kind == "http.response.trailers" and self.stage == TRAILING:
            self.trailers += fields.trailers(message.get("headers", ()))
            if not message.get("more_trailers", False):
                self.finish()
        elif kind == "http.response.early_hint" and self.stage == NEW:
            if not self.gone:
                lines = fields.links(message.get("links", ()))
                self.push(frame_head.pack(len(lines), self.id, INFORM, 0, 103) + lines)
        else:
            raise self.out_of_order(kind)

    def out_of_order(self, kind):
        expected = {
            NEW: "http.response.start",
            PLAIN: "http.response.body",
            STARTED: "http.response.body",
            FLOWING: "http.response.body",
            TRAILING: "http.response.trailers",
        }.get(self.stage)
        if expected is None:
            return RuntimeError("unexpected ASGI message %r: the answer is complete" % (kind,))
        return RuntimeError("expected ASGI message %r, but got %r" % (expected, kind))

    async def body(self, body, more):
        """A part of the body, or all of it."""
        if self.stage not in (PLAIN, STARTED, FLOWING):
            raise self.out_of_order("http.response.body")
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise TypeError("the body must be bytes, not %s" % type(body).__name__)
        if self.gone:
            if more:
                raise Left("the visitor has left")
            return self.done()
        body = bytes(body)
        if self.bodiless:
            self.headless(len(body), more)
        elif self.stage != FLOWING:
            await self.begin(body, more)
        else:
            self.count(len(body))
            await self.data(body)
        if not more and self.stage != DONE:
            if self.left > 0:
                declared = self.head[2]
                sent = declared - self.left
                raise RuntimeError("content-length is %d, and %d bytes were sent" % (declared, sent))
            if self.trailers is None:
                self.finish()
            else:
                self.stage = TRAILING

    @property
    def bodiless(self):
        return self.head[4] or self.bare

    def headless(self, size, more):
        """HEAD, 204 and 304: nothing of the body leaves, and of the head all that is known."""
        if self.stage == FLOWING:
            return
        declared = self.head[2]
        if declared < 0 and not more and size and not self.head[4]:
            declared = size
        self.left = -1
        if more or self.trailers is not None:
            # What follows is dropped, but tells when it is over.
            self.push(self.head_frame(HEAD, declared, 0))
            self.stage = FLOWING
        else:
            self.push(self.head_frame(RESPONSE, declared, 0))
            self.done()

    async def begin(self, body, more):
        """The first part of a body."""
        declared = self.head[2]
        size = len(body)
        self.left = declared
        self.count(size)
        if not more and self.trailers is None and size <= MAX_WHOLE:
            if self.left > 0:
                raise RuntimeError("content-length is %d, and %d bytes were sent" % (declared, size))
            self.push(self.head_frame(RESPONSE, declared, size) + body)
            return self.done()
        if declared < 0 and not more and self.trailers is None:
            declared = size
        self.push(self.head_frame(HEAD, declared, 0))
        self.stage = FLOWING
        await self.data(body)

    def count(self, size):
        if self.left >= 0:
            self.left -= size
            if self.left < 0:
                raise RuntimeError("the body is longer than its content-length of %d bytes" % self.head[2])

    async def data(self, body):
        """Sends bytes as fast as the server takes them."""
        at, size = 0, len(body)
        while at < size:
            if (self.window <= 0 or self.link.rest is not None or self.gone) and not await self.room():
                raise Left("the visitor has left")
            piece = body[at : at + min(self.window, MAX_DATA)]
            at += len(piece)
            self.window -= len(piece)
            self.push(frame_head.pack(len(piece), self.id, DATA, 0, 0) + piece)

    async def file(self, path):
        """`http.response.pathsend`: the server sends the file where it can."""
        with open(path, "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise ValueError("%s is no regular file" % path)
            size = facts.st_size
            if self.gone:
                return self.done()
            if self.bodiless:
                return self.headless(size, False)
            if size < LEAST_BYTES or self.trailers is not None:
                return await self.pieces(file, size)
            declared = self.head[2]
            if declared not in (-1, size):
                raise RuntimeError("content-length is %d, and %s has %d bytes" % (declared, path, size))
            name = os.fsencode(os.path.abspath(path))
            self.push(
                self.head_frame(HEAD, size, 0)
                + frame_head.pack(u64_pair.size + len(name), self.id, FILE, 0, 0)
                + u64_pair.pack(0, size)
                + name
            )
            self.stage = FLOWING
            while self.opened is None and not self.gone:
                await self.news()
            if self.gone:
                return self.done()
            if not self.opened:
                return self.finish()
            self.left = size
            await self.pieces(file, size)

    async def pieces(self, file, size):
        """Sends an open file as if the application had."""
        while size > MAX_DATA:
            piece = file.read(MAX_DATA)
            size -= len(piece)
            await self.body(piece, True)
            if not piece:
                break
        await self.body(file.read(size), False)

    head_frame = Answer.head_frame

    def finish(self):
        """The application has ended its answer, of which frames have left."""
        if not self.gone:
            self.end(0, self.trailers or b"")
        self.done()

    def done(self):
        self.stage = DONE
        self.wake()

    def unfinished(self):
        """The application returned before its answer was complete."""
        if self.gone:
            self.stage = DONE
        else:
            what = "sending" if self.stage == NEW else "completing"
            raise RuntimeError("the application returned without %s its answer" % what)
