"""Every function of `portico` that waits, from threads, after forks, and with the process gone meanwhile."""
import os
import sys
import threading
import time

import portico

mode = sys.argv[1] if len(sys.argv) > 1 else ""
if mode == "gevent":
    from gevent import monkey

    monkey.patch_all()
elif mode == "eventlet":
    import eventlet

    eventlet.monkey_patch()


def check(got, expected):
    if got != expected:
        raise AssertionError("%r, not %r" % (got, expected))


def raises(kind, function, *arguments):
    try:
        function(*arguments)
    except kind as error:
        return str(error)
    raise AssertionError("nothing raised")


cache = portico.cache.named("test")
cache.clear()

check(cache.get("a"), None)
check(cache.get("a", 7), 7)
check(cache.set("a", "ä"), None)
check(cache.get("a"), "ä".encode())
check(cache.get_text("a"), "ä")
check(cache.add("a", "x"), False)
check(cache.add("b", b"\0\r\n\xff", expires=60), True)
check(cache.get("b"), b"\0\r\n\xff")
check(round(cache.ttl("b")), 60)
check(cache.ttl("a"), None)
check(cache.replace("b", 5), True)
check(cache.replace("none", 5), False)
check(cache.incr("b"), 6)
check(cache.decr("b", 2), 4)
check(cache.get_many(["a", "b", "none"]), {"a": "ä".encode(), "b": b"4"})
check(cache.get_many([]), {})
cache.set_many({"x": 1, "y": "two"}, expires=60)
check(cache.get_many(["x", "y"]), {"x": b"1", "y": b"two"})
check(cache.touch("x"), True)
check(cache.ttl("x"), None)
check(cache.touch("x", 5), True)
check(cache.touch("none"), False)
check(cache.pop("x"), b"1")
check(cache.exists("x"), False)
cache.set_json("j", {"n": [1, None, "ä"]})
check(cache.get_json("j"), {"n": [1, None, "ä"]})
check(cache.get_json("none", []), [])
large = os.urandom(300_000)
cache.set("large", large)
check(cache.get("large"), large)
cache.set("brief", 1, expires=0.01)
time.sleep(0.03)
check(cache.get("brief"), None)
check("json" in raises(TypeError, cache.set, "a", object()), True)
raises(TypeError, cache.set, "a", None)
check("maximum" in raises(portico.CommandError, cache.incr, "a") or "integer", "integer")
other = portico.cache.named("other")
other.set("a", "mine")
check(cache.delete("a", "b", "none"), 2)
check(cache.clear() > 0, True)
check(other.get("a"), b"mine")

number = portico.counter("n")
number.set(0)
check(number.incr(), 1)
check(number.incr(5), 6)
check(number.decr(2), 4)
check(number.get(), 4)
number.delete()
check(number.get(), 0)

queue = portico.queue("q")
queue.clear()
check(queue.get(), None)
check(queue.put("a", b"b"), 2)
check(queue.put_json({"n": 1}), 3)
check(len(queue), 3)
check(queue.peek(), [b"a", b"b", b'{"n":1}'])
check(queue.get(), b"a")
check(queue.get(wait=1), b"b")
check(queue.get_json(), {"n": 1})
before = time.monotonic()
check(queue.get(wait=0.05), None)
check(time.monotonic() - before > 0.045, True)

# Many at a time: each has its own answer.
failures = []


def work(name):
    try:
        for i in range(25):
            cache.set(name, i)
            check(cache.get(name), b"%d" % i)
            number.incr()
    except BaseException as failure:
        failures.append(failure)
        raise


threads = [threading.Thread(target=work, args=("t%d" % i,)) for i in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
check(failures, [])
check(number.get(), 200)

# Locks.
inside = [0]


def enter():
    for _ in range(10):
        with portico.lock("l"):
            inside[0] += 1
            check(inside[0], 1)
            time.sleep(0)
            inside[0] -= 1


threads = [threading.Thread(target=enter) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
first = portico.lock("l")
check(first.acquire(), True)
check(portico.lock("l").acquire(blocking=False), False)
check(portico.lock("l").acquire(timeout=0.05), False)
raises(TimeoutError, portico.lock("l", wait=0.01).__enter__)
raises(RuntimeError, first.acquire)
fence = first.fence
first.release()
raises(RuntimeError, first.release)
with portico.lock("l", ttl=0.02) as second:
    check(second.fence > fence, True)
    try:
        with portico.lock("l", wait=5):
            pass
        time.sleep(0.01)
        raises(portico.LockLost, second.release)
    finally:
        second.acquire()

# A process that is killed holds nothing.
read, write = os.pipe()
child = os.fork()
if child == 0:
    taken = portico.lock("held")
    taken.acquire()
    check(cache.get("t1"), b"24")
    os.write(write, b"x")
    time.sleep(60)
    os._exit(1)
os.read(read, 1)
check(portico.lock("held").acquire(blocking=False), False)
os.kill(child, 9)
after = portico.lock("held")
check(after.acquire(timeout=5), True)
os.waitpid(child, 0)

# A lock that is held through a fork stays its taker's.
held = portico.lock("parent")
held.acquire()
child = os.fork()
if child == 0:
    os._exit(0 if portico.lock("parent").acquire(blocking=False) is False else 1)
check(os.waitpid(child, 0)[1], 0)
held.release()

# Signals.
heard = []
told = threading.Event()


@portico.listen("ding")
def on_ding(data):
    heard.append(data)
    told.set()


until = time.monotonic() + 10
while portico.signal("ding", "now") == 0 and time.monotonic() < until:
    time.sleep(0.02)
check(told.wait(5), True)
check(heard, [b"now"])


@portico.listen("dong")
def on_dong(data):
    raise ValueError("a handler that fails harms no other")


portico.listen("dong", lambda data: heard.append(b"dong"))
until = time.monotonic() + 10
while b"dong" not in heard and time.monotonic() < until:
    portico.signal("dong")
    time.sleep(0.02)
check(b"dong" in heard, True)

with portico.metrics.timed("took", kind="test"):
    portico.metrics.counter("orders", 2, country="de")
    portico.metrics.gauge("stock", 17.5)


@portico.metrics.timed("took")
def timed_function():
    return 5


check(timed_function(), 5)
print("fine")
