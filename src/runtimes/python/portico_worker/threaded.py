"""The loop of a worker with several threads: one reads the links, the others run the application."""
import threading
from _queue import SimpleQueue
from time import perf_counter

from .answer import Answer, refusal
from .arrivals import arrivals
from .environ import fill, make_learn
from .link import (
    CANCEL,
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


class ThreadedLink(Link):
    """A link that the main thread reads and that any thread sends on."""

    def __init__(self, path, hello, errors):
        super().__init__(path, hello, errors)
        self.lock = threading.Lock()
        #: What answers wait for; guards their windows.
        self.news = threading.Condition()
        #: id → Answer, from the arrival of the request to its end.
        self.answers = {}

    def successor(self):
        with self.news:
            for answer in list(self.answers.values()):
                answer.cancelled = True
            self.news.notify_all()
        return super().successor()

    def idle(self):
        return not self.answers

    def send_now(self, frame):
        with self.lock:
            return self.send(frame)

    send_soon = send_now

    def look(self, answer):
        """The main thread reads and has told `answer` already."""

    def wait(self, answer, ready):
        """Waits until `ready()`, or until `answer` is cancelled."""
        with self.news:
            self.news.wait_for(lambda: ready() or answer.cancelled)

    def tell(self, id, kind, flags, amount):
        """Hands a frame from the server to the answer it is for, if that is still under way."""
        answer = self.answers.get(id)
        if answer is None:
            return
        with self.news:
            if kind == WINDOW:
                answer.window += amount
            elif kind == OPENED:
                answer.opened = flags
            else:
                answer.cancelled = True
            self.news.notify_all()


def serve(application, base, links, departure, threads):
    """Answers requests until every server has said QUIT, or the worker has departed."""
    jobs = SimpleQueue()
    learn = make_learn(base, known := {})
    pool = [
        threading.Thread(
            target=work, args=(application, jobs, departure), name="portico-%d" % number, daemon=True
        )
        for number in range(1, threads + 1)
    ]
    for thread in pool:
        thread.start()
    for link in arrivals(links, departure, one_at_a_time=False):
        take_in(link, known, learn, jobs)
    for _ in pool:
        jobs.put(None)
    for thread in pool:
        thread.join()


def take_in(link, known, learn, jobs):
    """Handles all the frames in hand on `link`."""
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
                jobs.put((answer, environ, flags, buffer[body_at:stop]))
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
    while True:
        job = jobs.get()
        if job is None:
            return
        answer, environ, flags, body = job
        answer.began = perf_counter()
        if answer.cancelled:
            answer.close(None)
        else:
            answer.run(application, environ, flags, body)
        link = answer.link
        link.answers.pop(answer.id, None)
        # Nothing of a request is to live until the next one comes.
        del job, environ, body, answer
        if link.quit and link.idle():
            departure.wake()
