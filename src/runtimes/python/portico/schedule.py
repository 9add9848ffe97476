"""What an application does beside answering requests, declared where its code is.

Each decorator leaves the function as it is. What they declare while the application is imported is told
to Portico, which calls the function when its time has come: each time in a process of its own, forked
from the one that has imported the application. Times are seconds. Outside of Portico nothing happens.

    import portico

    @portico.cron("30 2 * * *", zone="Europe/Berlin")
    def clean(): ...

    @portico.timer(30)
    def poll(): ...
"""
import functools
import inspect
import os
import threading

from .values import as_seconds

#: What Portico is told.
_declared = {"cron": [], "timers": [], "watch": [], "signals": [], "mules": []}
#: What it names: key → function.
_functions = {}
_after_fork = []


def cron(*when, zone="", missed="skip", jitter=0, overlap="skip", timeout=0, name=None):
    """Calls the function at times of day: `@cron("*/5 * * * *")`, `@cron("@daily")`, or as with uWSGI
    `@cron(minute, hour, day, month, weekday)` with -1 for any and -N for every Nth.

    `missed`: what comes of times that passed while the site was down, "skip" or "once". `overlap`: when
    the last call still runs, "skip" this one, "queue" it, or "allow" both.
    """
    at = when[0] if len(when) == 1 else _crontab(when)
    if not isinstance(at, str):
        raise TypeError("cron takes five fields in one string, or five numbers")
    facts = {"at": at, "zone": zone, "missed": missed, "jitter": _ms(jitter)}
    return _declare("cron", name, {**facts, "overlap": overlap, "timeout": _ms(timeout)})


def timer(every, *, times=0, jitter=0, overlap="skip", timeout=0, name=None):
    """Calls the function every so many seconds; `times` times in all, 0: without end."""
    facts = {"every": _ms(every), "times": times, "jitter": _ms(jitter)}
    return _declare("timers", name, {**facts, "overlap": overlap, "timeout": _ms(timeout)})


def filewatch(*paths, settle=0.2, overlap="queue", timeout=0, name=None):
    """Calls the function when one of the files, of the files in these folders, or of those that fit a
    pattern changes. Relative paths begin in the application's folder."""
    files = [os.path.abspath(os.fspath(path)) for path in paths]
    facts = {"files": files, "settle": _ms(settle), "overlap": overlap, "timeout": _ms(timeout)}
    return _declare("watch", name, facts)


def on_signal(signal, *, overlap="queue", timeout=0, name=None):
    """Calls the function when somebody raises that signal: a name or a number."""
    facts = {"signal": str(signal), "overlap": overlap, "timeout": _ms(timeout)}
    return _declare("signals", name, facts)


def mule(function=None, *, count=1, name=None):
    """Runs the function in `count` processes of its own beside the workers, again whenever it ends."""

    def declare(function):
        for _ in range(count):
            _declare("mules", name, {})(function)
        return function

    return declare if function is None else declare(function)


def postfork(function):
    """Calls the function in every new process of the application before anything else."""
    _after_fork.append(function)
    return function


def thread(function):
    """The function runs in a thread of its own whenever it is called; the call returns that thread."""

    @functools.wraps(function)
    def start(*arguments, **named):
        runner = threading.Thread(
            target=function, args=arguments, kwargs=named, name=function.__name__, daemon=True
        )
        runner.start()
        return runner

    return start


def _crontab(fields):
    """uWSGI's five numbers as a crontab's five fields."""
    if len(fields) != 5 or not all(isinstance(field, int) for field in fields):
        raise TypeError("cron takes five fields in one string, or five numbers")
    bounds = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    return " ".join(_field(number, *bound) for number, bound in zip(fields, bounds))


def _field(number, low, high):
    if number == -1:
        return "*"
    if number >= 0:
        return str(number)
    # As uWSGI has it: what -N divides. A crontab's */N counts from the lowest value.
    return "%d-%d/%d" % (low and min(-number, high), high, -number)


def _ms(seconds):
    return round(as_seconds(seconds) * 1000)


def _declare(kind, name, facts):
    def declare(function):
        if not callable(function):
            raise TypeError("%r is no function" % (function,))
        called = "%s:%s" % (function.__module__, function.__qualname__)
        key = _unique("%s %s" % (kind, called), _functions)
        _functions[key] = function
        names = {one["name"] for one in _declared[kind]}
        shown = name or called
        # Two mules of a function are two of a kind, two crons are two things.
        facts["name"] = shown if kind == "mules" else _unique(shown, names)
        _declared[kind].append({**facts, "key": key})
        return function

    return declare


def _unique(text, taken):
    number, free = 1, text
    while free in taken:
        number += 1
        free = "%s-%d" % (text, number)
    return free


# For the worker.


def declares():
    """What was declared until now."""
    return _declared


def function_of(key):
    return _functions[key]


def run_after_fork():
    for function in _after_fork:
        function()


def call(function, argument=0):
    """Calls it with the number or name of a signal if it takes one, as uWSGI's handlers do."""
    if isinstance(argument, str) and argument.isdigit():
        argument = int(argument)
    try:
        inspect.signature(function).bind()
    except TypeError:
        result = function(argument)
    except ValueError:  # one in C that does not tell
        result = function()
    else:
        result = function()
    if inspect.isawaitable(result):
        import asyncio

        asyncio.run(_wait(result))


async def _wait(awaitable):
    await awaitable
