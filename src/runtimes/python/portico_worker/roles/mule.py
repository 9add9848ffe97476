"""Runs a function of the application that is a program of its own: `{"kind": "mule", "target": …, "number": 1}`.

`declared` and `task` as with calls.
"""
from . import function


def run(_application, settings, slot, role):
    # Small, and most mules wait for messages.
    from portico import mules

    mules.number = role["number"]
    function.run(settings, slot, role)
