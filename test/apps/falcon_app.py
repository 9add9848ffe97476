"""Falcon: a page, a JSON body, a stream."""
import io

import falcon


class Index:
    def on_get(self, request, response):
        response.text = "Hello from Falcon"


class Form:
    def on_post(self, request, response):
        response.media = {"name": request.media["name"]}


class Stream:
    def on_get(self, request, response):
        response.set_stream(io.BytesIO(b"falcon" * 1000), 6000)


application = falcon.App()
application.add_route("/", Index())
application.add_route("/form", Form())
application.add_route("/stream", Stream())
