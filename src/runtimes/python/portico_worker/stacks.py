"""Shows where the greenlets of requests are, when the supervisor asks: it does before it kills."""
import faulthandler
import os
import signal
from time import perf_counter

from greenlet import getcurrent as current

from .answer import called
from .process import TRACEBACK

#: Requests of which the stack is shown, the oldest first; frames of each.
MOST_STACKS = 50
MOST_FRAMES = 100

_write = os.write


def show_on_signal(running):
    """Of the answers in the set `running`.

    In addition to the stack that the process is in, which is written whatever that is stuck in: for this
    one here, Python code must have its turn.
    """

    def show(_number, frame):
        oldest_first = sorted(running, key=lambda answer: answer.began)
        for answer in oldest_first[:MOST_STACKS]:
            where = frame if answer.greenlet is current() else answer.greenlet.gr_frame
            _write(2, describe(answer, where).encode("utf-8", "backslashreplace"))
        if len(oldest_first) > MOST_STACKS:
            _write(2, b"and %d requests more\n" % (len(oldest_first) - MOST_STACKS))

    faulthandler.unregister(TRACEBACK)
    signal.signal(TRACEBACK, show)
    faulthandler.register(TRACEBACK, file=2, all_threads=True, chain=True)


def describe(answer, frame):
    seconds = perf_counter() - answer.began
    lines = ["Greenlet of %s, for %.1f s (most recent call first):" % (called(answer.line), seconds)]
    while frame is not None and len(lines) <= MOST_FRAMES:
        code = frame.f_code
        lines.append('  File "%s", line %d in %s' % (code.co_filename, frame.f_lineno, code.co_name))
        frame = frame.f_back
    return "\n".join(lines) + "\n"
