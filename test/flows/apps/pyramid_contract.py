"""The contract of `frameworks.test.ts`, kept with Pyramid."""
import hashlib

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import Response


def index(request):
    return Response("Hello from pyramid")


def form(request):
    return Response("name=" + request.POST["name"])


def upload(request):
    file = request.POST["file"]
    data = file.file.read()
    return Response("%s %d %s" % (file.filename, len(data), hashlib.sha256(data).hexdigest()))


def cookie(request):
    count = str(int(request.cookies.get("count", "0")) + 1)
    response = Response(count)
    response.set_cookie("count", count)
    return response


def redirect(request):
    return HTTPFound(request.route_path("index"))


def stream(request):
    return Response(app_iter=(b"%d\n" % number for number in range(5)), content_type="text/plain")


def error(request):
    raise RuntimeError("on purpose, in pyramid")


with Configurator() as config:
    for view in (index, form, upload, cookie, redirect, stream, error):
        name = view.__name__
        config.add_route(name, "/" if view is index else "/" + name)
        config.add_view(view, route_name=name)
    application = config.make_wsgi_app()
