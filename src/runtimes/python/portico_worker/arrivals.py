"""Waits for requests on the links: connects them, makes them anew, and knows when all is over."""
import os
import select
import signal
from time import perf_counter, sleep

from .link import LONGEST_WAIT, limit_wait

#: How long a departing worker waits for the servers' QUIT, in seconds; then it goes when it is idle.
PATIENCE = 2.0


class Departure:
    """The wish of the warm parent, or of whoever sent SIGTERM, that this worker ends."""

    def __init__(self, links):
        self.asked = False
        self.links = links
        self.pipe = os.pipe()
        for end in self.pipe:
            os.set_blocking(end, False)

    def ask(self, _number=None, _frame=None):
        """A signal handler. Whatever waits returns at once: a single link's read runs into the limit
        that is set here, a poll sees the pipe."""
        self.asked = True
        self.wake()
        for link in self.links:
            if link.socket is not None:
                limit_wait(link.socket, 0.000001)

    def wake(self):
        """Ends a poll, from any thread."""
        try:
            os.write(self.pipe[1], b"!")
        except BlockingIOError:
            pass

    def listen(self, *numbers):
        for number in numbers:
            signal.signal(number, self.ask)


def arrivals(links, departure, one_at_a_time):
    """Yields the links as frames come in on them; ends when the worker is to end.

    `one_at_a_time`: what is in hand is done before the next is asked for.
    """
    wait = Single(links) if len(links) == 1 and one_at_a_time else Several(links, departure)
    asked = False
    patience_ends = 0.0
    while True:
        if departure.asked and not asked:
            asked = True
            patience_ends = perf_counter() + PATIENCE
        for index, link in enumerate(links):
            if link.quit and (link.broken or link.idle()):
                link.close()
            elif link.broken:
                link = links[index] = link.successor()
            if asked and link.socket is not None:
                bid_farewell(link)
        if over(links) or (asked and nobody_left(links, patience_ends)):
            return
        for link in wait.ready(asked):
            try:
                if link.receive() and link.buffer:
                    yield link
            except BlockingIOError:
                pass


def bid_farewell(link):
    if not link.leaving:
        limit_wait(link.socket, LONGEST_WAIT)
        link.leave()


def over(links):
    """A server said QUIT and no other is there."""
    return any(link.quit for link in links) and all(link.socket is None for link in links)


def nobody_left(links, patience_ends):
    if all(link.socket is None for link in links):
        return True
    return perf_counter() > patience_ends and all(link.idle() for link in links)


class Single:
    """One link: its blocking read is the wait, which saves a system call."""

    def __init__(self, links):
        self.links = links

    def ready(self, asked):
        link = self.links[0]
        if link.socket is not None:
            return (link,)
        pause = link.next_try - perf_counter()
        if pause > 0:
            sleep(min(pause, LONGEST_WAIT))
        return (link,) if not asked and pause <= 0 and link.connect() else ()


class Several:
    def __init__(self, links, departure):
        self.links = links
        self.wake = departure.pipe[0]
        self.sockets = None

    def ready(self, asked):
        pause = LONGEST_WAIT if asked else self.connect()
        sockets = [link.socket for link in self.links]
        if sockets != self.sockets:
            self.watch(sockets)
        events = self.poll(pause * 1000)
        if len(events) == 1 and events[0][0] != self.wake:
            return (self.by_descriptor[events[0][0]],)
        found = [self.by_descriptor.get(descriptor) for descriptor, _ in events]
        if None in found:
            os.read(self.wake, 4096)
        return [link for link in found if link is not None]

    def connect(self):
        """Tries the links that are due; the seconds until the next one is."""
        pause = LONGEST_WAIT
        for link in self.links:
            if link.socket is None and not link.quit:
                if perf_counter() >= link.next_try:
                    link.connect()
                if link.socket is None:
                    pause = min(pause, max(0.001, link.next_try - perf_counter()))
        return pause

    def watch(self, sockets):
        self.sockets = sockets
        self.by_descriptor = {}
        poll = select.poll()
        poll.register(self.wake, select.POLLIN)
        for link in self.links:
            if link.socket is not None:
                poll.register(link.socket, select.POLLIN)
                self.by_descriptor[link.socket.fileno()] = link
        self.poll = poll.poll
