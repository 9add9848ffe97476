"""What the application's code declares by the decorators of the `portico` package, for the supervisor."""
import sys

#: Modules of the package that have something to tell, each with a `declares()`.
TELLERS = ("portico.schedule", "portico.jobs")


def declares():
    told = {}
    for name in TELLERS:
        # Whoever declares something has imported it.
        teller = sys.modules.get(name)
        if teller is not None:
            told.update(teller.declares())
    return told


def close_connections():
    """Of the package, which the import has opened: each worker makes its own."""
    connection = sys.modules.get("portico.connection")
    if connection is not None:
        connection.pool.forget()


def run_after_fork(role):
    uwsgi = sys.modules.get("portico.uwsgi_parts.facts")
    if uwsgi is not None:
        # It is asked who this process is by what runs next.
        uwsgi.begin(role)
    schedule = sys.modules.get("portico.schedule")
    if schedule is not None:
        schedule.run_after_fork()
    signals = sys.modules.get("portico.signals")
    if signals is not None:
        signals.start_in_worker()
