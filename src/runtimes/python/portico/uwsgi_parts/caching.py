"""uWSGI's cache. Values are bytes, `expires` is in seconds with 0 for none, `cache` is the name of one."""
import re

from ..connection import pool
from ..resp import to_bytes
from ..shared import cache as _cache

#: Keys that are asked for at a time.
_PAGE = 1000


def _named(cache):
    return _cache.named(_name(cache))


def _name(cache):
    return "uwsgi:%s" % (cache or "")


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


def cache_num(key, cache=None):
    """The number that `cache_inc` made; 0 where there is none."""
    try:
        return int(_named(cache).get(key, 0))
    except ValueError:
        return 0


def cache_keys(cache=None):
    prefix = to_bytes(_name(cache) + ":")
    pattern = re.sub(rb"([\\*?\[\]])", rb"\\\1", prefix) + b"*"
    keys, cursor = {}, b"0"
    while True:
        cursor, found = pool.ask(None, "SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE)
        keys.update(dict.fromkeys(key[len(prefix) :] for key in found))
        if cursor == b"0":
            return list(keys)


def _count(cache, key, amount, expires):
    cache.incr(key, amount)
    if expires:
        cache.touch(key, expires)
    return True
