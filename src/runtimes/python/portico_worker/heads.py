"""Checks what an application passes to `start_response` and encodes it for the link, once.

Applications answer with the same few heads over and over: the whole work, 2 µs and more, is
remembered under the strings that were given.
"""
import re

#: Bits of the flags of RESPONSE and HEAD.
HAS_DATE = 1
HAS_SERVER = 2

#: Heads remembered; when full the memory starts anew. Larger heads are not kept.
MOST_HEADS = 1024
LARGEST_REMEMBERED = 2048

#: Fields that belong to one connection, not to an answer (RFC 9110 §7.6.1, PEP 3333).
HOP_BY_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer trailers "
    "transfer-encoding upgrade".split()
)

_status = re.compile(r"([2-9][0-9][0-9])(?: ([^\x00-\x1f\x7f]*))?")
_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_control = re.compile(r"[\x00-\x1f\x7f]")
_digits = re.compile(r"[0-9]{1,18}")

#: (status, tuple of headers) → Head as a tuple: status, flags, declared length, encoded head, whether
#: it needs more care than one body of one piece: statuses without a body, and answers begun by `write`.
known = {}


def encode(status, headers):
    """The Head of an answer, which is then known. Raises as `check` does."""
    entry = check(status, headers)
    remember(status, headers, entry)
    return entry


def check(status, headers):
    """The Head of an answer. Raises TypeError or ValueError for what PEP 3333 forbids."""
    if not isinstance(status, str):
        raise TypeError("the status must be a str, not %s" % type(status).__name__)
    if not isinstance(headers, list):
        raise TypeError("the headers must be a list, not a %s" % type(headers).__name__)
    match = _status.fullmatch(status)
    if match is None:
        raise ValueError("bad status %r: three digits from 200 on, a space, a reason" % status)
    code = int(match[1])
    flags = 0
    length = -1
    lines = [(match[2] or "") + "\r\n"]
    for item in headers:
        if not isinstance(item, tuple) or len(item) != 2:
            raise TypeError("a header must be a tuple of name and value, not %r" % (item,))
        name, value = item
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError("header names and values must be str: %r" % (item,))
        if _name.fullmatch(name) is None:
            raise ValueError("bad header name %r" % name)
        if _control.search(value) is not None:
            raise ValueError("control character in header %r: %r" % item)
        lower = name.lower()
        if lower in HOP_BY_HOP:
            raise ValueError("hop-by-hop header %r: the connection is the server's" % name)
        if lower == "content-length":
            length = content_length(value, length)
            continue
        if lower == "date":
            flags |= HAS_DATE
        elif lower == "server":
            flags |= HAS_SERVER
        lines.append("%s: %s\r\n" % (name, value))
    try:
        head = "".join(lines).encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError("status and headers must be latin-1: %s" % error) from None
    if code == 204:
        length = -1  # RFC 9110 §8.6
    return (code, flags, length, head, code == 204 or code == 304)


def content_length(value, before):
    if _digits.fullmatch(value) is None:
        raise ValueError("bad Content-Length %r" % value)
    if before >= 0 and int(value) != before:
        raise ValueError("two Content-Lengths: %d and %s" % (before, value))
    return int(value)


def remember(status, headers, entry):
    if len(entry[3]) > LARGEST_REMEMBERED or type(status) is not str:
        return
    if not all(type(name) is str and type(value) is str for name, value in headers):
        return
    if len(known) >= MOST_HEADS:
        known.clear()
    known[status, tuple(headers)] = entry
