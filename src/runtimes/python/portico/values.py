"""What the parts of this package do with replies."""
import datetime
import json


def as_text(reply):
    return None if reply is None else reply.decode()


def as_bool(reply):
    """Of an integer, or of the OK that a condition may have prevented."""
    return bool(reply)


def as_nothing(_reply):
    return None


def as_number(reply):
    return 0 if reply is None else int(reply)


def from_json(reply, default=None):
    return default if reply is None else json.loads(reply)


def to_json(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def as_seconds(value):
    """Of a number or a timedelta; the site file's `30s` is neither."""
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (int, float)):
        return value
    raise TypeError("times are numbers of seconds, such as 30 or 0.5, not %r" % (value,))


def milliseconds(seconds):
    """At least one: 0 means something else to most commands."""
    return max(1, round(as_seconds(seconds) * 1000))
