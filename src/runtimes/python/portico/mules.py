"""Messages to the mules of this application: programs in its code that run beside its workers."""
import os

from .connection import TIMEOUT, pool
from .values import from_json, to_json

PREFIX = "portico:mules:"

#: Of this process, from 1; 0 in any other.
number = 0


def mule_id():
    """Which mule this process is, from 1; 0: none."""
    return number


def mule_msg(message, mule=0):
    """Sends bytes or text to that mule; 0: to whichever asks first. How many messages wait there now."""
    return pool.ask(None, "RPUSH", _key(mule), message)


def mule_msg_json(value, mule=0):
    return mule_msg(to_json(value), mule)


def mule_get_msg(wait=None):
    """The next message for this mule, or for any, as bytes. Waits for `wait` seconds, or for ever; None when
    none has come."""
    seconds, timeout = (0, None) if wait is None else (max(wait, 0.001), wait + TIMEOUT)
    keys = (_key(number), _key(0)) if number else (_key(0),)
    reply = pool.ask(None, "BLPOP", *keys, "%.3f" % seconds, timeout=timeout)
    return None if reply is None else reply[1]


def mule_get_msg_json(wait=None):
    message = mule_get_msg(wait)
    return None if message is None else from_json(message)


def _key(mule):
    return "%s%s:%d" % (PREFIX, os.environ.get("PORTICO_APP", ""), mule)
