"""Calls a function of the application once: `{"kind": "call", "target": "module:function"}`.

With `declared`, `target` is the key of what a decorator of `portico.schedule` declared. `task` and `run`
are for the lines in the log.
"""
import os
import sys

from .. import process, trace
from . import function, on_retire


def run(_application, settings, slot, role):
    # A reload waits for calls.
    on_retire(lambda: None)
    introduction = {"app": settings["app"]["name"], "slot": slot, "pid": os.getpid()}
    for fact in ("task", "run"):
        if fact in role:
            introduction[fact] = role[fact]
    process.open_log(settings["log"], introduction)
    try:
        function.call(role, *role.get("arguments", ()))
    except Exception as error:
        print(trace.text(error), end="", file=sys.stderr, flush=True)
        sys.exit(1)
