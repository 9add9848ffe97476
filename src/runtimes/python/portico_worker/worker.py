"""A worker from its birth to its end: connects to every server thread and answers requests."""
import json
import os
import signal
import sys

from . import process, sync, threaded
from .arrivals import Departure
from .environ import base_environ
from .link import Garbage


def run(application, settings, slot):
    app = settings["app"]
    threads = app["threads"]
    errors = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    base = base_environ(threads, app["workers"], errors)
    facts = {"app": app["name"], "slot": slot, "pid": os.getpid(), "capacity": threads}
    hello = json.dumps(facts).encode("ascii")
    kind = threaded.ThreadedLink if threads > 1 else sync.SyncLink
    links = [kind(path, hello, errors) for path in settings["links"]]
    departure = Departure(links)
    departure.listen(process.RETIRE)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        departure.listen(signal.SIGTERM)
    try:
        if threads > 1:
            threaded.serve(application, base, links, departure, threads)
        else:
            sync.serve(application, base, links, departure)
    except Garbage as reason:
        print("portico: worker %d gives up: %s" % (os.getpid(), reason), file=errors, flush=True)
        # At once: threads that still run the application must not keep it.
        sys.stdout.flush()
        os._exit(70)
