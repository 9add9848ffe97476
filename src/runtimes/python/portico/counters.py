"""Counters that all workers share. Unlike a number in the cache they never go for want of memory."""
from .values import as_nothing, as_number

KEY = "portico:counters"


class Counter:
    def __init__(self, link, name):
        self._link = link
        self.name = name

    def incr(self, by=1):
        """The new number."""
        return self._link.ask(None, "HINCRBY", KEY, self.name, by)

    def decr(self, by=1):
        return self.incr(-by)

    def get(self):
        return self._link.ask(as_number, "HGET", KEY, self.name)

    def set(self, number):
        return self._link.ask(as_nothing, "HSET", KEY, self.name, int(number))

    def delete(self):
        return self._link.ask(as_nothing, "HDEL", KEY, self.name)
