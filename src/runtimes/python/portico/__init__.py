"""What Portico gives to the applications that it runs. Each part is imported when it is first asked for."""
import importlib

#: Name → module of this package.
_PARTS = {
    "cron": "schedule",
    "filewatch": "schedule",
    "mule": "schedule",
    "on_signal": "schedule",
    "postfork": "schedule",
    "thread": "schedule",
    "timer": "schedule",
}


def __getattr__(name):
    part = _PARTS.get(name)
    if part is None:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    found = getattr(importlib.import_module("." + part, __name__), name)
    globals()[name] = found
    return found
