"""Metrics of the application, beside Portico's own at /metrics and in what goes to StatsD.

    portico.metrics.counter("orders", country="de")
    portico.metrics.gauge("stock", 17)
    with portico.metrics.timed("search"): ...

Nobody waits for them: they leave at once and are not answered. Outside of Portico nothing happens.
"""
import functools
import os
import sys
from time import perf_counter

from .connection import Connection, NotInPortico, pool
from .resp import encode

_connection = None
_complained = False


def counter(name, by=1, **labels):
    """Adds to a number that only grows."""
    _report(name, "counter", by, labels)


def gauge(name, value, **labels):
    """A number as it is now."""
    _report(name, "gauge", value, labels)


def timing(name, seconds, **labels):
    """How long something took; these become a histogram."""
    _report(name, "timing", seconds, labels)


class timed:
    """Times a block, or each call of a function."""

    def __init__(self, name, **labels):
        self.name = name
        self.labels = labels

    def __enter__(self):
        self.began = perf_counter()
        return self

    def __exit__(self, *_failure):
        timing(self.name, perf_counter() - self.began, **self.labels)

    def __call__(self, function):
        @functools.wraps(function)
        def timed_function(*arguments, **named):
            with timed(self.name, **self.labels):
                return function(*arguments, **named)

        return timed_function


def _report(name, kind, value, labels):
    global _connection
    if not isinstance(value, (int, float)):
        raise TypeError("a metric is a number, not %s" % type(value).__name__)
    pairs = [text for pair in labels.items() for text in (pair[0], str(pair[1]))]
    data = encode(("PORTICO.METRIC", name, kind, float(value), *pairs))
    for _ in range(2):
        try:
            if _connection is None:
                _connection = _open()
            # One call of the kernel's: pieces of two threads' do not mix.
            if _connection.socket.send(data) == len(data):
                return
        except NotInPortico:
            return
        except OSError as error:
            _give_up(error)
            continue
        _give_up("it does not read")


def _open():
    """A connection that is not answered."""
    connection = Connection()
    pool.all.add(connection)
    connection.send(encode(("CLIENT", "REPLY", "OFF")))
    return connection


def _give_up(error):
    """The application goes on: metrics are not worth a failed request."""
    global _connection, _complained
    if _connection is not None:
        _connection.close()
        _connection = None
    if not _complained:
        _complained = True
        print("portico: metrics are being lost: %s" % error, file=sys.stderr, flush=True)


def _after_fork():
    global _connection
    _connection = None


os.register_at_fork(after_in_child=_after_fork)
