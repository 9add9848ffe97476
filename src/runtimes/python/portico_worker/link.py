"""The worker link: one connection to one server thread, and the bytes of its frames.

`src/wire/frames.ts` says what each frame means. Reading and sending block.
"""
import socket
import struct
from time import perf_counter

REQUEST, BODY, BODY_END, CANCEL, WINDOW, QUIT, OPENED, MESSAGE, CLOSE = range(1, 10)
HELLO, RESPONSE, HEAD, DATA, END, FILE, LEAVING, INFORM, ACCEPT, SEND, SHUT, GRANT = range(16, 28)

#: Flags of REQUEST.
SPOOLED, MORE, WEBSOCKET = 1, 2, 4
#: Flag of MESSAGE and SEND.
TEXT = 1
#: Flag of RESPONSE and END.
FAILED = 4

INITIAL_WINDOW = 1048576
INITIAL_GRANT = 262144
MAX_DATA = 262144
MAX_WHOLE = 262144
MAX_FRAME = 16777216

#: length, id, type, flags, extra.
frame_head = struct.Struct("<IIBBH")
#: A frame's head, then the lengths of line and fields.
request_head = struct.Struct("<IIBBHII")
#: A frame's head, then the length of the head, service in microseconds, declared length.
answer_head = struct.Struct("<IIBBHIIq")
u32 = struct.Struct("<I")
u64_pair = struct.Struct("<QQ")

#: Answers are held back at most this long, in seconds, and up to this many bytes, to share a write.
LONGEST_HOLD = 0.001
MOST_HELD = 65536
#: After a request that took longer than LONGEST_HOLD so many answers leave one by one: where some
#: requests are slow, an answer must not wait for the end of the one behind it.
EAGER_ANSWERS = 1000

#: Bytes asked for in one read.
READ = 65536
#: Longest blocking read in seconds: so often a waiting worker looks whether it is to leave.
LONGEST_WAIT = 0.5
#: Seconds before the first and before every later try to reach a server that is gone.
FIRST_BACK_OFF = 0.02
LONGEST_BACK_OFF = 1.0


class Garbage(Exception):
    """The other side does not speak this protocol."""


def check(length, kind):
    """A frame that no server sends must not be waited for."""
    if length > MAX_FRAME or not REQUEST <= kind <= CLOSE:
        raise Garbage("frame of type %d with %d bytes on a worker link" % (kind, length))


class Link:
    """One connection, from the first try to its end. Frames in hand are `buffer[at:]`."""

    #: Takes bodies in pieces, and WebSockets.
    streams = False

    def __init__(self, path, hello, errors):
        self.path = path
        self.errors = errors
        #: JSON in bytes.
        self.hello = hello
        self.socket = None
        self.back_off = FIRST_BACK_OFF
        self.next_try = 0.0
        #: The connection has failed, or the server has closed it.
        self.broken = False
        #: The server has said QUIT.
        self.quit = False
        #: The server knows that this worker wants to go.
        self.leaving = False
        self.buffer = b""
        self.at = 0
        self.pieces = []
        self.missing = 0

    def connect(self):
        """Tries once. False: not before `next_try`."""
        attempt = socket.socket(socket.AF_UNIX)
        try:
            attempt.connect(self.path)
            attempt.sendall(frame_head.pack(len(self.hello), 0, HELLO, 0, 0) + self.hello)
            limit_wait(attempt, LONGEST_WAIT)
        except OSError:
            attempt.close()
            self.next_try = perf_counter() + self.back_off
            self.back_off = min(self.back_off * 2, LONGEST_BACK_OFF)
            return False
        self.back_off = FIRST_BACK_OFF
        self.socket = attempt
        return True

    def close(self):
        self.broken = True
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def successor(self):
        """Closes this link, which is broken for good, and gives one to the server's next self.

        Another object: an answer that is late must not get onto the next connection.
        """
        self.close()
        link = type(self)(self.path, self.hello, self.errors)
        link.next_try = perf_counter() + self.back_off
        return link

    def idle(self):
        """Nothing is in hand."""
        return True

    def receive(self, flags=0):
        """Reads once into `buffer`, all of which must have been used. False: the server is gone.

        After it `buffer` may still be empty: then not even one frame is complete. Raises
        BlockingIOError when nothing came for a while.
        """
        try:
            data = self.socket.recv(READ, flags)
        except ConnectionError:
            data = b""
        if not data:
            self.broken = True
            return False
        if self.missing:
            self.pieces.append(data)
            self.missing -= len(data)
            if self.missing > 0:
                return True
            data = b"".join(self.pieces)
            self.pieces.clear()
            self.missing = 0
        self.buffer = data
        self.at = 0
        return True

    def keep_rest(self, buffer, at):
        """Keeps the part of a frame that ends `buffer` until the rest of it has come."""
        rest = buffer[at:]
        need = frame_head.size
        if len(rest) >= need:
            length, _, kind, _, _ = frame_head.unpack_from(rest)
            check(length, kind)
            need += length
        self.pieces.append(rest)
        self.missing = need - len(rest)
        self.buffer = b""
        self.at = 0

    def send(self, data):
        """False: the server is gone."""
        if not self.broken:
            try:
                self.socket.sendall(data)
            except OSError:
                self.broken = True
        return not self.broken

    def leave(self):
        """Tells the server to send no more requests: its QUIT will be behind all that it has sent."""
        if not self.leaving:
            self.leaving = True
            self.send(frame_head.pack(0, 0, LEAVING, 0, 0))


def limit_wait(connection, seconds):
    """Bounds a blocking read in the kernel: unlike a time-out of Python's it costs no system call."""
    timeval = struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
