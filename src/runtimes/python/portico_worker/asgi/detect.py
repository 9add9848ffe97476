"""Which interface an application's callable speaks, and ASGI 2 made to look like ASGI 3."""
import functools
import inspect


def is_asgi(application):
    """Whether `application` is for ASGI; all else is taken for WSGI."""
    if getattr(application, "_asgi_single_callable", False):
        return True
    if getattr(application, "_asgi_double_callable", False):
        return True
    if inspect.isclass(application):
        # ASGI 3: its instance is awaited. ASGI 2: its instance is called.
        return hasattr(application, "__await__") or is_coroutine(application.__call__)
    if is_coroutine(application) or is_coroutine(getattr(application, "__call__", None)):
        return True
    return parameters(application) in (["scope", "receive", "send"], ["scope"])


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
    if inspect.isclass(application):
        return not hasattr(application, "__await__")
    if is_coroutine(application) or is_coroutine(getattr(application, "__call__", None)):
        return False
    return len(parameters(application)) == 1


def is_coroutine(function):
    while isinstance(function, functools.partial):
        function = function.func
    # asyncio's decorator, and asgiref's `markcoroutinefunction`, leave a mark.
    return inspect.iscoroutinefunction(function) or hasattr(function, "_is_coroutine")


def parameters(function):
    """Names of the positional parameters without a default; [] for what has no signature."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [one.name for one in found if one.kind in positional and one.default is one.empty]
