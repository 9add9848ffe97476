"""The contract of `frameworks.test.ts`, kept with Django over ASGI."""
from django_contract import application as _wsgi  # noqa: F401

from django.core.asgi import get_asgi_application

application = get_asgi_application()
