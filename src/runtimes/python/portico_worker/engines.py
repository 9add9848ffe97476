"""gevent and eventlet: what they replace in Python, in which process, and what a fork needs.

Both replace the blocking parts of the standard library. That must come before the application is
imported, hence in the warm parent; whatever the parent itself does with these parts, it bound before.
"""
from .load import LoadFailed

MODES = ("gevent", "eventlet")


def patch(mode):
    """Makes the standard library cooperative. Raises LoadFailed where the package is missing."""
    try:
        if mode == "gevent":
            from gevent import monkey

            monkey.patch_all()
        else:
            import eventlet

            eventlet.monkey_patch()
    except ImportError as error:
        raise LoadFailed(missing(mode, error)) from None


def missing(mode, error):
    import sys

    return (
        "`mode: {0}` needs the package {0}, which {1} cannot import ({2}); "
        "install it with `pip install {0}` (Debian: `apt install python3-{0}`)"
    ).format(mode, sys.executable, error)


def after_fork(mode):
    """The event loop that an import may have started is the parent's: its descriptors are shared."""
    if mode == "gevent":
        import gevent

        gevent.reinit()
    else:
        from eventlet import hubs

        hubs.use_hub(type(hubs.get_hub()).__module__)


def spawner(mode):
    """A function that runs another in a greenlet of its own, soon."""
    if mode == "gevent":
        from gevent import spawn

        return spawn
    from eventlet import spawn_n

    return spawn_n
