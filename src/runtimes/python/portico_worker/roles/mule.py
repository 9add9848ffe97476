"""Runs a function of the application that is a program of its own: `{"kind": "mule", "target": …, "number": 1}`."""
import sys

from . import function


def run(_application, _settings, _slot, role):
    schedule = sys.modules.get("portico.schedule")
    if schedule is not None:
        schedule.mule_number = role["number"]
    function.call(role)
