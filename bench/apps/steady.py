"""Every request takes 5 ms without using the processor, so that a worker always has one in its hands."""

import time

BODY = b"Hello, world!\n"
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]


def application(environ, start_response):
    time.sleep(0.005)
    start_response("200 OK", HEADERS)
    return [BODY]
