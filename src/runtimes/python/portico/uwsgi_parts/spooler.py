"""uWSGI's spooler: tasks become jobs, which the application's job workers do.

A task is a dict of bytes. It is kept until `uwsgi.spooler(task)` has returned SPOOL_OK.
"""
import json

from .. import jobs
from ..connection import pool
from ..values import to_json
from . import facts

NAME = "uwsgi.spool"
OK = -2
#: Unless the configuration says otherwise: when a task that was not OK is begun again, in seconds.
FREQUENCY = 30
#: Names that say how a task is to be done, and are no part of it.
HOW = ("spooler", "priority", "at", "body")
#: Most tasks that `spooler_jobs` tells.
MOST = 1000


class _Spooler:
    queue = jobs.QUEUE
    frequency = 0


def names(workers):
    """What `uwsgi` has where somebody does jobs. `workers`: the application's `jobs`."""
    _Spooler.queue = workers["queues"][0]
    _Spooler.frequency = int(facts.opt.get("spooler-frequency", FREQUENCY))
    jobs.Job(run, NAME, _Spooler.queue, {"keep": 0}, None, True)
    shown = (spool, spooler_jobs, spooler_pid, spooler_pids, set_spooler_frequency)
    return {**{each.__name__: each for each in shown}, "send_to_spooler": spool}


def spool(message=None, **named):
    """Puts a task; its name. Keys and values are bytes or text; `at` (seconds since 1970), `priority` (0 is
    first) and `body` mean what they mean to uWSGI, and one that names a `spooler` goes to the only one."""
    given = {} if message is None else message
    if not isinstance(given, dict) or not (given or named):
        raise ValueError("The argument of spooler callable must be a dictionary")
    task = {_text(key): _text(value) for key, value in {**given, **named}.items()}
    how = {key: task.pop(key) for key in HOW if key in task}
    payload = {"task": task, **({"body": how["body"]} if "body" in how else {})}
    options = {}
    if "at" in how:
        options["at"] = float(how["at"])
    if "priority" in how:
        # Ours has nine for the first; what has no number comes after those that have.
        options["priority"] = max(1, 9 - int(how["priority"]))
    return jobs.put(NAME, to_json(payload), queue=_Spooler.queue, keep=0, **options).encode()


def run(payload):
    """In a job worker. An exception fails the attempt; a task that is not OK comes again, for ever."""
    told = json.loads(payload)
    task = {_bytes(key): _bytes(value) for key, value in told["task"].items()}
    task[b"spooler_task_name"] = jobs.current.id.encode()
    if "body" in told:
        task[b"body"] = _bytes(told["body"])
    manage = facts.hook("spooler")
    if manage is None:
        raise jobs.Missing("no function for tasks: uwsgi.spooler is not set, and nothing is decorated with @spool")
    if manage(task) != OK:
        jobs.put(NAME, payload, queue=_Spooler.queue, keep=0, delay=_Spooler.frequency)
    return b""


def spooler_jobs():
    """Names of tasks that wait."""
    names = []
    for state in ("waiting", "delayed"):
        found = pool.ask(None, "PORTICO.JOB.LIST", _Spooler.queue, state, MOST, timeout=jobs.PUT_TIMEOUT)
        names += [dict(zip(each[::2], each[1::2]))[b"id"] for each in found]
    return names


def spooler_pid():
    """Job workers come and go: `portico status` shows them."""
    return 0


def spooler_pids():
    return []


def set_spooler_frequency(seconds):
    _Spooler.frequency = seconds
    return True


# Bytes travel in JSON as text of the same numbers.


def _text(value):
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return (value if isinstance(value, str) else str(value)).encode().decode("latin-1")


def _bytes(text):
    return text.encode("latin-1")
