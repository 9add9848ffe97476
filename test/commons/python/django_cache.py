"""What Django's documentation says its caches do, over both protocols."""
import os

import django
from django.conf import settings

settings.configure(
    CACHES={
        "default": {
            # Django has one of its own since 4.0.
            "BACKEND": os.environ.get("DJANGO_REDIS", "django_redis.cache.RedisCache"),
            "LOCATION": "unix://%s?db=2" % os.environ["PORTICO_COMMONS"],
        },
        "memcached": {
            "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
            "LOCATION": "unix:" + os.environ["MEMCACHED"],
        },
    },
    INSTALLED_APPS=["django.contrib.sessions"],
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
)
django.setup()

from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import caches


def check(got, expected):
    if got != expected:
        raise AssertionError("%r, not %r" % (got, expected))


for name in ("default", "memcached"):
    cache = caches[name]
    cache.clear()
    check(cache.get("a", "none"), "none")
    cache.set("a", {"list": [1, "ä", None]}, 60)
    check(cache.get("a"), {"list": [1, "ä", None]})
    check(cache.add("a", 1), False)
    check(cache.add("b", 1), True)
    check(cache.incr("b", 4), 5)
    check(cache.decr("b"), 4)
    check(cache.get_or_set("c", lambda: "made", 60), "made")
    check(cache.set_many({"x": 1, "y": "two"}, timeout=60) or [], [])
    check(cache.get_many(["x", "y", "z"]), {"x": 1, "y": "two"})
    check(cache.touch("x", 5), True)
    check(cache.touch("z"), False)
    check(cache.has_key("x"), True)
    check("z" in cache, False)
    check(cache.delete("x"), True)
    check(cache.delete("x"), False)
    cache.delete_many(["y", "c"])
    check(cache.get("y"), None)
    try:
        cache.incr("none")
        raise AssertionError("counted nothing")
    except (ValueError, TypeError):  # django_redis would ask in Lua, and then adds to None
        pass
    cache.set("v", 1, version=2)
    check((cache.get("v"), cache.get("v", version=2)), (None, 1))
    check(cache.incr_version("v", version=2), 3)
    cache.set("gone", 1, timeout=0)
    check(cache.get("gone"), None)
    cache.clear()
    check(cache.get("a"), None)

session = SessionStore()
session["user"] = 5
session.save()
check(SessionStore(session.session_key)["user"], 5)
print("fine")
