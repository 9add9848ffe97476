"""Signals and what raises them: timers, times of day, files. Signals have numbers, as in uWSGI.

A handler runs in a process of its own, forked from the one that has imported the application; one for
`workers` in every worker.
"""
import sys

from .. import schedule, signals
from . import facts

#: Signals that there may be.
MOST = 256
#: Targets whose handlers run in each of the workers.
EACH_WORKER = ("workers", "active-workers")

#: Number → (target, handler).
_registered = {}
#: Numbers whose signals somebody hears already.
_heard = set()


def signal(number):
    signals.signal(number)


def signal_registered(number):
    return True if number in _registered else None


def free_signal():
    for number in range(MOST):
        if number not in _registered:
            return number
    raise ValueError("all %d signals of uWSGI's are taken; portico.timer and portico.cron need none" % MOST)


def register_signal(number, target, handler):
    _registered[number] = (target, handler)
    if target in EACH_WORKER:
        if number not in _heard:
            _heard.add(number)
            signals.listen(number, lambda _data: _in_worker(number))
    elif _in_time("register_signal"):
        if number not in _heard:
            _heard.add(number)
            schedule.on_signal(number)(_caller(number))
    return True


def add_timer(number, seconds):
    add_rb_timer(number, seconds)


def add_rb_timer(number, seconds, iterations=0):
    if _in_time("add_timer"):
        schedule.timer(seconds, times=iterations)(_caller(number))


def add_cron(number, minute, hour, day, month, weekday):
    if _in_time("add_cron"):
        schedule.cron(minute, hour, day, month, weekday)(_caller(number))


def add_file_monitor(number, path):
    if _in_time("add_file_monitor"):
        schedule.filewatch(path)(_caller(number))


def _in_time(name):
    """Portico is told once, when the application has been imported."""
    if facts.process.begun:
        text = "portico: uwsgi.%s has no effect here: call it while the application is imported"
        print(text % name, file=sys.stderr, flush=True)
        return False
    return True


def _in_worker(number):
    # Mules and job workers listen as well.
    target, handler = _registered[number]
    if facts.worker_id() and target in EACH_WORKER:
        handler(number)


def _caller(number):
    """A function that does what the signal is for, under its handler's name."""

    def call():
        target, handler = _registered.get(number, ("", None))
        if target in EACH_WORKER:
            signals.signal(number)
        elif handler is not None:
            handler(number)

    handler = _registered.get(number, ("", None))[1]
    call.__module__ = getattr(handler, "__module__", "uwsgi")
    call.__qualname__ = getattr(handler, "__qualname__", "signal-%d" % number)
    return call
