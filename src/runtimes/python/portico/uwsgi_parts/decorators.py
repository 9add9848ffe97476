"""What `import uwsgidecorators` finds with `compat: uwsgi`: uWSGI's decorators over `uwsgi`.

Functions stay what they are, but for those of the spooler and of mules, whose calls are done elsewhere.
"""
import functools
import pickle
import sys
import traceback

from .. import schedule
from . import facts, guards, messages, rpc as _rpc, tasks
from .messages import serve_mule

#: Name → function that tasks are for.
spooler_functions = {}


def postfork(function):
    """Calls it in every new process of the application; `@postfork(2)`: in worker 2."""
    if not callable(function):
        return lambda given: _after_fork(given, function)
    return _after_fork(function, 0)


def _after_fork(function, worker):
    def run():
        if not worker or worker == facts.worker_id():
            try:
                function()
            except Exception:  # noqa: B902: the process is born all the same
                traceback.print_exc()

    schedule.postfork(run)
    return function


class signal:
    def __init__(self, num, target="", **_more):
        self.number, self.target = num, target

    def __call__(self, function):
        tasks.register_signal(self.number, self.target, function)
        self.begin()
        return function

    def begin(self):
        """Sees to what raises it."""


class _Raised(signal):
    """`signum`: the number; without it the first that is free."""

    def __init__(self, *when, signum=None, target="", **_more):
        super().__init__(tasks.free_signal() if signum is None else signum, target)
        self.when = when


class timer(_Raised):
    def begin(self):
        tasks.add_timer(self.number, *self.when)


class rbtimer(_Raised):
    def begin(self):
        tasks.add_rb_timer(self.number, *self.when)


class cron(_Raised):
    def begin(self):
        tasks.add_cron(self.number, *self.when)


class filemon(_Raised):
    def begin(self):
        tasks.add_file_monitor(self.number, *self.when)


class _Spooled:
    """Calling it puts a task for the function. `ends`: what stands for what the function returns."""

    def __init__(self, function, pass_arguments, ends):
        spool = getattr(sys.modules["uwsgi"], "spool", None)
        if spool is None:
            raise RuntimeError(
                "nobody would do the tasks of %s: give the application `jobs: { workers: 1 }` in the site file, "
                "or `spooler = folder` in uwsgi.ini" % function.__name__
            )
        self.f = function
        self.pass_arguments = pass_arguments
        self.put = spool
        self.facts = {"ud_spool_func": function.__name__}
        if ends is not None:
            self.facts["ud_spool_ret"] = str(ends)
        functools.update_wrapper(self, function)
        function.spool = self
        spooler_functions[function.__name__] = function

    def __call__(self, *args, **kwargs):
        task = dict(self.facts)
        if self.pass_arguments:
            for name in ("message_dict", "spooler", "priority", "at", "body"):
                if name in kwargs:
                    task[name] = kwargs.pop(name)
            # Whatever may be pickled may be passed, as with uWSGI.
            task.update(args=pickle.dumps(args), kwargs=pickle.dumps(kwargs))
        else:
            task.update(*args, **kwargs)
        return self.put(task)

    def spool(self, *args, **kwargs):
        return self(*args, **kwargs)


def _decorator(name, ends):
    def decorate(f=None, pass_arguments=False):
        if f is None:
            return lambda function: _Spooled(function, pass_arguments, ends)
        return _Spooled(f, pass_arguments, ends)

    decorate.__name__ = decorate.__qualname__ = name
    return decorate


#: Done once it has run through; whatever it returns; never.
spool = _decorator("spool", -2)
spoolraw = _decorator("spoolraw", None)
spoolforever = _decorator("spoolforever", -1)


def manage_spool_request(task):
    """What does a task: `uwsgi.spooler`."""
    told = {_shown(key): value for key, value in task.items()}
    function = spooler_functions[_shown(told["ud_spool_func"])]
    if "args" in told:
        result = function(*pickle.loads(told["args"]), **pickle.loads(told["kwargs"]))
    else:
        result = function({key: _shown(value) for key, value in told.items()})
    return int(told.get("ud_spool_ret", result))


def _shown(value):
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


class mule:
    """The function is the program of that mule; when it has returned, the mule waits for messages."""

    def __init__(self, num):
        self.number = num

    def __call__(self, function):
        messages.program(self.number, functools.partial(self.run, function))
        return function

    def run(self, function):
        function()


class muleloop(mule):
    """The function is called again and again."""

    def run(self, function):
        while True:
            function()


class mulemsg(mule):
    """The function is called with each message."""

    def run(self, function):
        while True:
            message = messages.mule_get_msg()
            if message:
                function(message)


def mulefunc(function):
    """Calls are done by a mule: by the first that is free, or `@mulefunc(2)` by that."""
    if not callable(function):
        return lambda given: _by_mule(given, function)
    return _by_mule(function, 0)


def _by_mule(function, number):
    messages.offer(function, number)

    @functools.wraps(function)
    def ask(*args, **kwargs):
        return messages.ask(function.__name__, number, args, kwargs)

    return ask


def rpc(name):
    def register(function):
        _rpc.register_rpc(name, function)
        return function

    return register


def lock(function):
    """One call at a time, in all workers; a job worker does not call it at all."""

    @functools.wraps(function)
    def locked(*args, **kwargs):
        if facts.i_am_the_spooler():
            return None
        guards.lock()
        try:
            return function(*args, **kwargs)
        finally:
            guards.unlock()

    return locked


def thread(function):
    """Each call runs in a thread of its own."""
    start = schedule.thread(function)

    @functools.wraps(function)
    def run(*args):
        start(*args)
        return function

    return run


class harakiri:
    """A worker whose call takes longer than so many seconds is ended, and replaced."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, function):
        @functools.wraps(function)
        def bounded(*args, **kwargs):
            facts.set_user_harakiri(self.seconds)
            try:
                return function(*args, **kwargs)
            finally:
                facts.set_user_harakiri(0)

        return bounded


__all__ = [
    *("cron", "filemon", "harakiri", "lock", "manage_spool_request", "mule", "mulefunc", "muleloop", "mulemsg"),
    *("postfork", "rbtimer", "rpc", "serve_mule", "signal", "spool", "spooler_functions", "spoolforever"),
    *("spoolraw", "thread", "timer"),
]
