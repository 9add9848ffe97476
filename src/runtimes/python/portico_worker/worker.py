"""A worker from its birth to its end: connects to every server thread and answers requests."""
import json
import os
import signal
import sys

from . import engines, process, sync, threaded
from .arrivals import Departure
from .asgi.detect import is_asgi
from .environ import base_environ
from .link import Garbage


def way(app, application):
    """How requests are run: the kind of link, how many at a time, and the loop."""
    mode = app["mode"]
    if mode == "asgi" or (mode == "auto" and is_asgi(application)):
        from .asgi import link, serve

        return link.AsgiLink, app["concurrency"], serve.serve
    if mode in engines.MODES:
        from . import greenlets

        return greenlets.GreenLink, app["concurrency"], greenlets.serve
    if app["threads"] > 1:
        return threaded.ThreadedLink, app["threads"], threaded.serve
    return sync.SyncLink, 1, sync.serve


def run(application, settings, slot, hooks):
    app = settings["app"]
    kind, capacity, serve = way(app, application)
    log = sys.modules.get("portico.log")
    if log is not None:
        # Somebody wants to know which request is being answered.
        from .asgi.detect import as_single

        application = as_single(application) if kind.streams else application
        application = log.noting(application, kind.streams, app["name"], slot)
    application = hooks.around(application, kind.streams)
    hooks.post_worker_init(application)
    errors = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    base = base_environ(capacity, app["workers"], errors)
    facts = {
        "app": app["name"],
        "slot": slot,
        "pid": os.getpid(),
        "capacity": capacity,
        "streams": kind.streams,
    }
    hello = json.dumps(facts).encode("ascii")
    links = [kind(path, hello, errors) for path in settings["links"]]
    departure = Departure(links)
    departure.listen(process.RETIRE)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        departure.listen(signal.SIGTERM)
    try:
        serve(application, base, links, departure, app)
    except Garbage as reason:
        print("portico: worker %d gives up: %s" % (os.getpid(), reason), file=errors, flush=True)
        # At once: threads that still run the application must not keep it.
        sys.stdout.flush()
        os._exit(70)
