"""The control channel to the supervisor: JSON lines on descriptor 3, both ways."""
import json
import os

DESCRIPTOR = 3

#: A line longer than this many bytes is not ours.
LONGEST_LINE = 16777216


class Closed(Exception):
    """The supervisor has closed the channel: everything ends."""


class Control:
    def __init__(self):
        self.tail = b""
        os.set_inheritable(DESCRIPTOR, False)

    def fileno(self):
        return DESCRIPTOR

    def read(self):
        """The complete messages that one read brings; waits for some bytes. Raises Closed at the end."""
        try:
            data = os.read(DESCRIPTOR, 65536)
        except ConnectionError:
            data = b""
        if not data:
            raise Closed
        lines = (self.tail + data).split(b"\n")
        self.tail = lines.pop()
        if len(self.tail) > LONGEST_LINE:
            raise ValueError("a control line longer than %d bytes" % LONGEST_LINE)
        return [json.loads(line) for line in lines if line.strip()]

    def say(self, type, **facts):
        facts["type"] = type
        data = json.dumps(facts).encode("ascii") + b"\n"
        try:
            while data:
                data = data[os.write(DESCRIPTOR, data) :]
        except ConnectionError:
            raise Closed from None
