"""Shows where the greenlets of requests are, when the supervisor asks: it does before it kills."""
import faulthandler
import os
import signal
from time import perf_counter

from greenlet import getcurrent as current

from .process import TRACEBACK

#: Requests of which the stack is shown, the oldest first; frames of each.
MOST_STACKS = 50
MOST_FRAMES = 100

_write = os.write


def show_on_signal(answers):
    """`answers()`: those under way.

    In addition to the stack that the process is in, which is written whatever that is stuck in: for this
    one here, Python code must have its turn.
    """

    def show(_number, frame):
        under_way = sorted(answers(), key=lambda answer: answer.id)
        for answer in under_way[:MOST_STACKS]:
            greenlet = getattr(answer, "greenlet", None)
            if greenlet is not None:
                where = frame if greenlet is current() else greenlet.gr_frame
                _write(2, describe(answer, where).encode("utf-8", "backslashreplace"))
        if len(under_way) > MOST_STACKS:
            _write(2, b"and %d requests more\n" % (len(under_way) - MOST_STACKS))

    faulthandler.unregister(TRACEBACK)
    signal.signal(TRACEBACK, show)
    faulthandler.register(TRACEBACK, file=2, all_threads=True, chain=True)


def describe(answer, frame):
    method, script, path = answer.line.decode("latin-1").split("\0")[:3]
    seconds = perf_counter() - answer.began
    lines = ["Greenlet of %s %s, for %.1f s (most recent call first):" % (method, script + path, seconds)]
    while frame is not None and len(lines) <= MOST_FRAMES:
        code = frame.f_code
        lines.append('  File "%s", line %d in %s' % (code.co_filename, frame.f_lineno, code.co_name))
        frame = frame.f_back
    return "\n".join(lines) + "\n"
