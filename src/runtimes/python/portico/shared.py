"""What is shared with the other workers, for code that waits: `portico.aio` has the same for asyncio."""
from .caches import Cache
from .connection import pool
from .counters import Counter
from .locks import Lock
from .queues import Queue

cache = Cache(pool)
lock = Lock


def counter(name):
    return Counter(pool, name)


def queue(name):
    return Queue(pool, name)
