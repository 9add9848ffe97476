"""Runs a function of the application that is a program of its own: `{"kind": "mule", "target": …, "number": 1}`."""
import os
import sys

from .. import process, trace
from . import function


def run(_application, settings, slot, role):
    introduction = {"app": settings["app"]["name"], "slot": slot, "pid": os.getpid()}
    process.open_log(settings["log"], {**introduction, "task": role["task"]})
    # Small, and most mules wait for messages.
    from portico import mules

    mules.number = role["number"]
    try:
        function.call(role)
    except Exception as error:
        print(trace.text(error), end="", file=sys.stderr, flush=True)
        sys.exit(1)
