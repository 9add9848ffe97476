"""Runs a function of the application that is a program of its own: `{"kind": "mule", "target": …, "number": 1}`."""
import sys

from .. import trace
from . import function


def run(_application, _settings, _slot, role):
    # Small, and most mules wait for messages.
    from portico import mules

    mules.number = role["number"]
    try:
        function.call(role)
    except Exception as error:
        print(trace.text(error), end="", file=sys.stderr, flush=True)
        sys.exit(1)
