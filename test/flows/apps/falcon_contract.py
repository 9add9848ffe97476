"""The contract of `frameworks.test.ts`, kept with Falcon."""
import hashlib

import falcon


class Index:
    def on_get(self, request, response):
        response.text = "Hello from falcon"

    on_head = on_get


class Form:
    def on_post(self, request, response):
        response.text = "name=" + request.get_media()["name"]


class Upload:
    def on_post(self, request, response):
        for part in request.get_media():
            if part.name != "file":
                continue
            found, size = hashlib.sha256(), 0
            for chunk in iter(lambda: part.stream.read(65536), b""):
                found.update(chunk)
                size += len(chunk)
            response.text = "%s %d %s" % (part.filename, size, found.hexdigest())


class Cookie:
    def on_get(self, request, response):
        count = int(request.cookies.get("count", "0")) + 1
        response.set_cookie("count", str(count), secure=False)
        response.text = str(count)


class Redirect:
    def on_get(self, request, response):
        raise falcon.HTTPFound(request.prefix + "/")


class Stream:
    def on_get(self, request, response):
        response.content_type = "text/plain"
        response.stream = (b"%d\n" % number for number in range(5))


class Error:
    def on_get(self, request, response):
        raise RuntimeError("on purpose, in falcon")


application = falcon.App()
for path, resource in (
    ("/", Index()),
    ("/form", Form()),
    ("/upload", Upload()),
    ("/cookie", Cookie()),
    ("/redirect", Redirect()),
    ("/stream", Stream()),
    ("/error", Error()),
):
    application.add_route(path, resource)
