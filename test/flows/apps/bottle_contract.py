"""The contract of `frameworks.test.ts`, kept with Bottle."""
import hashlib

import bottle

bottle.BaseRequest.MEMFILE_MAX = 65536
application = bottle.Bottle()


@application.get("/")
def index():
    return "Hello from bottle"


@application.post("/form")
def form():
    return "name=" + bottle.request.forms.getunicode("name")


@application.post("/upload")
def upload():
    file = bottle.request.files.get("file")
    data = file.file.read()
    return "%s %d %s" % (file.raw_filename, len(data), hashlib.sha256(data).hexdigest())


@application.get("/cookie")
def cookie():
    count = int(bottle.request.get_cookie("count", "0")) + 1
    bottle.response.set_cookie("count", str(count))
    return str(count)


@application.get("/redirect")
def redirect():
    bottle.redirect(bottle.request.script_name, 302)


@application.get("/stream")
def stream():
    bottle.response.content_type = "text/plain"
    for number in range(5):
        yield "%d\n" % number


@application.get("/error")
def error():
    raise RuntimeError("on purpose, in bottle")
