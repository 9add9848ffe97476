"""RESP, the protocol of Redis: commands out, replies in. No I/O here."""

#: Longest value that is read; the commons bounds its own.
LONGEST = 536870912


class CommandError(Exception):
    """What was asked for cannot be; the message says why."""


class Garbage(ConnectionError):
    """What came is no reply: the connection cannot go on."""


def encode(args):
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = to_bytes(arg)
        parts.append(b"$%d\r\n" % len(data))
        parts.append(data)
        parts.append(b"\r\n")
    return b"".join(parts)


def to_bytes(value):
    """Bytes as they are, text in UTF-8, numbers in digits."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool) or not isinstance(value, (int, float, bytearray, memoryview)):
        raise TypeError(
            "bytes, text or a number is stored, not %s; for anything else there are the functions "
            "with `json` in their names" % type(value).__name__
        )
    if isinstance(value, (int, float)):
        return repr(value).encode("ascii")
    return bytes(value)


class Reader:
    """Replies in whatever pieces they come: `feed`, then `next` until it returns `more`."""

    more = object()

    def __init__(self):
        self.buffer = b""
        self.at = 0
        self.wanted = 0

    def feed(self, data):
        self.buffer = self.buffer[self.at :] + data if self.at < len(self.buffer) else data
        self.at = 0

    def next(self):
        """A reply, or `more`. A refusal is a CommandError, not raised."""
        if len(self.buffer) - self.at < self.wanted:
            return self.more
        self.wanted = 0
        start = self.at
        value = self._value()
        if value is self.more:
            self.at = start
        return value

    def _value(self):
        buffer = self.buffer
        end = buffer.find(b"\r\n", self.at)
        if end < 0:
            if len(buffer) - self.at > 65536:
                raise Garbage("a line without an end")
            return self.more
        kind = buffer[self.at : self.at + 1]
        line = buffer[self.at + 1 : end]
        self.at = end + 2
        if kind == b"$":
            return self._bulk(_number(line))
        if kind == b":":
            return _number(line)
        if kind == b"+":
            return line
        if kind == b"-":
            return CommandError(line.decode("utf-8", "replace"))
        if kind == b"_":
            return None
        if kind in (b"*", b">", b"~", b"%"):
            return self._many(_number(line) * (2 if kind == b"%" else 1))
        raise Garbage("no reply begins with %r" % kind)

    def _bulk(self, length):
        if length < 0:
            return None
        if length > LONGEST:
            raise Garbage("a value of %d bytes" % length)
        begin, end = self.at, self.at + length
        if len(self.buffer) < end + 2:
            # At the next look at the earliest when it is all there.
            self.wanted = max(self.wanted, length + 2)
            return self.more
        self.at = end + 2
        return self.buffer[begin:end]

    def _many(self, count):
        if count < 0:
            return None
        values = []
        for _ in range(count):
            value = self._value()
            if value is self.more:
                return value
            values.append(value)
        return values


def _number(line):
    try:
        return int(line)
    except ValueError:
        raise Garbage("not a number: %r" % line[:40]) from None
