"""The loop of a worker with several threads: one reads the links, the others run the application."""
import threading
from _queue import Empty, SimpleQueue
from time import perf_counter

from .answer import Answer, refusal
from .arrivals import arrivals
from .environ import fill, make_learn
from .link import (
    CANCEL,
    EAGER_ANSWERS,
    LONGEST_HOLD,
    MOST_HELD,
    OPENED,
    QUIT,
    REQUEST,
    WINDOW,
    Garbage,
    Link,
    check,
    frame_head,
    request_head,
    u32,
)


#: Answers that share a write at most.
MOST_ANSWERS_HELD = 64


class ThreadedLink(Link):
    """A link that the main thread reads and that any thread sends on."""

    def __init__(self, path, hello, errors):
        super().__init__(path, hello, errors)
        self.lock = threading.Lock()
        #: What answers wait for; guards their windows.
        self.news = threading.Condition()
        #: id → Answer, from the arrival of the request to its end.
        self.answers = {}
        #: Frames that wait to share a write; whoever finds no more to do sends them.
        self.held = []
        #: Answers that are still to leave one by one.
        self.eager = 0

    def successor(self):
        for answer in list(self.answers.values()):
            self.change(answer, CANCEL)
        return super().successor()

    def idle(self):
        return not self.answers and not self.held

    def close(self):
        with self.lock:
            super().close()

    def flush(self):
        if self.held:
            with self.lock:
                data = b"".join(self.held)
                self.held.clear()
                self.send(data)
        return not self.broken

    def send_soon(self, frame):
        with self.lock:
            self.held.append(frame)
        if self.eager or len(self.held) >= MOST_ANSWERS_HELD or len(frame) > MOST_HELD:
            self.flush()

    def send_now(self, frame):
        with self.lock:
            self.held.append(frame)
        return self.flush()

    def look(self, answer):
        """The main thread reads and has told `answer` already."""

    def wait(self, answer, ready):
        """Waits until `ready()`, or until `answer` is cancelled."""
        with self.news:
            self.news.wait_for(lambda: ready() or answer.cancelled)

    def tell(self, id, kind, flags, amount):
        """Hands a frame from the server to the answer it is for, if that is still under way."""
        answer = self.answers.get(id)
        if answer is not None:
            self.change(answer, kind, flags, amount)

    def change(self, answer, kind, flags=0, amount=0):
        with self.news:
            apply(answer, kind, flags, amount)
            self.news.notify_all()

    def leave(self):
        """Like every frame, behind the whole of the one before it."""
        with self.lock:
            super().leave()


def apply(answer, kind, flags, amount):
    if kind == WINDOW:
        answer.window += amount
    elif kind == OPENED:
        answer.opened = flags
    else:
        answer.cancelled = True


def serve(application, base, links, departure, app):
    """Answers requests until every server has said QUIT, or the worker has departed."""
    jobs = SimpleQueue()
    learn = make_learn(base, known := {})
    pool = [
        threading.Thread(
            target=work, args=(application, jobs, departure), name="portico-%d" % number, daemon=True
        )
        for number in range(1, app["threads"] + 1)
    ]
    for thread in pool:
        thread.start()
    for link in arrivals(links, departure, one_at_a_time=False):
        take_in(link, known, learn, jobs.put)
    for _ in pool:
        jobs.put(None)
    for thread in pool:
        thread.join()


def take_in(link, known, learn, begin):
    """Handles all the frames in hand on `link`; `begin` is given what each request needs."""
    buffer = link.buffer
    at = link.at
    end = len(buffer)
    while end - at >= 12:
        length, id, kind, flags, _ = frame_head.unpack_from(buffer, at)
        check(length, kind)
        stop = at + 12 + length
        if stop > end:
            break
        if kind == REQUEST:
            if length < 8:
                raise Garbage("a request of %d bytes" % length)
            _, _, _, _, _, line_size, block_size = request_head.unpack_from(buffer, at)
            block_at = at + 20 + line_size
            body_at = block_at + block_size
            if body_at > stop:
                raise Garbage("a request whose parts are longer than itself")
            line = buffer[at + 20 : block_at]
            block = buffer[block_at:body_at]
            environ = (known.get(block) or learn(block)).copy()
            try:
                fill(environ, line)
            except ValueError:
                link.send_now(refusal(id, line))
            else:
                answer = Answer()
                answer.link = link
                answer.id = id
                answer.line = line
                link.answers[id] = answer
                begin((answer, environ, flags, buffer[body_at:stop]))
        elif kind == QUIT:
            link.quit = True
        elif kind in (CANCEL, WINDOW, OPENED):
            link.tell(id, kind, flags, u32.unpack_from(buffer, at + 12)[0] if kind == WINDOW else 0)
        else:
            raise Garbage("a body in pieces, which no WSGI worker takes")
        at = stop
    link.buffer = b""
    link.at = 0
    if at < end:
        link.keep_rest(buffer, at)


def work(application, jobs, departure):
    """A thread of the pool."""
    link = None
    while True:
        try:
            job = jobs.get(False)
        except Empty:
            if link is not None:
                link.flush()
                if link.quit and link.idle():
                    departure.wake()
            job = jobs.get()
        if job is None:
            return
        answer, environ, flags, body = job
        if answer.link is not link:
            if link is not None:
                link.flush()
            link = answer.link
        answer.began = perf_counter()
        if answer.cancelled:
            answer.close(None)
        else:
            answer.run(application, environ, flags, body)
        if perf_counter() - answer.began >= LONGEST_HOLD:
            link.eager = EAGER_ANSWERS
            link.flush()
        elif link.eager:
            link.eager -= 1
        link.answers.pop(answer.id, None)
        # Nothing of a request is to live until the next one comes.
        del job, environ, body, answer
        if link.quit and link.idle():
            link.flush()
            departure.wake()
