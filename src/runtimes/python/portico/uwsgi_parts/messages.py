"""Mules and what they are sent."""
import pickle
import traceback

from .. import mules, schedule
from . import facts

SERVICE = "uwsgi_mulefunc"

#: Number of a mule → what it does before it waits for messages.
_programs = {}
#: Name → function that mules are asked to call.
_functions = {}


def mule_id():
    return mules.number


def mule_msg(message, mule=0):
    """Whether there is such a mule; 0: any."""
    count = _count()
    if not count:
        raise ValueError("no mule configured: `mules: [uwsgidecorators:serve_mule]` for the application")
    if mule > count:
        return False
    mules.mule_msg(message, mule)
    return True


def mule_get_msg(signals=True, farms=True, buffer_size=65536, timeout=-1):
    """The next message; b"" when none has come in `timeout` seconds."""
    if not mules.number:
        raise ValueError("you can receive mule messages only in a mule !!!")
    return mules.mule_get_msg(None if timeout < 0 else timeout) or b""


def serve_mule():
    """The program of a mule that has none of its own: what decorators have for it, then its messages."""
    for program in _programs.get(mules.number, ()):
        program()
    while True:
        message = mules.mule_get_msg()
        try:
            (facts.hook("mule_msg_hook") or dispatch)(message)
        except Exception:  # noqa: B902: the next one is another
            traceback.print_exc()


def program(number, function):
    """Has that mule run the function; there will be one."""
    _programs.setdefault(number, []).append(function)
    need(number)


def need(number):
    """So many mules, at least: the site's own come first, then those that the code declares."""
    if facts.process.begun:
        return
    while _count() < number:
        schedule.mule(serve_mule, name="uwsgi mule")


def _count():
    return facts.process.mules + len(schedule.declares()["mules"])


def offer(function, mule):
    _functions[function.__name__] = function
    need(max(1, mule))


def ask(name, mule, args, kwargs):
    facts_of_call = {"service": SERVICE, "func": name, "args": args, "kwargs": kwargs}
    return mule_msg(pickle.dumps(facts_of_call), mule)


def dispatch(message):
    """Messages of `@mulefunc`; others are nobody's."""
    told = pickle.loads(message)
    if told["service"] == SERVICE:
        return _functions[told["func"]](*told["args"], **told["kwargs"])
