"""HOT: a link within an event loop: one read brings many requests, one write takes many answers.

4.1 µs of CPU a hello request, system calls included (CPython 3.11 with uvloop, 24 in flight;
`bench/worker-link.ts`), of which the application itself takes 0.4 and its task 0.8.
"""
import struct
from asyncio import Task
from time import perf_counter

from .. import answer
from ..link import (
    BODY,
    BODY_END,
    CANCEL,
    CLOSE,
    END,
    FAILED,
    LONGEST_HOLD,
    MESSAGE,
    MORE,
    OPENED,
    QUIT,
    REQUEST,
    SPOOLED,
    TEXT,
    WEBSOCKET,
    WINDOW,
    Garbage,
    Link,
    check,
    frame_head,
    request_head,
    u32,
)
from .body import Spool, Upload
from .http import HttpRequest
from .request import DONE, STARTED
from .scope import LENGTHS, as_websocket, learn, scopes
from .websocket import WebSocket

#: Seconds that a task has for noticing that nobody waits for its answer: before there is one, when it
#: may also be the deadline that has passed, and in the middle of it.
GRACE = 1.0
LONG_GRACE = 10.0

_u16 = struct.Struct("<H")


class AsgiLink(Link):
    """`worker` is set by the loop: what all links of a worker share."""

    streams = True

    def __init__(self, path, hello, errors):
        super().__init__(path, hello, errors)
        self.worker = None
        self.loop = None
        #: id → request, until its task is done or another one has the id.
        self.requests = {}
        #: Frames that wait to share a write.
        self.held = []
        #: A flush is to come in this turn of the loop.
        self.planned = False
        #: When this turn began, or the last write.
        self.turn = 0.0
        #: What the kernel has not taken yet.
        self.rest = None
        self.drains = []
        #: Requests that end may be what its own end waits for.
        self.ending = False

    def belong(self, worker):
        self.worker = worker
        self.loop = worker.loop
        self.deadline = worker.deadline

    def connect(self):
        if not super().connect():
            return False
        self.socket.setblocking(False)
        self.loop.add_reader(self.socket.fileno(), self.readable)
        return True

    def close(self):
        connection = self.socket
        if connection is not None:
            self.loop.remove_reader(connection.fileno())
            self.loop.remove_writer(connection.fileno())
        super().close()
        self.held.clear()
        self.rest = None
        self.wake_drained()
        for request in self.requests.values():
            request.give_up(LONG_GRACE if request.stage > STARTED else GRACE)

    def successor(self):
        link = super().successor()
        link.belong(self.worker)
        # Their tasks may go on.
        self.worker.lingering.update(self.requests.values())
        self.requests = {}
        return link

    def idle(self):
        """Every answer is complete, and has left."""
        if self.held or self.rest is not None:
            return False
        return all(request.stage == DONE or request.gone for request in self.requests.values())

    # To the server.

    def queue(self, frame, now):
        """Sends with the others of this turn of the loop, but not later than a millisecond from now."""
        self.held.append(frame)
        self.queued(now)

    def queued(self, now):
        if now - self.turn >= LONGEST_HOLD:
            self.turn = now
            self.flush()
        elif not self.planned:
            self.planned = True
            self.loop.call_soon(self.flush_planned)

    def send(self, data):
        self.held.append(data)
        self.flush()
        return not self.broken

    def flush_planned(self):
        self.planned = False
        self.flush()
        if self.ending:
            self.worker.look_soon()

    def flush(self):
        held = self.held
        if not held or self.rest is not None:
            return
        data = held[0] if len(held) == 1 else b"".join(held)
        held.clear()
        if self.socket is not None:
            self.write(data)

    def write(self, data):
        try:
            taken = self.socket.send(data)
        except BlockingIOError:
            taken = 0
        except OSError:
            # What has come from the server is still to be read, and then the end.
            return
        if taken < len(data):
            self.rest = memoryview(data)[taken:]
            self.loop.add_writer(self.socket.fileno(), self.writable)

    def writable(self):
        data, self.rest = self.rest, None
        self.loop.remove_writer(self.socket.fileno())
        self.write(data)
        if self.rest is None:
            self.flush()
        if self.rest is None:
            self.wake_drained()
            self.worker.look_soon()

    async def drained(self):
        """Waits until the kernel has taken everything, or the link has ended."""
        future = self.loop.create_future()
        self.drains.append(future)
        await future

    def wake_drained(self):
        drains, self.drains = self.drains, []
        for future in drains:
            if not future.done():
                future.set_result(None)

    # From the server.

    def readable(self):
        try:
            if not self.receive():
                self.worker.look_soon()
            elif self.buffer:
                self.take_in()
        except BlockingIOError:
            pass
        except Garbage as reason:
            self.worker.give_up(reason)
        except struct.error as reason:
            self.worker.give_up(Garbage("a frame that is too short: %s" % reason))

    def take_in(self):
        """Handles all the frames in hand."""
        buffer = self.buffer
        at = 0
        end = len(buffer)
        requests = self.requests
        worker = self.worker
        application = worker.application
        state = worker.state
        loop = self.loop
        factory = loop.get_task_factory()
        unpack = request_head.unpack_from
        known_get = scopes.get
        self.turn = now = perf_counter()
        while end - at >= 12:
            if end - at >= 20:
                length, id, kind, flags, _, line_size, block_size = unpack(buffer, at)
            else:
                length, id, kind, flags, _ = frame_head.unpack_from(buffer, at)
            stop = at + 12 + length
            if stop > end:
                break
            if kind != REQUEST:
                check(length, kind)
                self.control(id, kind, flags, buffer[at + 12 : stop])
                at = stop
                continue
            if length < 8:
                raise Garbage("a request of %d bytes" % length)
            body_at = at + 20 + line_size + block_size
            if body_at > stop:
                raise Garbage("a request whose parts are longer than itself")
            both = buffer[at + 12 : body_at]
            body = buffer[body_at:stop] if body_at < stop else b""
            at = stop
            known = known_get(both)
            if known is None:
                try:
                    known = learn(both, line_size)
                except ValueError:
                    self.held.append(answer.refusal(id, both[LENGTHS:]))
                    continue
            scope = known.copy()
            scope["asgi"] = known["asgi"].copy()
            scope["headers"] = known["headers"].copy()
            scope["extensions"] = known["extensions"].copy()
            if flags & WEBSOCKET:
                as_websocket(scope)
                request = WebSocket()
            else:
                request = HttpRequest()
            if state is not None:
                scope["state"] = state.copy()
            request.link = self
            request.id = id
            request.both = both
            request.began = now
            request.scope = scope
            if flags & MORE:
                request.source = Upload(request)
            elif flags & SPOOLED:
                try:
                    request.source = Spool(body)
                except OSError as error:
                    request.failed(error)
                    continue
            elif body:
                request.source = body
            if both.startswith(b"HEAD\0", LENGTHS):
                request.bare = True
            if id in requests:
                worker.lingering.add(requests[id])
            requests[id] = request
            coroutine = request.run(application)
            # The loop's own way gives each task a number, which takes longer than all else about it.
            request.task = (
                Task(coroutine, loop=loop, name="request")
                if factory is None
                else loop.create_task(coroutine)
            )
        self.buffer = b""
        self.at = 0
        if at < end:
            self.keep_rest(buffer, at)
        if not self.planned:
            # Behind the first step of every task above.
            self.planned = True
            self.loop.call_soon(self.flush_planned)

    def control(self, id, kind, flags, payload):
        """Handles a frame that is no request."""
        if kind == QUIT:
            self.quit = self.ending = True
            for request in self.requests.values():
                if isinstance(request, WebSocket):
                    request.restart()
            return self.worker.look_soon()
        request = self.requests.get(id)
        if request is None or request.stage == DONE or request.gone:
            return
        if kind == WINDOW:
            request.window += u32.unpack_from(payload)[0]
        elif kind == BODY and isinstance(request.source, Upload):
            request.source.pieces.append(payload)
        elif kind == BODY_END and isinstance(request.source, Upload):
            request.source.ended = True
        elif kind == MESSAGE and isinstance(request, WebSocket):
            return request.arrived(flags & TEXT, payload)
        elif kind == CLOSE and isinstance(request, WebSocket):
            code = _u16.unpack_from(payload)[0]
            return request.parted(code, payload[2:].decode("utf-8", "replace"), LONG_GRACE)
        elif kind == OPENED:
            request.opened = flags
        elif kind == CANCEL:
            request.push(request.end_frame(FAILED))
            return request.give_up(LONG_GRACE if request.stage > STARTED else GRACE)
        request.wake()

    def over(self, request):
        """The task of `request` is done, and not simply so."""
        if request.timer is not None:
            request.timer.cancel()
        if self.requests.get(request.id) is request:
            del self.requests[request.id]
        self.worker.lingering.discard(request)
        if self.ending:
            self.worker.look_soon()

    def leave(self):
        if not self.leaving:
            self.ending = True
            for request in self.requests.values():
                if isinstance(request, WebSocket):
                    request.restart()
        super().leave()
