"""What applications ask of uWSGI: runs under the real one and under Portico, and tells what has happened."""
import json
import os
import time

import uwsgi
from uwsgidecorators import (
    cron,
    filemon,
    harakiri,
    lock,
    mule,
    mulefunc,
    mulemsg,
    postfork,
    rbtimer,
    signal,
    spool,
    spoolraw,
    thread,
    timer,
)

HERE = os.path.dirname(os.path.abspath(__file__))


def happened(*what):
    with open(os.path.join(HERE, "events"), "a") as file:
        file.write(" ".join(map(str, what)) + "\n")


happened("import", uwsgi.worker_id(), uwsgi.masterpid() == os.getpid())


@postfork
def forked():
    if uwsgi.worker_id() or uwsgi.mule_id() or uwsgi.i_am_the_spooler():
        mine = uwsgi.masterpid() == os.getppid()
        happened("postfork", uwsgi.worker_id(), uwsgi.mule_id(), uwsgi.i_am_the_spooler(), mine)


@postfork(2)
def forked_second():
    happened("postfork of", uwsgi.worker_id())


@timer(1)
def every_second(number):
    happened("timer", number)


@rbtimer(1, signum=40)
def again(number):
    happened("rbtimer", number)


@timer(1, target="workers", signum=41)
def everywhere(number):
    happened("timer of worker", uwsgi.worker_id(), number)


@cron(-1, -1, -1, -1, -1, signum=42)
def minutely(number):
    pass


@cron(-5, 3, -2, -1, 7, signum=43)
def seldom(number):
    pass


@filemon(os.path.join(HERE, "watched"), signum=44)
def changed(number):
    happened("changed", number)


@signal(17)
def heard(number):
    happened("signal", number)


@signal(18, target="workers")
def heard_by_all(number):
    happened("signal", number, uwsgi.worker_id())


@spool
def mail(task):
    task.pop("spooler_task_name")
    happened("mail", sorted(task.items()), uwsgi.i_am_the_spooler(), uwsgi.worker_id())


@spool(pass_arguments=True)
def add(*numbers, **more):
    happened("add", sum(numbers), more)


@spoolraw
def stubborn(task):
    mark = os.path.join(HERE, "second-time")
    if not os.path.exists(mark):
        open(mark, "w").close()
        happened("stubborn", "again")
        return uwsgi.SPOOL_RETRY
    happened("stubborn", "done")
    return uwsgi.SPOOL_OK


@mule(1)
def first_mule():
    happened("mule", uwsgi.mule_id())


@mulemsg(2)
def second_mule(message):
    happened("message", uwsgi.mule_id(), message)


@mulefunc(1)
def far(number, double=False):
    happened("far", uwsgi.mule_id(), number, double)


@thread
def aside(word):
    happened("thread", word)


@lock
def alone():
    return uwsgi.is_locked()


@harakiri(1)
def slow():
    time.sleep(10)


def after():
    happened("after a request")


def at_exit():
    happened("exit of", uwsgi.worker_id())


uwsgi.after_req_hook = after
uwsgi.atexit = at_exit


def facts():
    names = ("numproc", "cores", "is_a_reload", "applications", "SPOOL_OK", "SPOOL_RETRY", "SPOOL_IGNORE")
    options = ("greeting", "empty", "master", "processes", "enable-threads")
    kinds = ("version", "version_info", "started_on", "hostname", "opt", "buffer_size")
    return {
        **{name: getattr(uwsgi, name) for name in names},
        **{name: repr(uwsgi.opt.get(name)) for name in options},
        **{"type of " + name: type(getattr(uwsgi, name)).__name__ for name in kinds},
        "a spooler": "spooler" in uwsgi.opt,
        "worker": uwsgi.worker_id() in (1, 2),
        "mule": uwsgi.mule_id(),
        "spooler": uwsgi.i_am_the_spooler(),
        "master": uwsgi.masterpid() == os.getppid(),
        "mem": all(size > 1_000_000 for size in uwsgi.mem()),
        "me among workers": [one["pid"] for one in uwsgi.workers() if one["id"] == uwsgi.worker_id()] == [os.getpid()],
        "registered": [uwsgi.signal_registered(number) for number in (17, 40, 250)],
        "log": uwsgi.log("said through uwsgi"),
        "absent": hasattr(uwsgi, "no_such_thing"),
        "far too many": uwsgi.mule_msg(b"x", 9),
    }


def cache():
    uwsgi.cache_clear()
    steps = [
        uwsgi.cache_set("a", b"1"),
        uwsgi.cache_set("a", b"2"),
        uwsgi.cache_get("a"),
        uwsgi.cache_update("a", b"3", 60),
        uwsgi.cache_get("a"),
        uwsgi.cache_exists("a"),
        uwsgi.cache_exists("b"),
        uwsgi.cache_get("b"),
        uwsgi.cache_del("b"),
        uwsgi.cache_inc("n", 5),
        uwsgi.cache_dec("n", 2),
        uwsgi.cache_num("n"),
        uwsgi.cache_num("none"),
        sorted(uwsgi.cache_keys()),
        uwsgi.cache_del("a"),
        uwsgi.cache_get("a"),
        uwsgi.is_locked(),
        uwsgi.lock(),
        uwsgi.is_locked(),
        uwsgi.unlock(),
        uwsgi.is_locked(),
        alone(),
    ]
    return [repr(step) for step in steps]


def put():
    mail(to="me", n="1")
    mail.spool({"to": "you", "body": b"a body"})
    add(1, 2, key=[3])
    stubborn({"a": "b"})
    far(7, double=True)
    uwsgi.mule_msg(b"hello", 2)
    uwsgi.signal(17)
    uwsgi.signal(18)
    aside("x")
    with open(os.path.join(HERE, "watched"), "a") as file:
        file.write("x")
    refused = []
    for wrong in (lambda: uwsgi.spool([]), lambda: uwsgi.spool(), lambda: uwsgi.mule_get_msg()):
        try:
            wrong()
        except Exception as error:
            refused.append(type(error).__name__)
    return refused


def events():
    with open(os.path.join(HERE, "events")) as file:
        return sorted(set(file.read().splitlines()))


PAGES = {"/facts": facts, "/cache": cache, "/put": put, "/events": events, "/slow": slow}


def application(environ, start_response):
    answer = json.dumps(PAGES[environ["PATH_INFO"]]()).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]
