"""The warm parent: imports the application once, forks workers from there, reports their ends.

One loop acts on what the supervisor says (descriptor 3) and on workers that ended (a self-pipe).
"""
import faulthandler
import gc
import importlib
import os
import signal
import sys

# Bound before an application's greenlets replace them: the parent itself must block.
from os import fork, waitpid
from select import POLLIN, poll as new_poll
from signal import signal as handle
from time import monotonic

from . import declares, engines, fork_safety, hooks, process
from .control import Closed, Control
from .lazy import Scout
from .load import LoadFailed, load

#: A retiring worker is reminded this often, in seconds: it may have been between two system calls.
REMIND = 1.0
#: Characters of a traceback that the supervisor is told.
LONGEST_DETAIL = 65536
#: Of an application that each worker imports by itself.
ENDED_IN_IMPORT = "the process ended while it imported the application; what it printed is in the log"

#: Holds the package `portico`, which applications may import.
LIBRARY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


#: Of the process that imports the application; those that are forked from it have others.
PID = os.getpid()


class Fork(Exception):
    """Raised in the new process, so that it leaves the parent's frames before it begins."""

    def __init__(self, slot, role):
        super().__init__(slot)
        self.slot = slot
        self.role = role


def main():
    faulthandler.enable(2)
    handle(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's
    parent = Parent(Control())
    try:
        parent.run()
    except Fork as fork:
        slot, role = fork.slot, fork.role
    except Closed:
        parent.kill_all()
        return
    else:
        return
    process.run(parent, slot, role)


class Parent:
    def __init__(self, control):
        self.control = control
        self.workers = {}  # pid → slot
        self.retiring = set()
        self.quitting = False
        self.application = None
        self.settings = None
        # Of an application that each worker imports by itself: its first process, until it is a worker.
        self.scout = None
        self.ready = False
        self.hooks = hooks.NoHooks()
        # Workers that may still tell why before they are killed: pid → when.
        self.aborting = {}
        # What the application itself set while it was imported; workers get it back.
        self.inherited = {}
        # Its other end closes with this process, however this process ends.
        self.lifeline = os.pipe()

    def run(self):
        messages = self.control.read()
        while not messages:
            messages = self.control.read()
        self.configure(messages.pop(0))
        wake = self.watch_signals()
        poll = self.poll = new_poll()
        poll.register(self.control, POLLIN)
        poll.register(wake, POLLIN)
        if self.settings["app"].get("lazy"):
            self.send_scout()
        while True:
            for message in messages:
                self.act(message)
            messages = []
            if self.quitting and not self.workers:
                self.dismiss_scout()
                self.hooks.on_exit()
                return
            ready = dict(poll.poll(self.patience()))
            if wake in ready:
                os.read(wake, 4096)
                self.reap()
            if self.control.fileno() in ready:
                messages = self.control.read()
            if self.scout is not None and self.scout.fileno() in ready:
                self.hear_scout()
            for pid in self.retiring:
                process.send(pid, process.RETIRE)
            for pid in [pid for pid, when in self.aborting.items() if monotonic() >= when]:
                process.send(pid, signal.SIGKILL)
                del self.aborting[pid]

    def patience(self):
        if self.aborting:
            return hooks.ABORT_GRACE * 1000
        return REMIND * 1000 if self.retiring else None

    def configure(self, settings):
        app = settings["app"]
        self.settings = settings
        os.environ["PORTICO_APP"] = app["name"]
        os.chdir(app["dir"])
        # The application's own modules come first.
        sys.path[:0] = [app["dir"], LIBRARY]
        process.activate(app["venv"])
        # An import may hang: then nobody reads the control channel to see the supervisor gone.
        process.end_with_creator()
        try:
            if app["mode"] in engines.MODES:
                engines.patch(app["mode"])
            if app.get("compat") == "uwsgi":
                importlib.import_module("portico.uwsgi_parts").install(app)
            self.hooks = hooks.load(app)
            self.hooks.on_starting()
            if app.get("lazy"):
                return
            before = fork_safety.descriptors()
            self.application = load(app["module"], app["callable"], app["dir"])
            self.hooks.when_ready()
            declares.close_connections()
        except LoadFailed as failure:
            # The end of a traceback says what happened.
            self.control.say("failed", detail=str(failure)[-LONGEST_DETAIL:])
            return
        self.ready = True
        fork_safety.warn(before)
        process.warn_of_mode(app, self.application)
        version = "%d.%d.%d" % sys.version_info[:3]
        self.control.say("loaded", version=version, declares=declares.declares())
        # While the supervisor thinks about it: what every worker would import otherwise.
        from . import worker

        worker.way(app, self.application)

        # What was imported never becomes garbage: keep the collector off it, and its pages shared.
        gc.collect()
        gc.freeze()

    def watch_signals(self):
        """Installs the parent's own signals, after the import so that an application cannot undo them."""
        wake, write = os.pipe()
        for descriptor in (wake, write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self.wake_pipe = (wake, write)

        def retire_all(_number, _frame):
            self.quitting = True

        for number, handler in ((signal.SIGCHLD, lambda *_: None), (signal.SIGTERM, retire_all)):
            self.inherited[number] = handle(number, handler)
        handle(signal.SIGINT, signal.SIG_IGN)
        # A worker inherits these until it has its own: one that is just born must not die of them.
        for number in {process.RETIRE, process.TRACEBACK} - {signal.SIGTERM}:
            handle(number, signal.SIG_IGN)
        return wake

    def act(self, message):
        kind = message["type"]
        if kind == "spawn":
            self.spawn(message["slot"], message.get("role"))
        elif kind == "quit":
            self.quitting = True
            for pid in self.workers:
                self.retire(pid)
        elif kind in ("retire", "kill", "traceback"):
            for pid in [pid for pid, slot in self.workers.items() if slot == message["slot"]]:
                if kind == "retire":
                    self.retire(pid)
                elif kind == "kill":
                    self.kill(pid)
                else:
                    process.send(pid, process.TRACEBACK)
        else:
            raise ValueError("unknown control message %r" % kind)

    def kill(self, pid):
        if self.hooks.aborts and pid not in self.aborting:
            process.send(pid, signal.SIGABRT)
            self.aborting[pid] = monotonic() + hooks.ABORT_GRACE
        else:
            process.send(pid, signal.SIGKILL)

    def retire(self, pid):
        self.retiring.add(pid)
        process.send(pid, process.RETIRE)

    def spawn(self, slot, role):
        if not self.ready:
            raise ValueError("`spawn` before the application was imported")
        if self.quitting:
            return
        sys.stdout.flush()
        sys.stderr.flush()
        if role is None and self.scout is not None:
            pid = self.scout.pid
            self.poll.unregister(self.scout)
            self.scout.become(slot)
            self.scout = None
        else:
            pid = self.fork(slot, role)
        self.workers[pid] = slot
        self.control.say("spawned", slot=slot, pid=pid)

    def fork(self, slot, role):
        if role is None:
            self.hooks.pre_fork()
        pid = fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for descriptor in (*self.wake_pipe, self.control.fileno(), self.lifeline[1]):
                os.close(descriptor)
            raise Fork(slot, role)
        if role is None:
            self.hooks.forked(pid)
        return pid

    def send_scout(self):
        """Its first process: it tells whether the application loads, and waits for its slot."""
        self.scout = Scout()
        self.scout.is_parent(self.fork(None, None))
        self.poll.register(self.scout, POLLIN)

    def hear_scout(self):
        scout = self.scout
        try:
            said = scout.hear()
        except EOFError:
            self.dismiss_scout()
            if not scout.loaded:
                self.control.say("failed", detail=ENDED_IN_IMPORT)
            return
        if said is None:
            return
        if "failed" in said:
            self.dismiss_scout()
            return self.control.say("failed", detail=said["failed"][-LONGEST_DETAIL:])
        scout.loaded = self.ready = True
        self.hooks.when_ready()
        version = "%d.%d.%d" % sys.version_info[:3]
        self.control.say("loaded", version=version, declares=said["declares"])

    def dismiss_scout(self):
        scout, self.scout = self.scout, None
        if scout is None:
            return
        self.poll.unregister(scout)
        scout.close()
        process.send(scout.pid, signal.SIGKILL)
        waitpid(scout.pid, 0)
        self.hooks.child_exit(scout.pid)

    def reap(self):
        if self.quitting:
            self.retiring.update(self.workers)
        for pid in list(self.workers):
            try:
                ended, status = waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # the application waited for it
                ended, status = pid, 0
            if not ended:
                continue
            slot = self.workers.pop(pid)
            self.retiring.discard(pid)
            self.aborting.pop(pid, None)
            self.hooks.child_exit(pid)
            signalled = os.WIFSIGNALED(status)
            self.control.say(
                "exited",
                slot=slot,
                pid=pid,
                code=None if signalled else os.WEXITSTATUS(status),
                signal=os.WTERMSIG(status) if signalled else None,
            )

    def kill_all(self):
        for pid in self.workers:
            process.send(pid, signal.SIGKILL)
        for pid in self.workers:
            try:
                waitpid(pid, 0)
            except ChildProcessError:
                pass
