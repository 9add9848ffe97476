"""What makes a forked process a worker: its end with its parent, its signals, its log, its streams."""
import ctypes
import faulthandler
import io
import json
import os
import signal
import socket
import sys

# Bound before an application's greenlets replace them.
from os import read
from signal import signal as handle

from . import engines

_rt = getattr(signal, "SIGRTMIN", None)
#: Real-time signals, which applications hardly ever use; others where the system has none.
TRACEBACK = _rt + 11 if _rt else signal.SIGUSR2
RETIRE = _rt + 12 if _rt else signal.SIGTERM

PR_SET_PDEATHSIG = 1


try:
    _prctl = ctypes.CDLL(None).prctl
except (OSError, AttributeError):
    _prctl = None


def end_with_creator():
    """The kernel kills this process when the one that started it ends. False where it cannot."""
    return _prctl is not None and _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0


def activate(venv):
    """Makes `venv`'s packages importable where another interpreter than its own runs."""
    if not venv or os.path.realpath(sys.prefix) == os.path.realpath(venv):
        return
    import site

    before = len(sys.path)
    site.addsitedir(os.path.join(venv, "lib", "python%d.%d" % sys.version_info[:2], "site-packages"))
    # Ahead of the interpreter's own packages, behind the application's folder.
    sys.path[1:] = sys.path[before:] + sys.path[1:before]
    sys.prefix = sys.exec_prefix = venv


def warn_of_mode(app, application):
    """Every request of such an application would fail, with an error that does not say why."""
    from .asgi.detect import is_asgi, is_surely_wsgi

    mode = app["mode"]
    try:
        if mode == "auto" or not (is_surely_wsgi if mode == "asgi" else is_asgi)(application):
            return
    except Exception:  # noqa: B902: a proxy object that cannot be asked yet; its owner has told the mode
        return
    print(
        "portico: %s:%s is called as %s applications are; leave `mode: %s` out"
        % (app["module"], app["callable"], "WSGI" if mode == "asgi" else "ASGI", mode),
        file=sys.stderr,
        flush=True,
    )


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def run(parent, slot, role):
    """The whole life of a worker, or of a role; returns when it is to exit."""
    from . import declares, lazy, roles, worker

    application, settings = parent.application, parent.settings
    die_with_parent(parent.lifeline[0])
    for number, handler in parent.inherited.items():
        handle(number, signal.SIG_DFL if handler is None else handler)
    app = settings["app"]
    if app["mode"] in engines.MODES:
        engines.after_fork(app["mode"])
    open_log(settings["log"], {"app": app["name"], "slot": slot or 0, "pid": os.getpid()})
    # With a handler in C: it writes even while Python code is stuck in a system call or an extension.
    faulthandler.enable(2)
    faulthandler.register(TRACEBACK, file=2, all_threads=True, chain=False)
    if role is None:
        # Before a lazy application is imported: some hooks replace parts of libraries.
        parent.hooks.post_fork()
    if app.get("lazy"):
        scout = parent.scout if slot is None else None
        application = lazy.load_here(settings, scout)
        slot = scout.wait() if slot is None else slot
    declares.run_after_fork(role)
    if role is None:
        try:
            worker.run(application, settings, slot, parent.hooks)
        finally:
            parent.hooks.worker_exit()
    else:
        roles.run(application, settings, slot, role)


def die_with_parent(lifeline):
    """Nothing may outlive the warm parent: not even when that was killed."""
    if end_with_creator():
        # It may have died before the kernel knew: then the other end is closed already.
        os.set_blocking(lifeline, False)
        try:
            gone = read(lifeline, 1) == b""
        except BlockingIOError:
            gone = False
        os.close(lifeline)
        if gone:
            os._exit(1)
        return
    import _thread

    def watch():
        read(lifeline, 1)
        os._exit(1)

    _thread.start_new_thread(watch, ())


def open_log(path, introduction):
    """Makes the log socket the standard output and error; without one they stay the parent's."""
    try:
        log = socket.socket(socket.AF_UNIX)
        log.connect(path)
        log.sendall(json.dumps(introduction).encode("ascii") + b"\n")
    except OSError as error:
        print("portico: no log socket at %s: %s" % (path, error.strerror), file=sys.stderr, flush=True)
    else:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        log.close()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
