"""Callables to be found in several ways, and what is none."""
import os
import sys
import threading

import hello

number = 5


class Site:
    wsgi_app = staticmethod(hello.application)


site = Site()


def create_app(name="default", debug=False):
    def application(environ, start_response):
        start_response("200 OK", [])
        return [("%s %s" % (name, debug)).encode()]

    return application


def where(environ, start_response):
    start_response("200 OK", [])
    facts = [sys.path[0], os.getcwd(), __name__, os.environ.get("GREETING", ""), sys.prefix]
    shadowed = [name for name in ("parent", "link", "process", "worker") if name in sys.modules]
    return ["\n".join(facts + shadowed).encode()]


def broken_factory():
    raise LookupError("no configuration")


if os.environ.get("START_THREAD"):
    threading.Thread(target=threading.Event().wait, name="left-behind", daemon=True).start()
