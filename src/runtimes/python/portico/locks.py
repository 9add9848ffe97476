"""Locks that all workers of a site, on this machine, share."""
from .connection import TIMEOUT, pool
from .resp import CommandError
from .values import milliseconds


class LockLost(RuntimeError):
    """The lock was not this one's any more when it was released: its `ttl` was over, or Portico's process
    for shared state was started anew. Another may have held it meanwhile."""


class Lock:
    """As threading.Lock, for all processes:

        with portico.lock("invoices") as lock:
            number = next_number(fence=lock.fence)

    It is released when its holder ends, however that ends. `ttl`: seconds after which it is released in any
    case; `wait`: how long `with` waits for it before it raises TimeoutError. `fence` grows with each taking.
    """

    def __init__(self, name, ttl=None, wait=None):
        self.name = name
        self.fence = None
        self._ttl = 0 if ttl is None else milliseconds(ttl)
        self._wait = wait
        #: Nobody else's while it is held: the lock ends with it.
        self._connection = None

    def acquire(self, blocking=True, timeout=-1):
        """Whether it has been taken, as with threading.Lock."""
        wait = (None if timeout < 0 else timeout) if blocking else 0
        return self._take(wait)

    def _take(self, wait):
        if self._connection is not None:
            raise RuntimeError("this lock is held already; it is not for taking twice")
        command, timeout = command_to_take(self.name, self._ttl, wait)
        connection, fence = pool.run_keeping(lambda one: one.ask(command, timeout))
        if fence is None:
            pool.give_back(connection)
            return False
        self._connection, self.fence = connection, fence
        return True

    def release(self):
        """Raises LockLost where it was not held any more."""
        connection, self._connection, self.fence = self._connection, None, None
        if connection is None:
            raise RuntimeError("this lock is not held")
        try:
            held = connection.ask(("PORTICO.UNLOCK", self.name))
        except (OSError, EOFError, CommandError) as error:
            connection.close()
            raise LockLost("%s: %s" % (self.name, error)) from error
        pool.give_back(connection)
        if not held:
            raise LockLost(self.name)

    def locked(self):
        """Whether this object holds it."""
        return self._connection is not None

    def __enter__(self):
        if not self._take(self._wait):
            raise TimeoutError("the lock %r was not to be had in %s s" % (self.name, self._wait))
        return self

    def __exit__(self, kind, _error, _trace):
        try:
            self.release()
        except LockLost:
            if kind is None:
                raise


def command_to_take(name, ttl, wait):
    """The command and how long its reply may take; `wait` in seconds, None: for ever."""
    if wait is None:
        # The commons' longest.
        return ("PORTICO.LOCK", name, ttl, "WAIT", 2147483647), None
    if wait <= 0:
        return ("PORTICO.LOCK", name, ttl), TIMEOUT
    return ("PORTICO.LOCK", name, ttl, "WAIT", milliseconds(wait)), wait + TIMEOUT
