"""Request bodies that do not come whole within the request's frame."""
import os

from ..link import GRANT, INITIAL_GRANT, frame_head, u32

#: Granted back in steps of this many bytes.
STEP = INITIAL_GRANT // 4
#: Bytes of a spooled body that the application gets at a time.
PIECE = 262144


class Grants:
    """Tells the server how much more it may send, as the application takes what has come."""

    def __init__(self, request):
        self.request = request
        self.taken = 0

    def took(self, size):
        self.taken += size
        request = self.request
        if self.taken >= STEP and not request.gone:
            request.push(frame_head.pack(u32.size, request.id, GRANT, 0, 0) + u32.pack(self.taken))
            self.taken = 0


class Upload:
    """A body that comes in BODY frames."""

    def __init__(self, request):
        self.grants = Grants(request)
        self.pieces = []
        self.ended = False

    def take(self):
        """What has come as a message; None when that is nothing."""
        if not self.pieces and not self.ended:
            return None
        body = b"".join(self.pieces)
        self.pieces.clear()
        if not self.ended:
            self.grants.took(len(body))
        return {"type": "http.request", "body": body, "more_body": not self.ended}


class Spool:
    """A body that the server has put into a file. Opened at once: the server deletes it when it likes."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.left = os.fstat(self.file.fileno()).st_size

    def take(self):
        body = self.file.read(PIECE)
        self.left -= len(body)
        more = self.left > 0 and body != b""
        if not more:
            self.file.close()
        return {"type": "http.request", "body": body, "more_body": more}
