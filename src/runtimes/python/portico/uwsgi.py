"""What applications that were written for uWSGI ask it for, as far as Portico has the same.

With `compat: uwsgi` in the site file this is what `import uwsgi` finds. What is missing is missing here, too:
`hasattr(uwsgi, "…")` tells. docs/python.md has the whole list and what to use instead. Constants, and what
needs job workers, `uwsgi_parts.install` puts here.
"""
# ruff: noqa: F401: these are uWSGI's names
from .uwsgi_parts.caching import (
    cache_clear,
    cache_dec,
    cache_del,
    cache_exists,
    cache_get,
    cache_inc,
    cache_keys,
    cache_num,
    cache_set,
    cache_update,
)
from .uwsgi_parts.facts import (
    accepting,
    i_am_the_spooler,
    in_farm,
    log,
    logsize,
    masterpid,
    mem,
    micros,
    ready,
    request_id,
    set_logvar,
    set_user_harakiri,
    total_requests,
    worker_id,
    workers,
)
from .uwsgi_parts.guards import is_locked, lock, unlock
from .uwsgi_parts.messages import mule_get_msg, mule_id, mule_msg
from .uwsgi_parts.rpc import call, register_rpc, rpc, rpc_list
from .uwsgi_parts.tasks import (
    add_cron,
    add_file_monitor,
    add_rb_timer,
    add_timer,
    register_signal,
    signal,
    signal_registered,
)

#: What there is in place of names that begin so.
_INSTEAD = {
    "async_": "an ASGI application",
    "farm_": "uwsgi.mule_msg, which is for whichever mule asks first",
    "metric_": "portico.metrics",
    "queue_": "portico.queue",
    "reload": "`portico reload`, or `touch-reload` in uwsgi.ini",
    "send_to_spooler": "`jobs: { workers: 1 }` for the application, or `spooler = folder` in uwsgi.ini",
    "sendfile": "wsgi.file_wrapper",
    "sharedarea_": "portico.cache and portico.counter",
    "signal_": "portico.queue, whose get() waits",
    "spool": "`jobs: { workers: 1 }` for the application, or `spooler = folder` in uwsgi.ini",
    "stop": "`portico stop`",
    "websocket_": "an ASGI application",
}


def __getattr__(name):
    instead = [_INSTEAD[each] for each in _INSTEAD if name.startswith(each)]
    hint = "use %s" % instead[0] if instead else "docs/python.md says what it has instead"
    raise AttributeError("Portico has no uwsgi.%s; %s" % (name, hint))
