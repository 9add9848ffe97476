"""The same over ASGI, by the bridge that Django's people keep."""

from asgiref.wsgi import WsgiToAsgi
from conformance import application as wsgi

application = WsgiToAsgi(wsgi)
