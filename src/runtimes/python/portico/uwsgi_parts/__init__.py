"""The parts of the modules `uwsgi` and `uwsgidecorators`, which applications find with `compat: uwsgi`."""
import sys


def install(app):
    """In the warm parent, before the application is imported. `app`: the control channel's `configure`."""
    from . import facts

    facts.configure(app)
    from .. import uwsgi

    vars(uwsgi).update(facts.constants(app))
    if app.get("jobs"):
        from . import spooler

        vars(uwsgi).update(spooler.names(app["jobs"]))
    # Nobody else's modules may be found by these names: a `pip install uwsgi` leaves one of them behind.
    sys.modules["uwsgi"] = uwsgi
    from . import decorators

    sys.modules["uwsgidecorators"] = decorators
    if app.get("jobs"):
        uwsgi.spooler = decorators.manage_spool_request
