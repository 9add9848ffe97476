"""Bottle: a page, a form, a stream."""
import bottle

application = bottle.Bottle()


@application.get("/")
def index():
    return "Hello from Bottle"


@application.post("/form")
def form():
    return {"name": bottle.request.forms.getunicode("name")}


@application.get("/stream")
def stream():
    for number in range(5):
        yield "%d\n" % number


@application.get("/missing")
def missing():
    raise bottle.HTTPError(404, "nothing here")
