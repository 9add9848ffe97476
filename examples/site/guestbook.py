"""A guestbook in plain WSGI (PEP 3333): nothing to install. Entries live as long as their worker does."""
from html import escape
from os import getpid
from urllib.parse import parse_qs

ENTRIES = ["Welcome!"]

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Guestbook</title>
<link rel="stylesheet" href="/static/style.css">
<h1>Guestbook</h1>
<form method="post"><input name="text" maxlength="200" aria-label="Your entry" required autofocus>
<button>Sign</button></form>
<ul>{entries}</ul>
<footer>Worker {pid} &middot; <a href="/static/">files</a> &middot;
<a href="/upstream/">upstream</a> &middot; <a href="/ping">ping</a></footer>
"""


def application(environ, start_response):
    if environ["PATH_INFO"] != "/":
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"There is only one page in this guestbook.\n"]
    if environ["REQUEST_METHOD"] == "POST":
        form = parse_qs(environ["wsgi.input"].read().decode())
        ENTRIES.extend(text[:200] for text in form.get("text", []))
        del ENTRIES[:-100]
        start_response("303 See Other", [("Location", "/")])
        return []
    entries = "".join("<li>%s</li>" % escape(entry) for entry in reversed(ENTRIES))
    body = PAGE.format(entries=entries, pid=getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
