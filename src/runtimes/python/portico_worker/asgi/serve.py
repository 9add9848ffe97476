"""The life of a worker that speaks ASGI: startup, links to every server thread, shutdown."""
import asyncio
import os
import sys
from time import perf_counter

from ..arrivals import PATIENCE, nobody_left, over
from . import tasks
from .detect import as_single
from .lifespan import Lifespan, StartupFailed

# In the warm parent, for all its workers. In C, and several times as fast as asyncio's own loop.
try:
    from uvloop import new_event_loop
except ImportError:
    from asyncio import new_event_loop

#: Exit code of a worker whose application does not start (sysexits.h: EX_CONFIG). The supervisor knows it.
START_FAILED = 78


def serve(application, _base, links, departure, app):
    """Answers requests until every server has said QUIT, or the worker has departed."""
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    worker = Worker(as_single(application), links, departure, app, loop)
    tasks.show_on_signal(loop, worker)
    try:
        loop.run_until_complete(worker.run())
    except StartupFailed as failure:
        print("portico: the application does not start: %s" % failure, file=sys.stderr, flush=True)
        # At once: threads that the startup began must not keep it.
        os._exit(START_FAILED)
    wind_up(loop)


def wind_up(loop):
    """What `asyncio.run` does at its end: nothing that the application began is left half-way."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=1))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


class Worker:
    """What the links share, and when they are to be connected, left and closed."""

    def __init__(self, application, links, departure, app, loop):
        self.application = application
        self.links = links
        self.departure = departure
        self.app = app
        self.loop = loop
        #: In seconds; 0: none.
        self.deadline = app["deadlineMs"] / 1000
        #: The lifespan's, for the scope of every request; None: there is none.
        self.state = None
        #: Requests whose tasks go on when their answers are complete.
        self.lingering = set()
        #: The worker is to go.
        self.asked = False
        self.patience_ends = 0.0
        self.planned = False
        self.timer = None
        self.finished = loop.create_future()

    async def run(self):
        self.loop.add_reader(self.departure.pipe[0], self.depart)
        lifespan = Lifespan(self.application, self.app["lifespan"])
        if not await self.start(lifespan):
            return
        self.state = lifespan.state
        for link in self.links:
            link.belong(self)
        self.look()
        await self.finished
        await self.last_tasks()
        await lifespan.shutdown(self.complain)

    async def start(self, lifespan):
        """False: the worker was told to go meanwhile."""
        startup = self.loop.create_task(lifespan.startup(self.app["startTimeoutMs"] / 1000))
        await asyncio.wait([startup, self.finished], return_when=asyncio.FIRST_COMPLETED)
        if startup.done():
            startup.result()
            return True
        startup.cancel()
        return False

    async def last_tasks(self):
        """Waits for what goes on behind complete answers. The supervisor knows how long that may take."""
        requests = [*self.lingering, *(one for link in self.links for one in link.requests.values())]
        if requests:
            await asyncio.wait([request.task for request in requests])

    def complain(self, what):
        print("portico: " + what, file=sys.stderr, flush=True)

    def depart(self):
        """The signal's handler has written to the pipe."""
        os.read(self.departure.pipe[0], 4096)
        if not self.departure.asked or self.asked:
            return
        self.asked = True
        self.patience_ends = perf_counter() + PATIENCE
        if self.links[0].worker is None:
            self.finish()
        else:
            self.look()

    def give_up(self, reason):
        if not self.finished.done():
            self.finished.set_exception(reason)

    def finish(self):
        if not self.finished.done():
            self.finished.set_result(None)

    def look_soon(self):
        if not self.planned:
            self.planned = True
            self.loop.call_soon(self.look)

    def look(self):
        """Connects, makes anew, leaves and closes links: as `arrivals.arrivals`, whenever one may be due."""
        self.planned = False
        if self.finished.done():
            return
        for index, link in enumerate(self.links):
            if link.quit and link.socket is not None and (link.broken or link.idle()):
                link.close()
            elif link.broken and not link.quit:
                link = self.links[index] = link.successor()
            if self.asked and link.socket is not None:
                link.leave()
        if over(self.links) or (self.asked and nobody_left(self.links, self.patience_ends)):
            return self.finish()
        self.look_again(self.patience_ends - perf_counter() if self.asked else self.connect())

    def connect(self):
        """Tries the links that are due; the seconds until the next one is, or None."""
        pause = None
        for link in self.links:
            if link.socket is None and not link.quit:
                if perf_counter() >= link.next_try:
                    link.connect()
                if link.socket is None:
                    wait = max(0.001, link.next_try - perf_counter())
                    pause = wait if pause is None else min(pause, wait)
        return pause

    def look_again(self, pause):
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if pause is not None and pause > 0:
            self.timer = self.loop.call_later(pause, self.look)
