"""The cache that all workers of a site share."""
from .resp import to_bytes
from .values import as_bool, as_nothing, from_json, milliseconds, to_json


class Cache:
    """Keys and values are bytes, text or numbers; values come back as bytes. What nobody asks for goes first
    when memory is short. `expires`: seconds; None: no end.

    `named("pages")` is a cache of its own: its keys do not meet those of another.
    """

    def __init__(self, link, prefix=b""):
        self._link = link
        self._prefix = prefix

    def named(self, name):
        return type(self)(self._link, self._prefix + to_bytes(name) + b":")

    def _key(self, key):
        return self._prefix + to_bytes(key)

    def get(self, key, default=None):
        return self._link.ask(
            lambda reply: default if reply is None else reply, "GET", self._key(key)
        )

    def get_text(self, key, default=None):
        return self._link.ask(
            lambda reply: default if reply is None else reply.decode(), "GET", self._key(key)
        )

    def get_json(self, key, default=None):
        return self._link.ask(lambda reply: from_json(reply, default), "GET", self._key(key))

    def set(self, key, value, expires=None):
        return self._link.ask(as_nothing, *self._set(key, value, expires))

    def set_json(self, key, value, expires=None):
        return self.set(key, to_json(value), expires)

    def add(self, key, value, expires=None):
        """Sets it where there is nothing yet; whether it did."""
        return self._link.ask(as_bool, *self._set(key, value, expires), "NX")

    def replace(self, key, value, expires=None):
        """Sets it where there is something already; whether it did."""
        return self._link.ask(as_bool, *self._set(key, value, expires), "XX")

    def pop(self, key, default=None):
        """Gets and deletes it."""
        return self._link.ask(
            lambda reply: default if reply is None else reply, "GETDEL", self._key(key)
        )

    def delete(self, *keys):
        """How many of them there were."""
        return self._link.ask(None, "DEL", *map(self._key, keys))

    def exists(self, key):
        return self._link.ask(as_bool, "EXISTS", self._key(key))

    def incr(self, key, by=1):
        """The new number; what is not there begins as 0."""
        return self._link.ask(None, "INCRBY", self._key(key), by)

    def decr(self, key, by=1):
        return self.incr(key, -by)

    def touch(self, key, expires=None):
        """Another end for what is there; whether it was."""
        key = self._key(key)
        if expires is None:
            return self._link.ask_all(
                lambda replies: bool(replies[0]), [("EXISTS", key), ("PERSIST", key)]
            )
        return self._link.ask(as_bool, "PEXPIRE", key, milliseconds(expires))

    def ttl(self, key):
        """Seconds left; None: no end, or nothing there."""
        return self._link.ask(
            lambda reply: None if reply < 0 else reply / 1000, "PTTL", self._key(key)
        )

    def get_many(self, keys):
        """Those that are there, by the keys as they were given."""
        keys = list(keys)
        if not keys:
            return self._link.ask_all(lambda _replies: {}, [])
        return self._link.ask(
            lambda values: {key: value for key, value in zip(keys, values) if value is not None},
            "MGET",
            *map(self._key, keys),
        )

    def set_many(self, values, expires=None):
        commands = [self._set(key, value, expires) for key, value in values.items()]
        return self._link.ask_all(as_nothing, commands)

    def clear(self):
        """Empties this cache, and no other; how many there were."""
        return self._link.ask(None, "PORTICO.CLEAR", self._prefix)

    def _set(self, key, value, expires):
        command = ("SET", self._key(key), to_bytes(value))
        return command if expires is None else (*command, "PX", milliseconds(expires))
