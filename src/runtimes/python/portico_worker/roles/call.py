"""Calls a function of the application: `{"kind": "call", "target": "module:function", "arguments": […]}`."""
import importlib


def run(_application, _settings, _slot, role):
    module, _, path = role["target"].partition(":")
    found = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    found(*role.get("arguments", ()))
