"""What Portico gives to the applications that it runs. Each part is imported when it is first asked for."""
import importlib

#: Name → module of this package.
_PARTS = {
    "CommandError": "resp",
    "LockLost": "locks",
    "NotInPortico": "connection",
    "Unavailable": "connection",
    "cache": "shared",
    "counter": "shared",
    "cron": "schedule",
    "filewatch": "schedule",
    "job": "jobs",
    "listen": "signals",
    "lock": "shared",
    "mule": "schedule",
    "mule_get_msg": "mules",
    "mule_get_msg_json": "mules",
    "mule_id": "mules",
    "mule_msg": "mules",
    "mule_msg_json": "mules",
    "on_signal": "schedule",
    "postfork": "schedule",
    "queue": "shared",
    "signal": "signals",
    "thread": "schedule",
    "timer": "schedule",
}
#: Those that are asked for as a whole: `portico.aio.cache`.
_MODULES = ("aio", "jobs", "log", "metrics")


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module("." + name, __name__)
    part = _PARTS.get(name)
    if part is None:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    found = getattr(importlib.import_module("." + part, __name__), name)
    globals()[name] = found
    return found
