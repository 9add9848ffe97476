"""Which interface an application's callable speaks, and ASGI 2 made to look like ASGI 3.

Looks at code objects itself: every application is asked, and importing `inspect` takes 10 ms.
"""
from functools import partial

CO_COROUTINE = 0x80


def is_asgi(application):
    """Whether `application` is for ASGI; all else is taken for WSGI."""
    if getattr(application, "_asgi_single_callable", False):
        return True
    if getattr(application, "_asgi_double_callable", False):
        return True
    if isinstance(application, type):
        # ASGI 3: its instance is awaited. ASGI 2: its instance is called.
        return hasattr(application, "__await__") or is_coroutine(application.__call__)
    if is_coroutine(application):
        return True
    return parameters(application) in (["scope", "receive", "send"], ["scope"])


def is_surely_wsgi(application):
    """Whether `application` takes two arguments, which no version of ASGI gives it."""
    return not is_asgi(application) and len(parameters(application)) == 2


def as_single(application):
    """The application as ASGI 3 calls it: `await application(scope, receive, send)`."""
    if not is_double(application):
        return application

    async def single(scope, receive, send):
        return await application(scope)(receive, send)

    return single


def is_double(application):
    """As asgiref decides it, but for what has three parameters."""
    if getattr(application, "_asgi_single_callable", False):
        return False
    if getattr(application, "_asgi_double_callable", False):
        return True
    if isinstance(application, type):
        return not hasattr(application, "__await__")
    if is_coroutine(application):
        return False
    return len(parameters(application)) == 1


def is_coroutine(function):
    """Whether calling it, a function or an object, gives a coroutine."""
    while isinstance(function, partial):
        function = function.func
    for one in (function, getattr(function, "__call__", None)):
        # asyncio's decorator, and `markcoroutinefunction` of asgiref and inspect, leave a mark.
        if hasattr(one, "_is_coroutine") or hasattr(one, "_is_coroutine_mark"):
            return True
        code = getattr(one, "__code__", None)
        if code is not None and code.co_flags & CO_COROUTINE:
            return True
    return False


def parameters(function):
    """Names of the positional parameters without a default; [] for what is not written in Python."""
    if not hasattr(function, "__code__"):
        function = getattr(function, "__call__", None)
    code = getattr(function, "__code__", None)
    if code is None:
        return []
    names = list(code.co_varnames[: code.co_argcount - len(function.__defaults__ or ())])
    return names[1:] if hasattr(function, "__self__") else names
