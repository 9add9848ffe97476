"""The same for asyncio."""
import asyncio
import time

import portico
from portico import aio


def check(got, expected):
    if got != expected:
        raise AssertionError("%r, not %r" % (got, expected))


async def main():
    cache = aio.cache.named("aio")
    await cache.clear()
    check(await cache.get("a", 7), 7)
    await cache.set("a", "ä", expires=60)
    check(await cache.get_text("a"), "ä")
    check(await cache.add("a", 1), False)
    check(await cache.incr("n", 5), 5)
    check(await cache.get_many(["a", "n", "x"]), {"a": "ä".encode(), "n": b"5"})
    check(await cache.get_many([]), {})
    await cache.set_many({"x": 1, "y": 2})
    check(await cache.touch("x"), True)
    await cache.set_json("j", [1])
    check(await cache.get_json("j"), [1])
    try:
        await cache.incr("a")
        raise AssertionError("counted letters")
    except portico.CommandError:
        pass
    counter = aio.counter("aio")
    await counter.set(0)
    await asyncio.gather(*[counter.incr() for _ in range(100)])
    check(await counter.get(), 100)

    queue = aio.queue("aio")
    waiting = asyncio.create_task(queue.get(wait=5))
    await asyncio.sleep(0.02)
    await queue.put("x")
    check(await waiting, b"x")
    check(await queue.get(wait=0.02), None)
    # One that is given up takes nothing away from the next.
    given_up = asyncio.create_task(queue.get(wait=None))
    await asyncio.sleep(0.02)
    given_up.cancel()
    await asyncio.sleep(0.02)
    await queue.put("y")
    check(await queue.get(wait=5), b"y")

    inside = 0

    async def enter():
        nonlocal inside
        async with aio.lock("aio"):
            inside += 1
            check(inside, 1)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*[enter() for _ in range(10)])
    one, other = aio.lock("aio"), aio.lock("aio")
    check(await one.acquire(), True)
    check(await other.acquire(0), False)
    before = time.monotonic()
    check(await other.acquire(0.05), False)
    check(time.monotonic() - before > 0.045, True)
    await one.release()
    check(await aio.signal("nobody"), 0)


for _ in range(2):
    asyncio.run(main())
print("fine")
