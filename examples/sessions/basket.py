"""A shop's basket, which no machine holds: sessions live in Redis or memcached. See site.yaml."""
import os

import django
from django.conf import settings

# redis://HOST:PORT/DATABASE, or memcached://HOST:PORT
STORE = os.environ.get("SESSION_STORE", "redis://127.0.0.1:6379/1")

if STORE.startswith("redis://"):
    CACHE = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": STORE}
else:
    CACHE = {
        "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
        "LOCATION": STORE.removeprefix("memcached://"),
    }

settings.configure(
    ALLOWED_HOSTS=["*"],
    # The same on all machines, or none believes the other's cookies.
    SECRET_KEY=os.environ.get("SHOP_SECRET", "an example's secret is none"),
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    CACHES={"default": CACHE},
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    # A session that nobody comes for ends by itself: the store forgets it.
    SESSION_COOKIE_AGE=1800,
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402

MACHINE = os.environ.get("MACHINE", "this one")


def basket(request):
    """`?add=tea` puts something in; without, it is shown."""
    things = request.session.get("basket", [])
    if "add" in request.GET:
        things = things + [request.GET["add"]]
        request.session["basket"] = things
    return JsonResponse({"machine": MACHINE, "basket": things})


urlpatterns = [path("basket", basket)]
application = get_wsgi_application()
