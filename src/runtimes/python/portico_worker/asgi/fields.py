"""Checks the headers that an ASGI application sends and encodes them for the link, once.

As for WSGI (`heads.py`), whose rules these are; but what belongs to the connection is left out, not
refused: the specification has servers ignore it, and streaming libraries send it.
"""
from http import HTTPStatus

from .. import heads

#: (status, tuple of tuples) → what `heads.encode` makes of it; see there.
known = {}

#: In trailers they would come too late, or change what was framed (RFC 9110 §6.5.1).
_never_last = frozenset(
    "authorization cache-control content-encoding content-length content-range content-type host "
    "set-cookie".split()
)

_reasons = {status.value: status.phrase for status in HTTPStatus}


def find(message):
    """The head of `http.response.start`. Raises TypeError or ValueError for what cannot be sent."""
    status = message["status"]
    if not isinstance(status, int):
        raise TypeError("the status must be an int, not %s" % type(status).__name__)
    code = int(status)
    # Any iterable is allowed, even one that can be walked only once.
    given = list(message.get("headers", ()))
    headers = [pair(item) for item in given]
    entry = heads.check(
        "%03d %s" % (code, _reasons.get(code, "")),
        [item for item in headers if item[0].lower() not in heads.HOP_BY_HOP],
    )
    if len(entry[3]) <= heads.LARGEST_REMEMBERED:
        if len(known) >= heads.MOST_HEADS:
            known.clear()
        try:
            known[code, tuple(map(tuple, given))] = entry
        except TypeError:
            pass  # a name or value that may change
    return entry


def pair(item):
    """A header as two strings."""
    try:
        name, value = item
    except (TypeError, ValueError):
        raise TypeError("a header must be a pair of name and value, not %r" % (item,)) from None
    if not isinstance(name, (bytes, bytearray)) or not isinstance(value, (bytes, bytearray)):
        raise TypeError("header names and values must be bytes: %r" % (item,))
    return name.decode("latin-1"), value.decode("latin-1")


def lines(headers, refused=frozenset()):
    """Checked headers as field lines. Raises ValueError for names in `refused`."""
    pairs = [pair(item) for item in headers]
    for name, _ in pairs:
        if name.lower() in refused:
            raise ValueError("%s may not be sent here" % name)
    kept = [item for item in pairs if item[0].lower() not in heads.HOP_BY_HOP]
    return heads.check("200 ", kept)[3].partition(b"\r\n")[2]


def trailers(headers):
    return lines(headers, _never_last)


def links(values):
    """The field lines of `http.response.early_hint` (RFC 8297)."""
    return lines([(b"link", value) for value in values])
