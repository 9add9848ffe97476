"""Runs a Gunicorn configuration file and prints what it sets, as one JSON object on the standard output.

Usage: python show_settings.py FOLDER FILE. Run by the application's own interpreter; Gunicorn itself need
not be installed. What the file prints goes to the standard error.
"""
import importlib
import importlib.machinery
import importlib.util
import json
import os
import sys

#: Deeper than any setting is.
DEEPEST = 8


def main(folder, target):
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.chdir(folder)
    # Where this file lies is nobody's business.
    sys.path[0] = folder
    module = load(target)
    found = {}
    for name, value in vars(module).items():
        if not name.startswith("_") and not isinstance(value, type(sys)):
            found[name] = show(value, 0)
    json.dump(found, out)
    out.close()


def load(target):
    if target.startswith("python:"):
        return importlib.import_module(target[len("python:") :])
    path = os.path.abspath(target[len("file:") :] if target.startswith("file:") else target)
    loader = importlib.machinery.SourceFileLoader("__config__", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("__config__", loader))
    sys.modules["__config__"] = module
    loader.exec_module(module)
    return module


def show(value, depth):
    """JSON has no classes and functions: these are told by their names."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return value if value == value and abs(value) < 1e300 else {"object": repr(value)}
    if depth < DEEPEST and isinstance(value, (list, tuple, set, frozenset)):
        return [show(each, depth + 1) for each in value]
    if depth < DEEPEST and isinstance(value, dict):
        return {"map": {str(key): show(each, depth + 1) for key, each in value.items()}}
    if isinstance(value, type):
        return {"class": value.__module__ + "." + value.__qualname__}
    if callable(value):
        return {"function": getattr(value, "__qualname__", "")}
    return {"object": type(value).__name__}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
