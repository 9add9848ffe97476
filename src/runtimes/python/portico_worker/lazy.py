"""Applications that each worker imports by itself, after the fork.

The first process that is forked is a scout: it tells the parent whether the application loads at all, and
becomes the first worker that is asked for.
"""
import json
import os
import sys

# Bound before an application's greenlets replace it.
from os import read

from . import declares, process
from .load import LoadFailed, load

#: sysexits.h: EX_CONFIG. The supervisor takes such an end for a start that failed.
START_FAILED = 78


class Scout:
    """Between the parent and its scout; each has one end of both pipes."""

    def __init__(self):
        self.pid = 0
        self.loaded = False
        self.said = b""
        self.news = os.pipe()
        self.orders = os.pipe()

    def fileno(self):
        return self.news[0]

    def is_child(self):
        os.close(self.news[0])
        os.close(self.orders[1])

    def is_parent(self, pid):
        self.pid = pid
        os.close(self.news[1])
        os.close(self.orders[0])

    # The parent's.

    def hear(self):
        """What it has said, when that is complete; None before. Raises EOFError when it has ended."""
        data = read(self.news[0], 65536)
        if not data:
            raise EOFError
        self.said += data
        return json.loads(self.said) if self.said.endswith(b"\n") else None

    def become(self, slot):
        """Has it be the worker of that slot."""
        os.write(self.orders[1], b"%d\n" % slot)
        self.close()

    def close(self):
        os.close(self.news[0])
        os.close(self.orders[1])

    # The scout's own.

    def tell(self, **facts):
        data = json.dumps(facts).encode("ascii") + b"\n"
        while data:
            data = data[os.write(self.news[1], data) :]

    def wait(self):
        """The slot that it is to have."""
        order = read(self.orders[0], 64)
        if not order:
            os._exit(0)
        os.close(self.news[1])
        os.close(self.orders[0])
        return int(order)


def load_here(settings, scout):
    """In the new process: the application, or the end. `scout` is None for all but the first."""
    app = settings["app"]
    if scout is not None:
        scout.is_child()
    try:
        application = load(app["module"], app["callable"], app["dir"])
    except LoadFailed as failure:
        if scout is None:
            print(failure, file=sys.stderr, flush=True)
        else:
            scout.tell(failed=str(failure))
        sys.stdout.flush()
        os._exit(START_FAILED)
    if scout is not None:
        process.warn_of_mode(app, application)
        scout.tell(declares=declares.declares())
    return application
