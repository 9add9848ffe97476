"""Calls a function of the application once: `{"kind": "call", "target": "module:function"}`.

With `declared`, `target` is the key of what a decorator of `portico.schedule` declared. `arguments` are for
it; `task` and `run` are for its lines in the log.
"""
from . import function, on_retire


def run(_application, settings, slot, role):
    # A reload waits for calls.
    on_retire(lambda: None)
    function.run(settings, slot, role, *role.get("arguments", ()))
