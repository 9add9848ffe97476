"""Which request a line of the log belongs to.

    import logging, portico.log

    portico.log.install()
    logging.basicConfig(format="%(levelname)s %(request_id)s %(message)s")

Importing this module has Portico note the request that each thread, greenlet or task is answering.
"""
import logging
import os
from contextvars import ContextVar

#: The WSGI environ or ASGI scope of the request that is being answered; None for none.
request = ContextVar("portico_request", default=None)

_installed = False


class Filter(logging.Filter):
    """Adds to each record `request_id`, `request` (method and path), `app`, `worker` (the slot) and `pid`;
    '-' where there is none."""

    def filter(self, record):
        add_facts(record)
        return True


def add_facts(record):
    current = request.get()
    record.request_id = request_id() or "-"
    record.request = "-" if current is None else _name(current)
    record.app = worker.app or "-"
    record.worker = "-" if worker.slot is None else worker.slot
    record.pid = os.getpid()


def install():
    """Adds these facts to every record, whatever its logger and handler."""
    global _installed
    if _installed:
        return
    _installed = True
    make = logging.getLogRecordFactory()

    def make_with_facts(*arguments, **named):
        record = make(*arguments, **named)
        add_facts(record)
        return record

    logging.setLogRecordFactory(make_with_facts)


def request_id():
    """Of the request that is being answered: what X-Request-ID says, or the trace id of `traceparent`."""
    current = request.get()
    if current is None:
        return None
    own = _field(current, "x-request-id")
    if own:
        return own
    parts = _field(current, "traceparent").split("-")
    return parts[1] if len(parts) == 4 else None


def _field(current, name):
    if "asgi" not in current:
        return current.get("HTTP_" + name.upper().replace("-", "_"), "")
    wanted = name.encode("ascii")
    for key, value in current["headers"]:
        if key == wanted:
            return value.decode("latin-1")
    return ""


def _name(current):
    if "asgi" in current:
        return "%s %s" % (current.get("method", current["type"].upper()), current["path"])
    path = current.get("SCRIPT_NAME", "") + current.get("PATH_INFO", "")
    return "%s %s" % (current.get("REQUEST_METHOD", "-"), path)


class Worker:
    """Which of Portico's processes this is."""

    app = None
    slot = None


worker = Worker()


def noting(application, is_asgi, app, slot):
    """For Portico's workers: the application, with each request noted as long as its code runs."""
    worker.app, worker.slot = app, slot

    def noting_wsgi(environ, start_response):
        # Until the next one in the same thread: an iterator is still at work when this has returned.
        request.set(environ)
        return application(environ, start_response)

    async def noting_asgi(scope, receive, send):
        if "headers" in scope:
            request.set(scope)
        return await application(scope, receive, send)

    return noting_asgi if is_asgi else noting_wsgi
