import os
import threading

import redis


def check(got, expected):
    if got != expected:
        raise AssertionError("%r, not %r" % (got, expected))


for protocol_db in (0, 3):
    client = redis.Redis(unix_socket_path=os.environ["PORTICO_COMMONS"], db=protocol_db)
    client.flushdb()
    check(client.ping(), True)
    check(client.set("a", b"\0\xff", ex=60, nx=True), True)
    check(client.set("a", 1, nx=True), None)
    check(client.get("a"), b"\0\xff")
    check(client.ttl("a"), 60)
    check(client.mget("a", "none"), [b"\0\xff", None])
    with client.pipeline() as pipe:
        pipe.incr("n").incrbyfloat("f", 0.1).incrbyfloat("f", 0.2)
        pipe.hset("h", mapping={"x": 1, "y": "z"}).hgetall("h").rpush("q", 1, 2).llen("q")
        check(pipe.execute(), [1, 0.1, 0.3, 2, {b"x": b"1", b"y": b"z"}, 2, 2])
    with client.pipeline() as pipe:
        pipe.watch("n")
        client.incr("n")
        pipe.multi()
        pipe.set("n", 100)
        try:
            pipe.execute()
            raise AssertionError("it was changed")
        except redis.WatchError:
            pass
    check(client.transaction(lambda pipe: [pipe.multi(), pipe.set("n", 5)], "n"), [True])
    check(client.blpop(["none", "q"], timeout=1), (b"q", b"1"))
    check(client.brpop("none", timeout=0.01), None)
    check(sorted(client.scan_iter("*", count=2)), [b"a", b"f", b"h", b"n", b"q"])
    check(sorted(client.keys("[af]")), [b"a", b"f"])
    try:
        client.lpush("a", 1)
        raise AssertionError("not a list")
    except redis.ResponseError as error:
        check(str(error).startswith("WRONGTYPE"), True)
    check(client.type("h"), b"hash")
    check(client.info()["redis_mode"], "standalone")
    check(client.client_id() > 0, True)
    check(client.delete("a", "f", "h", "n", "q"), 5)

listening = client.pubsub()
listening.subscribe("c")
listening.psubscribe("d*")
check(listening.get_message(timeout=1)["type"], "subscribe")
check(listening.get_message(timeout=1)["type"], "psubscribe")
check(client.publish("c", "x"), 1)
check(listening.get_message(timeout=1)["data"], b"x")
check(client.publish("dd", "y"), 1)
check(listening.get_message(timeout=1)["pattern"], b"d*")
listening.close()

threads = [
    threading.Thread(target=lambda: [client.incr("all") for _ in range(200)]) for _ in range(8)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
check(client.get("all"), b"1600")
client.close()
print("fine")
