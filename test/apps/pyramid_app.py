"""Pyramid: a page, a form, a stream."""
from pyramid.config import Configurator
from pyramid.response import Response


def index(request):
    return Response("Hello from Pyramid")


def form(request):
    return Response(json_body={"name": request.POST["name"]})


def stream(request):
    return Response(app_iter=(b"%d\n" % number for number in range(5)), content_type="text/plain")


with Configurator() as config:
    for name, view in (("index", index), ("form", form), ("stream", stream)):
        config.add_route(name, "/" if name == "index" else "/" + name)
        config.add_view(view, route_name=name)
    application = config.make_wsgi_app()
