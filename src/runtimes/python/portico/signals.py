"""Signals: what is raised in one process is heard in all that listen."""
import os
import sys
import threading
import time
import traceback

from .connection import Connection, NotInPortico, pool
from .resp import encode

CHANNEL = "portico:signal:"
#: Before another try to reach Portico, in seconds.
REST = 1.0

_handlers = {}
_listener = None
_guard = threading.Lock()


def signal(name, data=b""):
    """Raises a signal: functions declared with `portico.on_signal` run once on this machine, those that
    `listen` has registered in every process. How many listened."""
    return pool.ask(None, "PORTICO.SIGNAL", name, data)


def listen(name, handler=None):
    """Has `handler(data)` called in this process, in a thread of its own (with gevent and eventlet a
    greenlet), for each signal of that name; also as a decorator. What is registered while the application is
    imported listens in every worker."""
    if handler is None:
        return lambda function: listen(name, function)
    with _guard:
        _handlers.setdefault(str(name), []).append(handler)
        if not in_warm_parent():
            _start([str(name)])
    return handler


def in_warm_parent():
    """The application is being imported there, to be forked."""
    parent = sys.modules.get("portico_worker.parent")
    return parent is not None and getattr(parent, "PID", None) == os.getpid()


class _Listener(threading.Thread):
    def __init__(self):
        super().__init__(name="portico-signals", daemon=True)
        self.connection = None

    def run(self):
        while True:
            try:
                self.hear()
            except NotInPortico:
                return
            except (OSError, EOFError):
                time.sleep(REST)

    def hear(self):
        connection = Connection()
        pool.all.add(connection)
        with _guard:
            self.connection = connection
            self.subscribe(_handlers)
        try:
            while True:
                reply = connection.receive(timeout=None)
                if isinstance(reply, list) and reply[0] == b"message":
                    tell(reply[1].decode()[len(CHANNEL) :], reply[2])
        finally:
            self.connection = None
            connection.close()

    def subscribe(self, names):
        """While it is not connected there is nothing to do: it will tell all of them then."""
        if self.connection is None:
            return
        try:
            self.connection.send(encode(("SUBSCRIBE", *[CHANNEL + name for name in names])))
        except OSError:
            pass


def tell(name, data):
    for handler in list(_handlers.get(name, ())):
        try:
            handler(data)
        except Exception:  # noqa: B902: the others are told as well
            traceback.print_exc()


def _start(names=()):
    """With `_guard` held."""
    global _listener
    if _listener is None:
        _listener = _Listener()
        _listener.start()
    else:
        _listener.subscribe(names)


def _after_fork():
    global _listener, _guard
    _listener = None
    _guard = threading.Lock()


def start_in_worker():
    """Called in each new process of the application."""
    with _guard:
        if _handlers:
            _start()


os.register_at_fork(after_in_child=_after_fork)
