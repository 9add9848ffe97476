"""What an import begins that does not survive a fork: threads, connections, event loops.

Workers would not have the threads, and would all read from the same connections. Said once, by the
warm parent, with the remedy.
"""
import os
import socket
import sys

REMEDY = (
    "`lazy: true` has each worker import the application by itself; "
    "or begin such things when the first request comes"
)


def descriptors():
    """Those that are open, with what they are as the kernel names it; {} where it does not tell."""
    found = {}
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return found
    for name in names:
        try:
            found[int(name)] = os.readlink("/proc/self/fd/" + name)
        except OSError:
            pass
    return found


def warn(before):
    """`before`: the descriptors from before the import."""
    threads = started_threads()
    if threads:
        say("the import started threads that workers will not have: " + ", ".join(threads))
    opened = {fd: what for fd, what in descriptors().items() if before.get(fd) != what}
    peers = sorted(filter(None, (peer(fd) for fd, what in opened.items() if what.startswith("socket:"))))
    if peers:
        say("the import opened connections that all workers would share: " + ", ".join(peers))


def started_threads():
    threading = sys.modules.get("threading")
    if threading is None:
        return []
    return [t.name for t in threading.enumerate() if t is not threading.main_thread()]


def peer(descriptor):
    """Whom a socket is connected to; '' for nobody, and for another part of this process."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as copy:
            name = copy.getpeername()
    except OSError:
        return ""
    if isinstance(name, tuple):
        return "%s:%d" % name[:2]
    return os.fsdecode(name)


def say(what):
    print("portico: %s; %s" % (what, REMEDY), file=sys.stderr, flush=True)
