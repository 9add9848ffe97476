"""What applications that were written for uWSGI ask it for, as far as Portico has the same.

With `compat: uwsgi` in the site file this is what `import uwsgi` finds. What is missing is missing here, too:
`hasattr(uwsgi, "…")` tells. docs/python.md has the whole list and what to use instead.
"""
import os
import sys
import threading

from . import log as _log
from .connection import pool
from .locks import Lock as _Lock
from .mules import mule_get_msg, mule_id, mule_msg  # noqa: F401: these are uWSGI's names
from .shared import cache as _cache

version = b"2.0.21"
version_info = (2, 0, 21, 0, b"")
opt = {}
applist = []
env = {}

_locks = {}
_guard = threading.Lock()


# The cache. As in uWSGI, values are bytes, `expires` is in seconds with 0 for none, and what takes a `cache`
# takes the name of one.


def _named(cache):
    return _cache.named("uwsgi:%s" % (cache or ""))


def cache_get(key, cache=None):
    return _named(cache).get(key)


def cache_exists(key, cache=None):
    return True if _named(cache).exists(key) else None


def cache_set(key, value, expires=0, cache=None):
    """Only where there is nothing yet."""
    return True if _named(cache).add(key, value, expires or None) else None


def cache_update(key, value, expires=0, cache=None):
    _named(cache).set(key, value, expires or None)
    return True


def cache_del(key, cache=None):
    return True if _named(cache).delete(key) else None


def cache_clear(cache=None):
    _named(cache).clear()
    return True


def cache_inc(key, amount=1, expires=0, cache=None):
    return _count(_named(cache), key, amount, expires)


def cache_dec(key, amount=1, expires=0, cache=None):
    return _count(_named(cache), key, -amount, expires)


def _count(cache, key, amount, expires):
    cache.incr(key, amount)
    if expires:
        cache.touch(key, expires)
    return True


# Locks, by number.


def lock(number=0):
    taken = _Lock("uwsgi:%d" % number)
    taken.acquire()
    with _guard:
        _locks[number] = taken


def unlock(number=0):
    with _guard:
        taken = _locks.pop(number, None)
    if taken is not None:
        taken.release()


def is_locked(number=0):
    name = b"uwsgi:%d" % number
    return any(held[0] == name for held in pool.ask(None, "PORTICO.LOCKS"))


# Signals.


def signal(number):
    from .signals import signal as raise_signal

    raise_signal(number)


def signal_registered(number):
    from . import schedule

    return any(one["signal"] == str(number) for one in schedule.declares()["signals"])


# Who and where.


def worker_id():
    """1 for the first; 0 in what is no worker."""
    return 0 if _log.worker.slot is None else _log.worker.slot + 1


def masterpid():
    return os.getppid()


def log(message):
    print(message, file=sys.stderr, flush=True)
    return True


def i_am_the_spooler():
    return False


def in_farm(_name=None):
    return False


def __getattr__(name):
    raise AttributeError(
        "Portico has no uwsgi.%s; docs/python.md says what it has instead" % name
    )
