"""Gunicorn's server hooks, from a Gunicorn configuration file: run where Gunicorn would run them.

The warm parent stands for its arbiter. Hooks get `server` and `worker` objects with the attributes that
Gunicorn documents; what belongs to a master that is a Python program is not there.
"""
import importlib.util
import logging
import os
import signal
import sys
import traceback

from .load import FileLoader, LoadFailed
from . import trace

#: Of a worker, before it is killed: the time for `worker_abort`, in seconds.
ABORT_GRACE = 0.5

NAMES = (
    "on_starting when_ready pre_fork post_fork post_worker_init worker_int worker_abort "
    "pre_request post_request worker_exit child_exit on_exit"
).split()


class NoHooks:
    """For applications without any: everything is as if nobody asked."""

    aborts = False

    def __getattr__(self, _name):
        return self._nothing

    def _nothing(self, *_arguments):
        return None

    def around(self, application, _streams):
        return application


def load(app):
    """Raises LoadFailed."""
    path = app.get("hooks")
    if not path:
        if app.get("compat") == "uwsgi":
            from .uwsgi_hooks import UwsgiHooks

            return UwsgiHooks()
        return NoHooks()
    loader = FileLoader("__config__", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("__config__", loader))
    sys.modules["__config__"] = module
    try:
        loader.exec_module(module)
    except BaseException as error:
        raise LoadFailed(trace.text(error)) from None
    return Hooks({name.lower(): value for name, value in vars(module).items()}, app)


class Hooks:
    def __init__(self, found, app):
        self.functions = {name: found[name] for name in NAMES if callable(found.get(name))}
        self.aborts = "worker_abort" in self.functions
        log = make_log()
        config = Config(found, app)
        self.server = Server(config, log)
        self.worker = None

    def on_starting(self):
        try:
            self.call("on_starting", self.server)
        except BaseException as error:
            raise LoadFailed("the hook on_starting failed:\n%s" % trace.text(error)) from None

    def when_ready(self):
        self.safely("when_ready", self.server)

    def pre_fork(self):
        self.server.worker_age += 1
        self.worker = Worker(self.server)
        self.safely("pre_fork", self.server, self.worker)

    def forked(self, pid):
        """In the parent: the worker that was announced has this number."""
        self.worker.pid = pid
        self.server.WORKERS[pid] = self.worker

    def post_fork(self):
        worker = self.worker
        worker.pid = os.getpid()
        worker.ppid = os.getppid()
        worker.booted = True
        self.server.log.handlers[0].stream = sys.stderr
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self.interrupted)
        if self.aborts:
            signal.signal(signal.SIGABRT, self.aborted)
        self.call("post_fork", self.server, worker)

    def post_worker_init(self, application):
        self.worker.wsgi = self.worker.app.callable = application
        self.call("post_worker_init", self.worker)

    def worker_exit(self):
        self.worker.alive = False
        self.safely("worker_exit", self.server, self.worker)

    def child_exit(self, pid):
        worker = self.server.WORKERS.pop(pid, None)
        if worker is not None:
            self.safely("child_exit", self.server, worker)

    def on_exit(self):
        self.safely("on_exit", self.server)

    def around(self, application, streams):
        """`application` with what comes before and after each request. ASGI has no such hooks."""
        if streams or not {"pre_request", "post_request"} & set(self.functions):
            return application
        return Around(self, application)

    def interrupted(self, _number, _frame):
        from . import process

        self.safely("worker_int", self.worker)
        os.kill(os.getpid(), process.RETIRE)

    def aborted(self, _number, _frame):
        self.safely("worker_abort", self.worker)
        os._exit(1)

    def call(self, name, *arguments):
        function = self.functions.get(name)
        if function is not None:
            function(*arguments)

    def safely(self, name, *arguments):
        """What goes wrong in a hook is no reason to stop serving."""
        try:
            self.call(name, *arguments)
        except Exception:
            traceback.print_exc()


