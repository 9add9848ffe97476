"""What a forked process does beside answering requests: one module for each kind of role.

A module has `run(application, settings, slot, role)`: `settings` is the control channel's `configure`,
`role` what `spawn` named, with its `kind`. The process ends when that returns.
"""
import importlib
import signal

from .. import process


def run(application, settings, slot, role):
    kind = role["kind"]
    if not kind.isidentifier():
        raise ValueError("no kind of role: %r" % kind)
    on_retire(leave)
    importlib.import_module("%s.%s" % (__name__, kind)).run(application, settings, slot, role)


def on_retire(handler):
    """Has `handler()` called, in the main thread, once when the process is to finish and go."""

    def retire(_number, _frame):
        # The parent reminds every second of what was heard already.
        for number in {process.RETIRE, signal.SIGTERM}:
            process.handle(number, signal.SIG_IGN)
        handler()

    for number in {process.RETIRE, signal.SIGTERM}:
        process.handle(number, retire)


def leave():
    """At once, wherever the program is."""
    raise SystemExit(0)
