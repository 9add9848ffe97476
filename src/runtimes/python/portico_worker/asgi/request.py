"""What HTTP requests and WebSockets have in common: a task, something to wait for, an end."""
from asyncio import CancelledError
from time import perf_counter

from .. import trace
from ..answer import FAILURE_HEAD, LONGEST_TRACEBACK, Answer, Left
from ..link import END, FAILED, INITIAL_WINDOW, RESPONSE, answer_head, frame_head, u32
from .scope import LENGTHS

#: Where an answer stands: nothing yet; its head is known, and most likely it takes one frame; its head
#: is known; the head has left, for HTTP and for a WebSocket; its body is complete and trailers follow;
#: nothing more can be sent.
NEW, PLAIN, STARTED, FLOWING, OPEN, TRAILING, DONE = range(7)


class Request:
    """The link sets `link`, `id`, `began`, `scope` and `both`, of which the line is a part; what stands
    here are every request's beginnings.
    """

    task = None
    stage = NEW
    #: The server wants to hear no more: the visitor has left, or it took too long.
    gone = False
    #: Bytes of DATA and SEND that the server will take.
    window = INITIAL_WINDOW
    #: Futures of those who wait for the server.
    waiting = ()
    #: Will cancel the task, after the visitor has left.
    timer = None

    log = Answer.log

    @property
    def line(self):
        both = self.both
        return both[LENGTHS : LENGTHS + u32.unpack_from(both)[0]]

    async def run(self, application):
        """The whole life of the request, as a task."""
        try:
            result = await application(self.scope, self.receive, self.send)
            if self.stage != DONE:
                self.unfinished()
            if result is not None:
                self.log("the application returned %r, and not None" % (result,))
        except BaseException as error:
            self.failed(error)
        link = self.link
        if link.requests.get(self.id) is not self or link.ending or self.timer is not None:
            link.over(self)
        else:
            del link.requests[self.id]

    async def news(self):
        """Waits for anything from the server."""
        future = self.link.loop.create_future()
        if not self.waiting:
            self.waiting = []
        self.waiting.append(future)
        await future

    def wake(self):
        if self.waiting:
            for future in self.waiting:
                if not future.done():
                    future.set_result(None)
            self.waiting.clear()

    async def room(self):
        """Waits until the server takes more. False: it never will."""
        link = self.link
        while not self.gone:
            if self.window <= 0:
                await self.news()
            elif link.rest is not None:
                await link.drained()
            else:
                return True
        return False

    def give_up(self, grace):
        """Nobody waits for the answer. A task that goes on for `grace` seconds is cancelled."""
        if self.gone:
            return
        self.gone = True
        if self.stage == PLAIN:
            self.stage = STARTED
        if self.stage != DONE:
            self.timer = self.link.loop.call_later(grace, self.cancel, perf_counter(), grace)
        self.wake()

    def cancel(self, left_at, grace):
        if self.stage == DONE:
            return  # The application has ended its answer: what it does now, it does for itself.
        limit = self.link.deadline
        if limit and left_at - self.began >= limit:
            from .tasks import stack

            self.log(
                "cancelled %g s after its deadline; it was at (most recent call last):\n%s"
                % (grace, "".join(stack(self.task)).rstrip("\n"))
            )
        self.task.cancel()

    microseconds = Answer.microseconds

    def push(self, frame):
        self.link.queue(frame, perf_counter())

    def end(self, flags=0, trailers=b""):
        self.stage = DONE
        self.push(self.end_frame(flags, trailers))

    def end_frame(self, flags=0, trailers=b""):
        head = frame_head.pack(u32.size + len(trailers), self.id, END, flags, 0)
        return head + u32.pack(self.microseconds()) + trailers

    def failed(self, error):
        """The application raised."""
        if self.gone and because_left(error):
            self.stage = DONE
            return
        text = trace.text(error)
        self.log("the application failed\n" + text.rstrip("\n"))
        if self.gone or self.stage == DONE:
            self.stage = DONE
        elif self.stage > STARTED:
            self.end(FAILED)
        else:
            self.respond_failure(text.encode("utf-8", "backslashreplace")[-LONGEST_TRACEBACK:])
        self.wake()

    def respond_failure(self, body):
        self.stage = DONE
        size = len(FAILURE_HEAD)
        self.push(
            answer_head.pack(
                16 + size + len(body), self.id, RESPONSE, FAILED, 500, size, self.microseconds(), -1
            )
            + FAILURE_HEAD
            + body
        )


def because_left(error):
    """Whether `error` is no more than the news that the visitor has left, or what was made of it."""
    chain, seen = [error], set()
    while chain:
        one = chain.pop()
        if isinstance(one, (Left, CancelledError)):
            return True
        if id(one) not in seen:
            seen.add(id(one))
            chain.extend(getattr(one, "exceptions", ()))
            chain.extend(next for next in (one.__cause__, one.__context__) if next is not None)
    return False
