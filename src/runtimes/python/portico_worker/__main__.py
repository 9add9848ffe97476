"""Entry of the warm parent: `python /path/to/portico_worker`.

Written so that any Python, however old, can read it: a too old one must say so on the control channel
instead of failing with a syntax error.
"""
import os
import sys

OLDEST = (3, 9)


def too_old():
    import json

    detail = "Python %d.%d or newer is needed, %s is %d.%d: name a newer one with `python:`" % (
        OLDEST + (sys.executable,) + tuple(sys.version_info[:2])
    )
    os.write(3, (json.dumps({"type": "failed", "detail": detail}) + "\n").encode("ascii"))
    told = os.read(3, 65536)
    while told and told.find(b'"quit"') < 0:
        told = os.read(3, 65536)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    # Python put this folder first: the application's own modules must not be shadowed by ours.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    sys.path.insert(0, os.path.dirname(here))
    try:
        from portico_worker import parent
    finally:
        del sys.path[0]
    parent.main()


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        too_old()
    else:
        main()
