"""One WebSocket of an ASGI application; the handshake and the frames on its wire are the server's."""
import re
import struct
from collections import deque

from ..answer import Left
from ..link import ACCEPT, MAX_FRAME, RESPONSE, SEND, SHUT, TEXT, answer_head, frame_head
from . import fields
from .body import Grants
from .http import HttpRequest
from .request import DONE, NEW, OPEN

#: Messages that may wait for the application: empty ones do not count against the window.
MOST_MESSAGES = 262144
#: Longest reason of a close frame, in bytes (RFC 6455 §5.5).
LONGEST_REASON = 123

_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_u16 = struct.Struct("<H")

#: The server answers the handshake itself (RFC 6455 §4.2.2).
_handshake = frozenset(
    ["sec-websocket-" + word for word in ("accept", "extensions", "key", "protocol", "version")]
    + ["content-length"]
)

_forbidden = b"Forbidden\r\n"

TOO_MUCH = 1009
RESTART = 1012


class WebSocket(HttpRequest):
    """Until it is accepted it may be answered as a request: `websocket.http.response`."""

    #: The application has heard `websocket.connect`.
    greeted = False
    #: What the application is to receive last, once it is known.
    parting = None
    #: The application has closed it.
    closed = False
    #: SHUT has been sent, for the application or not: the server's CLOSE comes next.
    shut = False

    def __init__(self):
        self.messages = deque()
        self.grants = Grants(self)

    async def receive(self):
        if not self.greeted:
            self.greeted = True
            return {"type": "websocket.connect"}
        messages = self.messages
        while not messages:
            if self.parting is not None:
                return self.parting
            if self.gone or self.stage == DONE:
                return {"type": "websocket.disconnect", "code": 1006, "reason": ""}
            await self.news()
        text, data = messages.popleft()
        self.grants.took(len(data))
        if text:
            return {"type": "websocket.receive", "text": data.decode("utf-8")}
        return {"type": "websocket.receive", "bytes": data}

    async def send(self, message):
        kind = message["type"]
        if kind == "websocket.send" and self.stage == OPEN and not self.closed:
            text = message.get("text")
            if text is None:
                data, flags = message.get("bytes"), 0
                if not isinstance(data, (bytes, bytearray, memoryview)):
                    raise TypeError("websocket.send needs bytes or text, not %s" % type(data).__name__)
            else:
                data, flags = text.encode("utf-8"), TEXT
            size = len(data)
            if size > MAX_FRAME:
                raise ValueError("a message of %d bytes; at most %d are sent" % (size, MAX_FRAME))
            if self.window <= 0 or self.link.rest is not None:
                await self.room()
            if self.gone or self.shut:
                raise Left("the WebSocket is closed")
            self.window -= size
            self.push(frame_head.pack(size, self.id, SEND, flags, 0) + data)
        elif kind == "websocket.close":
            self.close(message.get("code", 1000), message.get("reason") or "")
        elif kind == "websocket.accept" and self.stage == NEW:
            self.accept(message)
        elif kind in ("websocket.http.response.start", "websocket.http.response.body") and self.stage != OPEN:
            await super().send({**message, "type": kind[len("websocket.") :]})
        elif self.gone:
            raise Left("the WebSocket is closed")
        else:
            raise self.out_of_order(kind)

    def out_of_order(self, kind):
        if self.stage == NEW:
            return RuntimeError("expected 'websocket.accept' or 'websocket.close', but got %r" % (kind,))
        if self.stage == OPEN and not self.closed:
            return RuntimeError("expected 'websocket.send' or 'websocket.close', but got %r" % (kind,))
        return RuntimeError("unexpected ASGI message %r: the WebSocket is closed or refused" % (kind,))

    def accept(self, message):
        if self.gone:
            raise Left("the WebSocket is closed")
        lines = fields.lines(message.get("headers") or (), _handshake)
        subprotocol = message.get("subprotocol")
        if subprotocol is not None:
            if _token.fullmatch(subprotocol) is None:
                raise ValueError("bad subprotocol %r" % (subprotocol,))
            lines = b"Sec-WebSocket-Protocol: %s\r\n" % subprotocol.encode("ascii") + lines
        self.push(frame_head.pack(len(lines), self.id, ACCEPT, 0, 0) + lines)
        self.stage = OPEN

    def close(self, code, reason):
        if self.stage == NEW:
            self.stage = DONE
            if not self.gone:
                size = len(_forbidden)
                self.push(
                    answer_head.pack(16 + size, self.id, RESPONSE, 0, 403, size, self.microseconds(), 0)
                    + _forbidden
                )
            self.wake()
        elif self.stage == OPEN:
            if not isinstance(code, int) or not 1000 <= code <= 4999 or code in (1004, 1005, 1006, 1015):
                raise ValueError("bad close code %r" % (code,))
            self.closed = True
            if not self.shut and not self.gone:
                self.shut_with(code, reason)
        elif not self.gone:
            raise self.out_of_order("websocket.close")

    def shut_with(self, code, reason):
        self.shut = True
        told = reason.encode("utf-8")[:LONGEST_REASON].decode("utf-8", "ignore").encode("utf-8")
        self.push(frame_head.pack(2 + len(told), self.id, SHUT, 0, 0) + _u16.pack(code) + told)

    def arrived(self, text, data):
        """A message from the visitor."""
        if self.shut or self.stage != OPEN:
            return
        self.messages.append((text, data))
        if self.waiting:
            self.wake()
        elif len(self.messages) > MOST_MESSAGES:
            self.messages.clear()
            self.shut_with(TOO_MUCH, "too many messages at once")

    def restart(self):
        """This worker goes: the visitor is asked to come again."""
        if self.stage == OPEN and not self.shut and not self.gone:
            self.shut_with(RESTART, "service restart")

    def parted(self, code, reason, grace):
        """The server has closed the WebSocket. What came before is still received."""
        self.parting = {"type": "websocket.disconnect", "code": code, "reason": reason}
        self.push(self.end_frame())
        self.give_up(grace)

    def unfinished(self):
        """The application returned: that closes an open WebSocket, with 1000."""
        if self.stage == OPEN:
            if not self.gone:
                self.end()
            self.stage = DONE
        else:
            super().unfinished()
