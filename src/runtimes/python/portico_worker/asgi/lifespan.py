"""The lifespan of an ASGI application: its startup before the first request, its shutdown after the last."""
import asyncio

from .. import trace


class StartupFailed(Exception):
    """The application does not start; the message is what its owner should read."""


class Lifespan:
    """`wanted`: `auto`, `on` or `off`; `auto` takes an exception for the news that there is no lifespan."""

    def __init__(self, application, wanted):
        self.application = application
        self.wanted = wanted
        #: What the application keeps for its requests; None where it has no lifespan.
        self.state = None
        self.task = None
        self.sent = []
        self.asked = asyncio.Event()
        self.started = asyncio.Event()
        self.stopped = asyncio.Event()
        self.failure = None
        self.error = None

    async def startup(self, seconds):
        """Raises StartupFailed; `seconds`: how long it may take."""
        if self.wanted == "off":
            return
        self.state = {}
        self.sent.append("lifespan.startup")
        self.asked.set()
        self.task = asyncio.get_running_loop().create_task(self.run())
        try:
            await asyncio.wait_for(self.started.wait(), seconds)
        except asyncio.TimeoutError:
            await self.cancel()
            raise StartupFailed(
                "its lifespan startup took longer than %g s; "
                "raise `start timeout` if it needs that long" % seconds
            ) from None
        if self.failure is not None:
            raise StartupFailed("its lifespan startup failed: " + self.failure)
        if self.task.done():
            if self.wanted == "on":
                why = "it returned" if self.error is None else "it raised\n" + self.error
                raise StartupFailed("`lifespan: on`, and before its startup was complete " + why)
            self.state = None

    async def cancel(self):
        self.task.cancel()
        await asyncio.wait([self.task], timeout=1)

    async def shutdown(self, log):
        """Waits for the application to tidy up; `log` is told what goes wrong."""
        if self.task is None or self.task.done():
            return
        self.sent.append("lifespan.shutdown")
        self.asked.set()
        await self.stopped.wait()
        if self.failure is not None:
            log("the lifespan shutdown failed: " + self.failure)
        # Its last lines may run behind `lifespan.shutdown.complete`.
        await asyncio.wait([self.task], timeout=1)

    async def run(self):
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self.application(scope, self.receive, self.send)
        except BaseException as error:
            self.error = trace.text(error)
            if self.started.is_set() and self.failure is None:
                self.failure = "it raised\n" + self.error
        self.started.set()
        self.stopped.set()

    async def receive(self):
        while not self.sent:
            self.asked.clear()
            await self.asked.wait()
        return {"type": self.sent.pop(0)}

    async def send(self, message):
        kind = message["type"]
        if kind in ("lifespan.startup.failed", "lifespan.shutdown.failed"):
            self.failure = message.get("message") or "it does not say why"
        elif kind not in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            raise RuntimeError("unexpected ASGI message %r in a lifespan" % (kind,))
        (self.started if ".startup." in kind else self.stopped).set()