class Around:
    """A WSGI application between `pre_request` and `post_request`."""

    def __init__(self, hooks, application):
        self.hooks = hooks
        self.application = application
        # As Gunicorn allows it: with two arguments, three, or four.
        after = hooks.functions.get("post_request")
        self.arguments = arity(after) if after is not None else 0

    def __call__(self, environ, start_response):
        worker = self.hooks.worker
        worker.nr += 1
        request = Request(environ)
        self.hooks.call("pre_request", worker, request)
        response = Response(request)

        def start(status, headers, exc_info=None):
            response.status = status
            response.headers = headers
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        def end():
            if self.arguments:
                given = (worker, request, environ, response)[: self.arguments]
                self.hooks.safely("post_request", *given)

        try:
            result = self.application(environ, start)
        except BaseException:
            end()
            raise
        if isinstance(result, environ["wsgi.file_wrapper"]):
            # It has to stay the object that it is.
            end()
            return result
        return Answer(result, end)


class Answer:
    def __init__(self, result, end):
        self.result = result
        self.end = end

    def __iter__(self):
        return iter(self.result)

    def close(self):
        try:
            close = getattr(self.result, "close", None)
            if close is not None:
                close()
        finally:
            self.end()


def arity(function):
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 4
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return 4
    return min(4, len(parameters))


class Request:
    """What hooks look at of a request."""

    def __init__(self, environ):
        self.method = environ["REQUEST_METHOD"]
        self.path = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
        self.query = environ["QUERY_STRING"]
        self.uri = environ.get("RAW_URI", self.path)
        self.scheme = environ["wsgi.url_scheme"]
        self.version = tuple(int(part) for part in environ["SERVER_PROTOCOL"].partition("/")[2].split("."))
        self.remote_addr = (environ["REMOTE_ADDR"], environ["REMOTE_PORT"])
        self.peer_addr = self.remote_addr
        self.headers = [
            (name[5:].replace("_", "-"), value) for name, value in environ.items() if name[:5] == "HTTP_"
        ]


class Response:
    def __init__(self, request):
        self.request = request
        self.status = ""
        self.headers = []

    @property
    def status_code(self):
        return int(self.status[:3] or 0)


class Config:
    """Settings as the file has them, else as the site has them."""

    def __init__(self, found, app):
        self.settings = {
            "workers": app["workers"],
            "threads": app["threads"],
            "worker_class_str": app["mode"],
            "chdir": app["dir"],
            "proc_name": app["name"],
            "bind": [],
            "timeout": app["deadlineMs"] // 1000,
            "preload_app": True,
            "env": app["env"],
        }
        for name, value in found.items():
            if not name.startswith("_"):
                self.settings[name] = value

    def __getattr__(self, name):
        try:
            return self.__dict__["settings"][name]
        except KeyError:
            raise AttributeError("this configuration sets no %r" % name) from None

    @property
    def address(self):
        bind = self.settings["bind"]
        return [bind] if isinstance(bind, str) else list(bind)


class Server:
    """Stands for Gunicorn's arbiter."""

    def __init__(self, cfg, log):
        self.cfg = cfg
        self.log = log
        self.pid = os.getpid()
        self.proc_name = cfg.proc_name
        self.num_workers = cfg.workers
        self.timeout = cfg.timeout
        self.worker_age = 0
        self.address = cfg.address
        self.WORKERS = {}
        self.LISTENERS = []
        self.app = Application(cfg)


class Worker:
    def __init__(self, server):
        self.age = server.worker_age
        self.pid = "[booting]"
        self.ppid = server.pid
        self.cfg = server.cfg
        self.log = server.log
        self.app = server.app
        self.timeout = server.timeout
        self.sockets = []
        self.alive = True
        self.booted = False
        self.aborted = False
        self.nr = 0
        self.wsgi = None

    def __str__(self):
        return "<Worker %s>" % self.pid


class Application:
    def __init__(self, cfg):
        self.cfg = cfg
        self.callable = None

    def wsgi(self):
        return self.callable


def make_log():
    """`server.log` and `worker.log`: a logger with Gunicorn's methods."""
    log = logging.Logger("gunicorn.error", logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("[%(process)d] [%(levelname)s] %(message)s"))
    log.addHandler(handler)
    log.error_log = log.access_log = log
    log.reopen_files = log.close_on_exec = lambda: None
    return log
