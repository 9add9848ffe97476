"""Flask: a page, a form with an upload, a stream, a file, a cookie, an error."""
import os
import tempfile

import flask

application = flask.Flask(__name__)
application.secret_key = "for tests"


@application.route("/")
def index():
    return "Hello from Flask"


@application.route("/form", methods=["POST"])
def form():
    upload = flask.request.files["upload"]
    return {"name": flask.request.form["name"], "file": upload.filename, "bytes": len(upload.read())}


@application.route("/stream")
def stream():
    return flask.Response(("%d\n" % number for number in range(5)), mimetype="text/plain")


@application.route("/file")
def file():
    # Gone by its name when it is sent.
    content = tempfile.TemporaryFile()
    content.write(b"0123456789" * 10000)
    content.seek(0)
    return flask.send_file(content, mimetype="application/octet-stream")


@application.route("/cookie")
def cookie():
    flask.session["count"] = flask.session.get("count", 0) + 1
    return str(flask.session["count"])


@application.route("/error")
def error():
    raise RuntimeError("a Flask error on purpose")


@application.route("/caf\xe9")
def unicode_path():
    return os.path.basename(flask.request.path)
