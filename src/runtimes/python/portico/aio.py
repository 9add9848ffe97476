"""The same for asyncio: what is asked for is awaited.

    from portico import aio

    page = await aio.cache.get("front")
    async with aio.lock("invoices"): ...
"""
import asyncio
import os
import weakref

from . import counters, queues
from .caches import Cache
from .connection import DATABASE, MOST_IDLE, TIMEOUT, Unavailable, path
from .locks import LockLost, command_to_take
from .resp import CommandError, Garbage, Reader, encode
from .values import milliseconds


class Connection:
    """One connection of one event loop."""

    def __init__(self, reader, writer):
        self.used = False
        self.replies = Reader()
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls):
        where = path()
        try:
            opened = await asyncio.wait_for(asyncio.open_unix_connection(where), TIMEOUT)
        except (OSError, asyncio.TimeoutError) as error:
            raise Unavailable("Portico cannot be reached at %s: %s" % (where, error)) from error
        connection = cls(*opened)
        await connection.ask_all([("SELECT", DATABASE)], TIMEOUT)
        connection.used = False
        return connection

    async def ask_all(self, commands, timeout):
        self.writer.write(b"".join(map(encode, commands)))
        if timeout is None:
            replies = await self._replies(len(commands))
        else:
            replies = await asyncio.wait_for(self._replies(len(commands)), timeout)
        self.used = True
        return replies

    async def _replies(self, count):
        await self.writer.drain()
        return [await self.receive() for _ in range(count)]

    async def receive(self):
        reply = self.replies.next()
        while reply is Reader.more:
            data = await self.reader.read(65536)
            if not data:
                raise EOFError("Portico closed the connection")
            self.replies.feed(data)
            reply = self.replies.next()
        return reply

    def close(self):
        self.writer.close()


class Link:
    """The connections of each event loop. What is asked for is a coroutine here."""

    def __init__(self):
        self.idle = weakref.WeakKeyDictionary()

    def _idle(self):
        return self.idle.setdefault(asyncio.get_running_loop(), [])

    async def ask(self, then, *args, timeout=TIMEOUT):
        return await self.ask_all(
            lambda replies: replies[0] if then is None else then(replies[0]), [args], timeout
        )

    async def ask_all(self, then, commands, timeout=TIMEOUT):
        connection, replies = await self.ask_keeping(commands, timeout)
        self.give_back(connection)
        for reply in replies:
            if isinstance(reply, CommandError):
                raise reply
        return then(replies)

    async def ask_keeping(self, commands, timeout):
        """The connection, which is lent on, and the replies. See the pool in `connection`."""
        while True:
            idle = self._idle()
            connection = idle.pop() if idle else await Connection.open()
            kept = connection.used
            try:
                return connection, await connection.ask_all(commands, timeout)
            except (BrokenPipeError, ConnectionResetError, EOFError) as error:
                connection.close()
                if kept:
                    continue
                raise Unavailable("Portico closed the connection: %s" % error) from error
            except (OSError, Garbage, asyncio.TimeoutError) as error:
                connection.close()
                raise Unavailable("Portico does not answer: %s" % error) from error
            except BaseException:
                # Cancelled between question and answer: the next one would get that answer.
                connection.close()
                raise

    def give_back(self, connection):
        idle = self._idle()
        if len(idle) < MOST_IDLE:
            idle.append(connection)
        else:
            connection.close()

    def forget(self):
        """In a new process: these connections, and their loops, are another's."""
        self.idle = weakref.WeakKeyDictionary()


link = Link()
os.register_at_fork(after_in_child=link.forget)

cache = Cache(link)


def counter(name):
    return counters.Counter(link, name)


def queue(name):
    return queues.Queue(link, name)


class lock:
    """`async with lock("name"):`; see `portico.locks.Lock`."""

    def __init__(self, name, ttl=None, wait=None):
        self.name = name
        self.fence = None
        self._ttl = 0 if ttl is None else milliseconds(ttl)
        self._wait = wait
        self._connection = None

    async def acquire(self, wait=None):
        """Whether it has been taken within `wait` seconds (None: for ever)."""
        if self._connection is not None:
            raise RuntimeError("this lock is held already; it is not for taking twice")
        command, timeout = command_to_take(self.name, self._ttl, wait)
        connection, (fence,) = await link.ask_keeping([command], timeout)
        if not isinstance(fence, int):
            link.give_back(connection)
            if fence is not None:
                raise fence
            return False
        self._connection, self.fence = connection, fence
        return True

    async def release(self):
        connection, self._connection, self.fence = self._connection, None, None
        if connection is None:
            raise RuntimeError("this lock is not held")
        try:
            (held,) = await connection.ask_all([("PORTICO.UNLOCK", self.name)], TIMEOUT)
        except BaseException as error:
            # With its connection the lock is released.
            connection.close()
            if isinstance(error, (OSError, EOFError, asyncio.TimeoutError)):
                raise LockLost("%s: %s" % (self.name, error)) from error
            raise
        link.give_back(connection)
        if held != 1:
            raise LockLost(self.name)

    async def __aenter__(self):
        if not await self.acquire(self._wait):
            raise TimeoutError("the lock %r was not to be had in %s s" % (self.name, self._wait))
        return self

    async def __aexit__(self, kind, _error, _trace):
        try:
            await self.release()
        except LockLost:
            if kind is None:
                raise


async def signal(name, data=b""):
    return await link.ask(None, "PORTICO.SIGNAL", name, data)
