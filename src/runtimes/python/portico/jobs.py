"""Work that is done after the answer: kept until it is done, by processes of the application's own.

    import portico

    @portico.job(queue="mail", retries=5)
    def send(to, subject=""): ...

    send("a@b.c")                             # calls it, as ever
    id = send.delay("a@b.c", subject="hi")    # has it called by a job worker
    send.enqueue_in(600, "a@b.c")             # in ten minutes
    send.enqueue_at(datetime(...), "a@b.c")   # at a time
    portico.jobs.result(id, timeout=10)       # what it returned

A job may run more than once: after its worker was killed, nobody knows how far it had come. Arguments and
results are JSON. Times are seconds. Job workers are `apps.NAME.jobs` in the site file.
"""
import datetime
import difflib
import functools
import importlib
import importlib.util
import json
import os
import sys
import threading
import time

from .connection import Unavailable, pool
from .resp import CommandError
from .values import as_seconds, to_json

QUEUE = "default"
#: Longest that putting a job may take, in seconds: a broker may be restarting.
PUT_TIMEOUT = 30.0
#: How long a job is put again when Portico is away for a moment, in seconds.
PATIENCE = 10.0
#: Key of a payload's object that holds positional arguments; the others are named.
POSITIONAL = "*"

#: Name → Job.
_registered = {}


class Retry(Exception):
    """Raised by a job: it has failed, and is to be tried again after so many seconds."""

    def __init__(self, after, reason="asked to be tried again"):
        super().__init__(reason)
        self.after = after


class Dead(Exception):
    """Raised by a job: it has failed for good, no further attempt makes sense."""


class Missing(LookupError):
    """There is no function for a job of this name."""


class Pending(Exception):
    """The job has not ended yet."""


class Failed(Exception):
    """The job has failed for good; the message says why."""


class Unknown(LookupError):
    """No such job is known: there never was one, or its result has been forgotten."""


def job(function=None, *, name=None, queue=QUEUE, retries=None, backoff=None, deadline=None, keep=None,
        priority=None, key=None, raw=False):  # fmt: skip
    """Makes a function something that job workers do. What is None is as the site file has it for the queue.

    `key`: while a job with the same key waits, no other is put: text, or a function of the arguments that
    makes it. `raw`: the function gets the payload's bytes and may return bytes.
    """
    options = {"retries": retries, "backoff": backoff, "deadline": deadline, "keep": keep, "priority": priority}

    def make(function):
        return Job(function, name, queue, options, key, raw)

    return make if function is None else make(function)


class Job:
    """A function that job workers do. Calling it calls the function."""

    def __init__(self, function, name, queue, options, key, raw):
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name or "%s.%s" % (function.__module__, function.__qualname__)
        self.queue = queue
        self.options = options
        self.key = key
        self.raw = raw
        known = _registered.get(self.name)
        if known is not None and known.function.__code__.co_filename != function.__code__.co_filename:
            raise ValueError("two jobs are called %r: give one another name" % self.name)
        _registered[self.name] = self

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)

    def delay(self, *args, **kwargs):
        """Puts a job that calls the function so; its id."""
        return self.enqueue(args, kwargs)

    def enqueue_in(self, seconds, *args, **kwargs):
        return self.enqueue(args, kwargs, delay=seconds)

    def enqueue_at(self, when, *args, **kwargs):
        """`when`: a datetime (one without a time zone is local time), or seconds since 1970."""
        return self.enqueue(args, kwargs, at=when)

    def enqueue(self, args=(), kwargs=None, **options):
        """With options of `put` for this one job."""
        kwargs = kwargs or {}
        key = self.key(*args, **kwargs) if callable(self.key) else self.key
        given = {**self.options, "key": key, "queue": self.queue, **options}
        return put(self.name, args[0] if self.raw else pack(args, kwargs), **given)

    def run(self, payload):
        """Calls the function as the payload says; the result's bytes."""
        if self.raw:
            result = self.function(payload)
        else:
            args, kwargs = unpack(payload)
            result = self.function(*args, **kwargs)
        if hasattr(result, "__await__"):
            import asyncio

            result = asyncio.run(_awaited(result))
        if isinstance(result, bytes) and self.raw:
            return result
        return to_json(result).encode()


async def _awaited(coroutine):
    return await coroutine


def declares():
    """What Portico is told of the application once it is imported."""
    return {"jobs": [{"name": name, "queue": each.queue} for name, each in sorted(_registered.items())]}


def pack(args, kwargs):
    """Arguments as a payload: a list, or an object with the named ones and the others under "*"."""
    if not kwargs:
        return to_json(list(args))
    return to_json({**kwargs, POSITIONAL: list(args)} if args else kwargs)


