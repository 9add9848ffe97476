"""One request in a hundred takes 200 ms. Nothing in the request tells which: the application draws."""

import os
import random
import time

FAST = b"Hello, world!\n"
SLOW = b"Hello, snail!\n"
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(FAST)))]

draw = None
drawn_by = 0


def application(environ, start_response):
    global draw, drawn_by
    if drawn_by != os.getpid():
        # Forked workers would otherwise share one sequence.
        drawn_by = os.getpid()
        draw = random.Random(drawn_by).random
    slow = draw() < 0.01
    if slow:
        time.sleep(0.2)
    start_response("200 OK", HEADERS)
    return [SLOW if slow else FAST]
