"""Sets its own handlers while it is imported, as some applications do."""
import os
import signal
import sys


def on_term(_number, _frame):
    print("my own SIGTERM", file=sys.stderr, flush=True)


signal.signal(signal.SIGTERM, on_term)


def application(environ, start_response):
    start_response("200 OK", [])
    names = ("SIGTERM", "SIGINT", "SIGHUP", "SIGCHLD", "SIGUSR1")
    handlers = [(name, signal.getsignal(getattr(signal, name))) for name in names]
    return [" ".join("%s=%s" % (name, h.__name__ if h is on_term else h.name) for name, h in handlers).encode()]
