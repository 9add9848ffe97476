"""The contract of `frameworks.test.ts`, kept with Flask."""
import hashlib

import flask

application = flask.Flask(__name__)


@application.get("/")
def index():
    return "Hello from flask"


@application.post("/form")
def form():
    return "name=" + flask.request.form["name"]


@application.post("/upload")
def upload():
    file = flask.request.files["file"]
    data = file.read()
    return "%s %d %s" % (file.filename, len(data), hashlib.sha256(data).hexdigest())


@application.get("/cookie")
def cookie():
    count = int(flask.request.cookies.get("count", "0")) + 1
    response = flask.make_response(str(count))
    response.set_cookie("count", str(count))
    return response


@application.get("/redirect")
def redirect():
    return flask.redirect(flask.url_for("index"))


@application.get("/stream")
def stream():
    return flask.Response(("%d\n" % number for number in range(5)), mimetype="text/plain")


@application.get("/error")
def error():
    raise RuntimeError("on purpose, in flask")
