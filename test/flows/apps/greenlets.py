"""What an application in greenlets does: it waits, mostly for others, and is waited for by none."""
import hashlib
import subprocess
import time
import urllib.request


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    headers = [("Content-Type", "text/plain")]
    if path == "/sleep":
        time.sleep(float(query))
        body = [b"slept"]
    elif path == "/fetch":
        with urllib.request.urlopen("http://127.0.0.1:" + query) as answer:
            body = [answer.read()]
    elif path == "/digest":
        found = hashlib.sha256()
        for chunk in iter(lambda: environ["wsgi.input"].read(65536), b""):
            found.update(chunk)
        body = [found.hexdigest().encode()]
    elif path == "/large":
        body = (b"%07d\n" % number * 8192 for number in range(int(query)))
    elif path == "/steps":
        body = steps()
    elif path == "/run":
        body = [subprocess.check_output(["sh", "-c", "sleep 0.1; echo ran"])]
    elif path == "/busy":
        busy()
    elif path == "/mode":
        body = [b"multithread %d" % environ["wsgi.multithread"]]
    else:
        body = [b"hello"]
    start_response("200 OK", headers)
    return body


def steps():
    for number in range(5):
        time.sleep(0.1)
        yield b"%d;" % number


def busy():
    while True:
        pass
