import os

from pymemcache.client.base import Client
from pymemcache.client.hash import HashClient
from pymemcache.exceptions import MemcacheClientError, MemcacheServerError


def check(got, expected):
    if got != expected:
        raise AssertionError("%r, not %r" % (got, expected))


client = Client("unix:" + os.environ["MEMCACHED"], default_noreply=False)
client.flush_all()
check(client.set("a", b"x", expire=60, flags=7), True)
check(client.get("a"), b"x")
check(client.add("a", b"y"), False)
check(client.replace("a", b"y"), True)
check(client.append("a", b"z"), True)
check(client.prepend("a", b"x"), True)
value, cas = client.gets("a")
check(value, b"xyz")
check(client.cas("a", b"1", cas), True)
check(client.cas("a", b"2", cas), False)
check(client.cas("none", b"2", cas), None)
check(client.incr("a", 10), 11)
check(client.decr("a", 100), 0)
check(client.incr("none", 1), None)
check(client.touch("a", 60), True)
check(client.set_many({"m1": b"1", "m2": b"2"}), [])
check(client.get_many(["m1", "m2", "m3"]), {"m1": b"1", "m2": b"2"})
check(client.delete("a"), True)
check(client.delete("a"), False)
check(client.delete_many(["m1", "m2"]), True)
check(client.version(), b"1.6.0")
check(client.stats()[b"pointer_size"], 64)
try:
    client.set("large", b"x" * 2_000_000)
    raise AssertionError("too large")
except MemcacheServerError:
    pass
client.set("text", b"abc")
try:
    client.incr("text", 1)
    raise AssertionError("no number")
except MemcacheClientError:
    pass
check(client.set("quiet", b"1", noreply=True), True)
check(client.get("quiet"), b"1")
check(client.flush_all(), True)
check(client.get("quiet"), None)
client.quit()
many = HashClient(["unix:" + os.environ["MEMCACHED"]])
many.set("a", b"1")
check(many.get("a"), b"1")
print("fine")
