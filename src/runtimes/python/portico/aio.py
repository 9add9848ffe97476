"""The same for asyncio: what is asked for is awaited.

    from portico import aio

    page = await aio.cache.get("front")
    async with aio.lock("invoices"): ...
"""
import asyncio
import os
import weakref
from collections import deque

from . import counters, queues
from .caches import Cache
from .connection import DATABASE, TIMEOUT, Unavailable, path
from .locks import LockLost, command_to_take
from .resp import CommandError, Garbage, Reader, encode
from .values import milliseconds


class Connection(asyncio.Protocol):
    """One connection of one event loop. Whoever asks something does not wait for those before: replies come
    in the order of the commands."""

    def __init__(self):
        self.replies = Reader()
        self.transport = None
        self.error = None
        #: A future for each command that has not been answered.
        self.waiting = deque()

    @classmethod
    async def open(cls):
        where = path()
        loop = asyncio.get_running_loop()
        try:
            opening = loop.create_unix_connection(cls, where)
            _transport, connection = await asyncio.wait_for(opening, TIMEOUT)
            (reply,) = await connection.ask_all([("SELECT", DATABASE)], TIMEOUT)
            if isinstance(reply, CommandError):
                connection.close()
                raise reply
        except (OSError, CommandError, asyncio.TimeoutError) as error:
            raise Unavailable("Portico cannot be reached at %s: %s" % (where, error)) from error
        return connection

    async def ask_all(self, commands, timeout):
        """The replies, refusals among them. Raises Unavailable."""
        if self.error is not None:
            raise self.error
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in commands]
        self.waiting.extend(futures)
        self.transport.write(b"".join(map(encode, commands)))
        timer = None if timeout is None else loop.call_later(timeout, self.too_late)
        try:
            return [await future for future in futures]
        finally:
            if timer is not None:
                timer.cancel()

    def too_late(self):
        self.fail(Unavailable("Portico does not answer"))

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.replies.feed(data)
        try:
            reply = self.replies.next()
            while reply is not Reader.more:
                future = self.waiting.popleft()
                # Whoever asked may have been cancelled.
                if not future.done():
                    future.set_result(reply)
                reply = self.replies.next()
        except (Garbage, IndexError) as error:
            self.fail(Unavailable("Portico does not answer: %s" % error))

    def connection_lost(self, error):
        self.fail(Unavailable("Portico closed the connection: %s" % (error or "its end")))

    def fail(self, error):
        if self.error is not None:
            return
        self.error = error
        self.transport.abort()
        for future in self.waiting:
            if not future.done():
                future.set_exception(error)
        self.waiting.clear()

    def close(self):
        """No one waits any more."""
        self.fail(Unavailable("closed"))


class Link:
    """One connection of each event loop for all that is answered at once, and one for each that waits."""

    def __init__(self):
        self.shared = weakref.WeakKeyDictionary()

    async def connection(self):
        loop = asyncio.get_running_loop()
        task = self.shared.get(loop)
        if task is None or (task.done() and not usable(task)):
            task = self.shared[loop] = loop.create_task(Connection.open())
        # Others wait for it, too.
        return await asyncio.shield(task)

    async def ask(self, then, *args, timeout=TIMEOUT):
        if timeout == TIMEOUT:
            (reply,) = await (await self.connection()).ask_all([args], timeout)
        else:
            reply = await self.alone(args, timeout)
        if isinstance(reply, CommandError):
            raise reply
        return reply if then is None else then(reply)

    async def ask_all(self, then, commands):
        replies = await (await self.connection()).ask_all(commands, TIMEOUT)
        for reply in replies:
            if isinstance(reply, CommandError):
                raise reply
        return then(replies)

    async def alone(self, args, timeout):
        """The reply to what may wait: it holds up nobody, and when it is given up it takes nothing."""
        connection = await Connection.open()
        try:
            (reply,) = await connection.ask_all([args], timeout)
            return reply
        finally:
            connection.close()

    def forget(self):
        """In a new process: the connections and their loops are another's."""
        self.shared = weakref.WeakKeyDictionary()


def usable(task):
    return not task.cancelled() and task.exception() is None and task.result().error is None


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
        connection = await Connection.open()
        try:
            (fence,) = await connection.ask_all([command], timeout)
            if isinstance(fence, CommandError):
                raise fence
            if fence is not None:
                self._connection, self.fence = connection, fence
            return fence is not None
        finally:
            if self._connection is None:
                connection.close()

    async def release(self):
        connection, self._connection, self.fence = self._connection, None, None
        if connection is None:
            raise RuntimeError("this lock is not held")
        try:
            (held,) = await connection.ask_all([("PORTICO.UNLOCK", self.name)], TIMEOUT)
        except Unavailable as error:
            raise LockLost("%s: %s" % (self.name, error)) from error
        finally:
            # With its connection the lock is released in any case.
            connection.close()
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
