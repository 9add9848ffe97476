"""HOT: the loop of a worker with one thread: 2.8 µs of CPU a hello request, system calls included.

Of these the application itself takes 0.3 (CPython 3.11, 64 in flight; `bench/worker-link.ts`).
"""
import io
import socket
from time import perf_counter

from .answer import Answer, refusal
from .arrivals import arrivals
from .environ import add_length, add_scheme, make_learn, open_body
from .link import (
    BODY,
    BODY_END,
    CANCEL,
    CLOSE,
    EAGER_ANSWERS,
    END,
    FAILED,
    LONGEST_HOLD,
    LONGEST_WAIT,
    MAX_WHOLE,
    MESSAGE,
    MOST_HELD,
    OPENED,
    QUIT,
    REQUEST,
    RESPONSE,
    WINDOW,
    Garbage,
    Link,
    answer_head,
    check,
    frame_head,
    limit_wait,
    request_head,
    u32,
)

#: Bytes of requests kept aside while one is answered; more is not a server of ours.
MOST_KEPT = 4 * 16777216


class SyncLink(Link):
    """A link that is read by whoever waits for something: the loop, or an answer within it."""

    def __init__(self, path, hello, errors):
        super().__init__(path, hello, errors)
        #: Answers that are still to leave one by one.
        self.eager = 0
        #: Frames that wait to share a write.
        self.held = []
        #: Requests met while an answer waited for its window: id → frame.
        self.kept = {}
        self.kept_bytes = 0

    def flush(self):
        held = self.held
        if held:
            data = b"".join(held)
            held.clear()
            self.send(data)
        return not self.broken

    def send_soon(self, frame):
        """Holds an answer back only for the sake of those behind it: nobody knows what the application
        does before it asks for the next request."""
        self.held.append(frame)
        if self.eager or self.at >= len(self.buffer) or len(frame) > MOST_HELD:
            self.flush()

    def send_now(self, frame):
        self.held.append(frame)
        return self.flush()

    def look(self, answer):
        """Takes in what has come for `answer`, without waiting."""
        self.sort(answer)
        try:
            if self.receive(socket.MSG_DONTWAIT):
                self.sort(answer)
            else:
                answer.cancelled = True
        except BlockingIOError:
            pass

    def wait(self, answer, ready):
        """Waits until `ready()`, or until `answer` is cancelled."""
        self.sort(answer)
        while not ready() and not answer.cancelled:
            try:
                if not self.flush() or not self.receive():
                    answer.cancelled = True
            except BlockingIOError:
                limit_wait(self.socket, LONGEST_WAIT)
            self.sort(answer)

    def sort(self, answer):
        """Applies the frames in hand that are for `answer` and keeps the requests."""
        buffer, at = self.buffer, self.at
        end = len(buffer)
        while end - at >= 12:
            length, id, kind, flags, _ = frame_head.unpack_from(buffer, at)
            check(length, kind)
            stop = at + 12 + length
            if stop > end:
                break
            if kind == REQUEST:
                self.kept[id] = buffer[at:stop]
                self.kept_bytes += stop - at
                if self.kept_bytes > MOST_KEPT:
                    raise Garbage("more than %d bytes of requests at once" % MOST_KEPT)
            elif kind == QUIT:
                self.quit = True
            elif kind in (BODY, BODY_END, MESSAGE, CLOSE):
                raise Garbage("a body in pieces, which no WSGI worker takes")
            elif kind == CANCEL and self.kept.pop(id, None) is not None:
                self.held.append(frame_head.pack(u32.size, id, END, FAILED, 0) + u32.pack(0))
            elif id == answer.id:
                if kind == WINDOW:
                    answer.window += u32.unpack_from(buffer, at + 12)[0]
                elif kind == OPENED:
                    answer.opened = flags
                elif kind == CANCEL:
                    answer.cancelled = True
            at = stop
        self.buffer = b""
        self.at = 0
        if at < end:
            self.keep_rest(buffer, at)

    def take_back(self):
        """The frames still to be handled, after an answer may have sorted them."""
        if self.kept:
            buffer = b"".join(self.kept.values()) + self.buffer[self.at :]
            self.kept = {}
            self.kept_bytes = 0
            self.buffer = buffer
            self.at = 0
        return self.buffer, self.at


