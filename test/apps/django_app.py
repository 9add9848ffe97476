"""Django in one file: its admin over SQLite, a page, a stream, a file, an upload."""
import os
import tempfile

import django
from django.conf import settings

folder = os.environ.get("DJANGO_FOLDER") or tempfile.mkdtemp()

settings.configure(
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="for tests",
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(folder, "db.sqlite3")}
    },
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    STATIC_URL="/static/",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from django.contrib import admin  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connections  # noqa: E402
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402


def index(request):
    return HttpResponse("Hello from Django")


def stream(request):
    return StreamingHttpResponse("%d\n" % number for number in range(5))


def file(request):
    return FileResponse(open(os.path.join(folder, "download.bin"), "rb"))


@csrf_exempt
def form(request):
    upload = request.FILES["upload"]
    return JsonResponse({"name": request.POST["name"], "file": upload.name, "bytes": upload.size})


urlpatterns = [
    path("", index),
    path("stream", stream),
    path("file", file),
    path("form", form),
    path("admin/", admin.site.urls),
]

call_command("migrate", verbosity=0)
User = get_user_model()
if not User.objects.filter(username="admin").exists():
    User.objects.create_superuser("admin", "admin@example.org", "a secret of tests")
# A connection to a database must not cross a fork.
connections.close_all()
with open(os.path.join(folder, "download.bin"), "wb") as download:
    download.write(b"0123456789" * 10000)

application = get_wsgi_application()
