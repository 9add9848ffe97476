"""Gets from a store as a Python program does, one after the other: `stores.py NAME SOCKET SECONDS`."""
import json
import os
import sys
from time import perf_counter

name, path, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../src/runtimes/python"))
os.environ["PORTICO_COMMONS"] = path

if name == "portico":
    import portico

    client = portico.cache
elif name == "redis-server":
    import redis

    client = redis.Redis(unix_socket_path=path)
else:
    from pymemcache.client.base import Client

    client = Client("unix:" + path)
for i in range(1000):
    client.set("key:%d" % i, b"x" * 100)
get = client.get
times = []
operations = 0
began = now = perf_counter()
while now - began < seconds:
    value = get("key:%d" % (operations % 1000))
    last, now = now, perf_counter()
    times.append(now - last)
    operations += 1
assert len(value) == 100
times.sort()
print(
    json.dumps(
        {
            "operations": operations,
            "rate": operations / (now - began),
            "p50": times[operations // 2] * 1e6,
            "p99": times[operations * 99 // 100] * 1e6,
        }
    )
)