def serve(application, base, links, departure, _app):
    """Answers requests until every server has said QUIT, or the worker has departed."""
    known = {}
    learn = make_learn(base, known)
    for link in arrivals(links, departure, one_at_a_time=True):
        run(link, application, known, learn)
        link.flush()


def run(link, application, known, learn):
    """Answers all the requests in hand on `link`; the last answers may still be held.

    What a plain request needs is written out here: a call costs as much as what it does.
    """
    known_get = known.get
    plain = (list, tuple)
    BytesIO = io.BytesIO
    clock = perf_counter
    unpack = request_head.unpack_from
    pack = answer_head.pack
    hold = link.held.append
    buffer = link.buffer
    at = link.at
    end = len(buffer)
    total = 0
    since = now = clock()
    while end - at >= 20:
        length, id, kind, flags, _, line_size, block_size = unpack(buffer, at)
        stop = at + 12 + length
        if stop > end:
            break
        if kind != REQUEST:
            at = control(link, buffer, at)
            continue
        block_at = at + 20 + line_size
        body_at = block_at + block_size
        if body_at > stop:
            raise Garbage("a request whose parts are longer than itself")
        line = buffer[at + 20 : block_at]
        block = buffer[block_at:body_at]
        link.at = at = stop
        environ = (known_get(block) or learn(block)).copy()
        try:
            (
                method,
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
                content_length,
            ) = line.decode("latin-1").split("\0")
        except ValueError:
            hold(refusal(id, line))
            continue
        environ["REQUEST_METHOD"] = method
        environ["REQUEST_URI"] = environ["RAW_URI"] = uri
        if scheme != "http":
            add_scheme(environ, scheme)
        if content_length:
            add_length(environ, content_length)
        answer = Answer()
        answer.link = link
        answer.id = id
        answer.line = line
        answer.began = began = now
        result = None
        try:
            if flags:
                answer.spool = environ["wsgi.input"] = open_body(flags, buffer[body_at:stop])
            else:
                environ["wsgi.input"] = BytesIO(buffer[body_at:stop])
            result = application(environ, answer.start_response)
            status, head_flags, declared, head, special = answer.head
            body = None
            if type(result) in plain and not special:
                body = result[0] if len(result) == 1 else b"".join(result)
                size = len(body)
            if (
                type(body) is bytes
                and (declared == size or declared < 0)
                and size <= MAX_WHOLE
                and method != "HEAD"
                and not flags
            ):
                now = clock()
                more = len(head)
                total += size
                more_and_body = 16 + more + size
                service = int((now - began) * 1e6) & 0xFFFFFFFF
                hold(
                    pack(more_and_body, id, RESPONSE, head_flags, status, more, service, declared)
                    + head
                    + body
                )
            else:
                answer.deliver(result)
                answer.close(result)
                now = 0
        except BaseException as error:
            answer.fail(error)
            answer.close(result)
            now = 0
        if not now:
            # An answer may have read on while it waited for its window.
            now = clock()
            buffer, at = link.take_back()
            end = len(buffer)
        # Nobody may ask again for what is not safe: its answer waits for nobody.
        if now - since >= LONGEST_HOLD or total >= MOST_HELD or link.eager or method != "GET":
            total = 0
            since = now
            if now - began >= LONGEST_HOLD:
                link.eager = EAGER_ANSWERS
            elif link.eager:
                link.eager -= 1
            link.flush()
        if link.broken:
            return
    while end - at >= 12 and at + 12 + frame_head.unpack_from(buffer, at)[0] <= end:
        at = control(link, buffer, at)
    link.buffer = b""
    link.at = 0
    if at < end:
        link.keep_rest(buffer, at)


def control(link, buffer, at):
    """Handles a frame that is no request, and for an answer at most for one that is complete."""
    length, _, kind, _, _ = frame_head.unpack_from(buffer, at)
    check(length, kind)
    if kind == QUIT:
        link.quit = True
    elif kind not in (CANCEL, WINDOW, OPENED):
        raise Garbage("frame of type %d with %d bytes where a WSGI worker takes none" % (kind, length))
    return at + 12 + length
