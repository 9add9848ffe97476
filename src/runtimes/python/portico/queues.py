"""Queues between workers: first in, first out. What is taken is gone, and all goes with Portico; work that
must be done has `portico.jobs`."""
from .connection import TIMEOUT
from .values import as_bool, from_json, to_json

PREFIX = "portico:queue:"


class Queue:
    def __init__(self, link, name):
        self._link = link
        self.name = name
        self._key = PREFIX + name

    def put(self, *values):
        """At the end; how many there are now."""
        return self._link.ask(None, "RPUSH", self._key, *values)

    def put_json(self, value):
        return self.put(to_json(value))

    def get(self, wait=0):
        """The first one; None where there is none, or none comes within `wait` seconds (None: wait for ever)."""
        return self._get(lambda value: value, wait)

    def get_json(self, wait=0):
        return self._get(from_json, wait)

    def _get(self, then, wait):
        if wait == 0:
            return self._link.ask(then, "LPOP", self._key)
        seconds, timeout = (0, None) if wait is None else (max(wait, 0.001), wait + TIMEOUT)
        return self._link.ask(
            lambda reply: then(None if reply is None else reply[1]),
            *("BLPOP", self._key, "%.3f" % seconds),
            timeout=timeout,
        )

    def peek(self, most=10):
        """The first ones, which stay."""
        return self._link.ask(None, "LRANGE", self._key, 0, most - 1)

    def length(self):
        return self._link.ask(None, "LLEN", self._key)

    def __len__(self):
        return self.length()

    def __bool__(self):
        return True

    def clear(self):
        return self._link.ask(as_bool, "DEL", self._key)
