"""The contract of `frameworks.test.ts`, kept with Django."""
import hashlib

import django
from django.conf import settings

settings.configure(
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="for tests",
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse  # noqa: E402
from django.urls import path, reverse  # noqa: E402


def index(request):
    return HttpResponse("Hello from django")


def form(request):
    return HttpResponse("name=" + request.POST["name"])


def upload(request):
    file = request.FILES["file"]
    found = hashlib.sha256()
    for chunk in file.chunks():
        found.update(chunk)
    return HttpResponse("%s %d %s" % (file.name, file.size, found.hexdigest()))


def cookie(request):
    count = str(int(request.COOKIES.get("count", "0")) + 1)
    response = HttpResponse(count)
    response.set_cookie("count", count)
    return response


def redirect(request):
    return HttpResponseRedirect(reverse("index"))


def stream(request):
    return StreamingHttpResponse(("%d\n" % number for number in range(5)), content_type="text/plain")


def error(request):
    raise RuntimeError("on purpose, in django")


urlpatterns = [path("", index, name="index")] + [
    path(view.__name__, view) for view in (form, upload, cookie, redirect, stream, error)
]
application = get_wsgi_application()