def unpack(payload):
    """The arguments of any JSON: of a list, an object, or anything else as the only one."""
    try:
        value = json.loads(payload) if payload else []
    except ValueError as error:
        # It will not get better.
        raise Dead("its payload is no JSON: %s; @portico.job(raw=True) takes any bytes" % error) from None
    if isinstance(value, list):
        return value, {}
    if isinstance(value, dict):
        return value.pop(POSITIONAL, []), value
    return [value], {}


def find(name):
    """The Job of that name: whole, or the last part of it alone where that is one job's only."""
    found = _registered.get(name)
    if found is None and _is_ours(name):
        # Perhaps nobody has imported it yet.
        try:
            importlib.import_module(name.rpartition(".")[0])
        except ImportError:
            pass
        found = _registered.get(name)
    if found is None:
        short = [each for full, each in _registered.items() if full.rpartition(".")[2] == name]
        found = short[0] if len(short) == 1 else None
    if found is None:
        names = ", ".join(sorted(_registered)) or "none"
        # The last part of each stands for it as well.
        words = {**{full.rpartition(".")[2]: full for full in _registered}, **{full: full for full in _registered}}
        near = [words[word] for word in difflib.get_close_matches(name, words, 1, 0.6)]
        names += "; did you mean %r?" % near[0] if near else ""
        raise Missing("no function is decorated with @portico.job for %r; there is %s" % (name, names))
    return found


def _is_ours(name):
    """Whether the application has that package itself: a name must not run whatever Python knows."""
    package = name.partition(".")[0]
    if "." not in name or package in getattr(sys, "stdlib_module_names", ()):
        return False
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = [*(spec.submodule_search_locations or ()), spec.origin or ""]
    return not any(part in place for place in places for part in ("site-packages", "dist-packages"))


def put(name, payload=b"", *, queue=QUEUE, delay=None, at=None, priority=None, retries=None, backoff=None,
        deadline=None, keep=None, key=None, id=None):  # fmt: skip
    """Puts a job for whoever does those of this name; its id, or that of the one that waits with the same key."""
    # Named here, so that one that is put again after a lost answer is still one.
    id = id or "%x-%s" % (int(time.time() * 1000), os.urandom(9).hex())
    command = ["PORTICO.JOB.PUT", queue, name, payload, "ID", id]
    for word, seconds in (("DELAY", delay), ("BACKOFF", backoff), ("DEADLINE", deadline), ("KEEP", keep)):
        if seconds is not None:
            command += (word, round(as_seconds(seconds) * 1000))
    if at is not None:
        command += ("AT", round((at.timestamp() if isinstance(at, datetime.datetime) else at) * 1000))
    for word, value in (("PRIORITY", priority), ("RETRIES", retries), ("KEY", key)):
        if value is not None:
            command += (word, value)
    patient_until = time.monotonic() + PATIENCE
    while True:
        try:
            return pool.ask(bytes.decode, *command, timeout=PUT_TIMEOUT)
        except Unavailable:
            if time.monotonic() > patient_until:
                raise
            time.sleep(0.05)


def facts(id):
    """What is known of a job, as a dict; None when nothing is."""
    found = pool.ask(None, "PORTICO.JOB.GET", id, timeout=PUT_TIMEOUT)
    if found is None:
        return None
    known = dict(zip([name.decode() for name in found[::2]], found[1::2]))
    for name in ("id", "queue", "name", "state", "error"):
        known[name] = known[name].decode()
    return known


def result(id, timeout=0):
    """What the job returned, waiting for it up to `timeout` seconds. Raises Pending, Failed or Unknown."""
    until = time.monotonic() + timeout
    pause = 0.005
    while True:
        known = facts(id)
        state = None if known is None else known["state"]
        if state == "done":
            return json.loads(known["result"]) if known["result"] else None
        if state == "dead":
            raise Failed(known["error"])
        if state == "cancelled":
            raise Failed("it was cancelled")
        left = until - time.monotonic()
        if left <= 0:
            if state is None:
                raise Unknown(id)
            raise Pending("%s: %s" % (id, state))
        time.sleep(min(pause, left))
        pause = min(0.2, pause * 1.5)


def cancel(id):
    """Whether it will not begin: False when it has."""
    return bool(pool.ask(None, "PORTICO.JOB.CANCEL", id, timeout=PUT_TIMEOUT))


#: Of the job that this thread runs: `id`, `name`, `queue`, `attempt` of `attempts`.
current = threading.local()

__all__ = [
    *("CommandError", "Dead", "Failed", "Job", "Missing", "Pending", "Retry", "Unknown", "cancel", "current", "facts"),
    *("find", "job", "put", "result"),
]
