"""What is called beside the workers: writes to files, so that a test sees it from outside."""
import os
import sys
import time


def note(path, text="called"):
    with open(path, "a") as file:
        file.write("%s %d\n" % (text, os.getpid()))


def wait(path):
    note(path)
    time.sleep(60)


def stay():
    wait(os.environ["NOTES"])


def pass_by():
    note(os.environ["NOTES"])


def fail():
    raise LookupError("on purpose")


def leave(code):
    sys.exit(code)


def application(environ, start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
