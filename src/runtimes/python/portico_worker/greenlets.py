"""The loop of a worker that runs WSGI in greenlets: one for each link, one for each request.

Only imported once gevent or eventlet has made `threading`, `time`, `select` and `socket` cooperative.
"""
import select
import socket
import threading
import time
from time import perf_counter

from . import engines, stacks
from .arrivals import PATIENCE
from .environ import make_learn
from .link import EAGER_ANSWERS, LONGEST_HOLD, MOST_HELD
from .threaded import MOST_ANSWERS_HELD, ThreadedLink, apply, take_in

#: How often a departing worker looks whether all is answered, in seconds.
LOOK = 0.05


class GreenLink(ThreadedLink):
    """A link that one greenlet reads and that any of them sends on."""

    #: Runs a function in a greenlet of its own, soon.
    spawn = None

    def receive(self, flags=0):
        try:
            return super().receive(flags)
        except OSError:  # what `part` makes of a wait
            self.broken = True
            return False

    def send_soon(self, frame):
        """The answers of greenlets that are ready at the same time share a write."""
        self.held.append(frame)
        if self.eager:
            self.eager -= 1
            self.flush()
        elif len(self.held) >= MOST_ANSWERS_HELD or len(frame) > MOST_HELD:
            self.flush()
        elif len(self.held) == 1:
            self.spawn(self.flush_behind, perf_counter())

    def flush_behind(self, since):
        """Where others kept an answer from leaving for long, the next ones do not wait for company."""
        if perf_counter() - since >= LONGEST_HOLD:
            self.eager = EAGER_ANSWERS
        self.flush()
        self.part()

    def look(self, answer):
        """Others have their turn between two pieces of an answer; among them who reads this link."""
        time.sleep(0)

    def wait(self, answer, ready):
        while not ready() and not answer.cancelled:
            answer.news = threading.Event()
            answer.news.wait()

    def change(self, answer, kind, flags=0, amount=0):
        apply(answer, kind, flags, amount)
        if answer.news is not None:
            answer.news.set()

    def part(self):
        """Ends the wait of who reads this link, when the server has said QUIT and all is answered."""
        if self.quit and self.idle() and self.socket is not None:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(application, base, links, departure, app):
    """Answers requests until every server has said QUIT, or the worker has departed."""
    GreenLink.spawn = staticmethod(engines.spawner(app["mode"]))
    Worker(application, base, links, departure).run()


class Worker:
    def __init__(self, application, base, links, departure):
        self.application = application
        self.links = links
        self.departure = departure
        #: Answers from their beginning to their end, also of links that are gone.
        self.running = set()
        self.known = {}
        self.learn = make_learn(base, self.known)
        #: Links that may still bring requests.
        self.open = len(links)
        self.failure = None
        self.finished = threading.Event()

    def run(self):
        stacks.show_on_signal(self.running)
        for index in range(len(self.links)):
            GreenLink.spawn(self.tend, index)
        GreenLink.spawn(self.depart)
        self.finished.wait()
        if self.failure is not None:
            raise self.failure

    def tend(self, index):
        """The life of the link to one server thread: connected, read, made anew."""
        try:
            while self.step(index):
                pass
        except BaseException as reason:  # noqa: B902: the main greenlet raises it again
            self.failure = reason
            self.finished.set()
        self.open -= 1
        if self.open == 0:
            self.finished.set()

    def step(self, index):
        """False: the link has come to its end."""
        link = self.links[index]
        if link.socket is None:
            if self.departure.asked or any(other.quit for other in self.links):
                return False
            rest = link.next_try - perf_counter()
            if rest > 0:
                time.sleep(rest)
            elif link.connect() and self.departure.asked:
                link.leave()
        elif not link.receive():
            if link.quit:
                link.close()
                return False
            self.links[index] = link.successor()
        elif link.buffer:
            take_in(link, self.known, self.learn, self.begin)
            link.part()
        return True

    def begin(self, job):
        GreenLink.spawn(self.answer, job)

    def answer(self, job):
        """The whole life of a request."""
        answer, environ, flags, body = job
        link = answer.link
        answer.greenlet = stacks.current()
        answer.began = perf_counter()
        self.running.add(answer)
        if answer.cancelled:
            answer.close(None)
        else:
            answer.run(self.application, environ, flags, body)
        self.running.remove(answer)
        link.answers.pop(answer.id, None)
        link.part()

    def depart(self):
        """Waits for the wish that this worker ends, and sees to it."""
        select.select([self.departure.pipe[0]], [], [])
        for link in self.links:
            if link.socket is not None:
                link.leave()
        time.sleep(PATIENCE)
        while not all(link.idle() for link in self.links):
            time.sleep(LOOK)
        self.finished.set()
