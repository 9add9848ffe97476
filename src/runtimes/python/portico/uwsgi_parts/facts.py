"""Who and where: what `uwsgi` tells of the process and of the configuration."""
import faulthandler
import os
import socket
import sys
import time
import traceback

from .. import mules

VERSION = (2, 0, 21, 0, b"portico")
#: Of `buffer_size`: the longest head of a request that the usual site takes, in bytes.
BUFFER = 65536

#: What the configuration says, as `uwsgi.opt` has it: text → bytes.
opt = {}


class _Process:
    """This one, as far as it is known: the warm parent until it has been forked."""

    #: From 1; 0 in what is no worker.
    number = 0
    role = None
    #: The application has been imported: what is declared from now on, nobody is told.
    begun = False
    born = int(time.time())
    requests = 0
    #: Mules that the site has in any case.
    mules = 0
    #: Bounded by `set_user_harakiri`.
    bounded = False


process = _Process()
#: The warm parent, which stands for the master.
_master = os.getpid()


def configure(app):
    """Some options hold here whatever the configuration says: libraries refuse to work without them."""
    process.mules = len(app["mules"])
    jobs = app.get("jobs")
    told = {
        "master": "true",
        "enable-threads": "true",
        "py-call-osafterfork": "true",
        "py-call-uwsgi-fork-hooks": "true",
        "processes": most_workers(app),
        "chdir": app["dir"],
        **({"threads": app["threads"]} if app["threads"] > 1 else {}),
        **({"gevent": app["concurrency"]} if app["mode"] == "gevent" else {}),
        **({"lazy-apps": "true"} if app.get("lazy") else {}),
        **({"harakiri": -(-app["deadlineMs"] // 1000)} if app["deadlineMs"] else {}),
        **({"virtualenv": app["venv"]} if app["venv"] else {}),
        **({"spooler": "jobs", "spooler-processes": jobs["workers"]} if jobs else {}),
        **app.get("options", {}),
    }
    opt.update((name, str(value).encode()) for name, value in told.items())


def most_workers(app):
    workers = app["workers"]
    return workers["max"] if isinstance(workers, dict) else workers


def constants(app):
    return {
        "opt": opt,
        "version": b"2.0.21-portico",
        "version_info": VERSION,
        "numproc": most_workers(app),
        "cores": app["threads"],
        "has_threads": 1,
        "buffer_size": BUFFER,
        "hostname": socket.gethostname().encode(),
        "started_on": int(time.time()),
        "is_a_reload": False,
        "applications": None,
        "loop": app["mode"].encode() if app["mode"] in ("gevent", "eventlet") else None,
        "magic_table": {},
        "sockets": [],
        "spoolers": (),
        "unbit": None,
        "SPOOL_OK": -2,
        "SPOOL_RETRY": -1,
        "SPOOL_IGNORE": 0,
    }


def hook(name):
    """What the application has assigned to `uwsgi.NAME`."""
    found = vars(sys.modules["uwsgi"]).get(name)
    return found if callable(found) else None


def begin(role):
    """In a new process of the application, which is imported by now."""
    process.role = role
    process.begun = True
    if role is not None and role["kind"] == "mule":
        mules.number = role["number"]
    run_hook("post_fork_hook")


def run_hook(name):
    """What goes wrong in one is no reason to stop."""
    function = hook(name)
    if function is not None:
        try:
            function()
        except Exception:  # noqa: B902
            traceback.print_exc()


def worker_id():
    """1 for the first; 0 in what is no worker."""
    return process.number


def i_am_the_spooler():
    return True if process.role is not None and process.role["kind"] == "jobs" else None


def masterpid():
    return _master


def request_id():
    """How many requests this worker has begun."""
    return process.requests


#: Of this worker: the others' figures are at `stats: { uwsgi: … }`.
total_requests = request_id


def workers():
    """What is known here of a worker: of this one."""
    if not worker_id():
        return ()
    rss, vsz = mem()
    return (
        {
            **{"id": worker_id(), "pid": os.getpid(), "status": b"busy", "rss": rss, "vsz": vsz},
            **{"requests": process.requests, "delta_requests": process.requests},
            **{"last_spawn": process.born, "respawn_count": 1, "apps": ()},
            **dict.fromkeys(("signals", "exceptions", "running_time", "tx", "avg_rt"), 0),
        },
    )


def mem():
    """Resident and virtual, in bytes."""
    try:
        with open("/proc/self/statm", "rb") as file:
            size, resident = file.read().split()[:2]
    except OSError:
        return (0, 0)
    page = os.sysconf("SC_PAGE_SIZE")
    return (int(resident) * page, int(size) * page)


def logsize():
    """No log file is this process's to measure."""
    return 0


def micros():
    return time.time_ns() // 1000


def log(message):
    print(message.decode(errors="replace") if isinstance(message, bytes) else message, file=sys.stderr, flush=True)
    return True


def ready():
    return True


def accepting():
    """A worker is given requests once it is ready."""


def set_logvar(_name, _value):
    """The access log has no variables of an application."""


def in_farm(_name=None):
    return None


def set_user_harakiri(seconds):
    """Ends this worker after so many seconds unless its request has ended before; 0: calls that off."""
    process.bounded = seconds > 0
    if seconds > 0:
        # A watchdog in C: what is stuck outside of Python ends as well, and its stack is logged.
        faulthandler.dump_traceback_later(seconds, exit=True, file=2)
    else:
        faulthandler.cancel_dump_traceback_later()


def request_ended():
    if process.bounded:
        set_user_harakiri(0)
    run_hook("after_req_hook")
