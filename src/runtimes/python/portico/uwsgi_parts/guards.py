"""uWSGI's locks, which have numbers."""
import threading

from ..connection import pool
from ..locks import Lock

_held = {}
_guard = threading.Lock()


def lock(number=0):
    taken = Lock("uwsgi:%d" % number)
    taken.acquire()
    with _guard:
        _held[number] = taken


def unlock(number=0):
    with _guard:
        taken = _held.pop(number, None)
    if taken is not None:
        taken.release()


def is_locked(number=0):
    name = b"uwsgi:%d" % number
    return any(held[0] == name for held in pool.ask(None, "PORTICO.LOCKS"))
