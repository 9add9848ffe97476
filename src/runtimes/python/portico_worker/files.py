"""`wsgi.file_wrapper`: files that the server can send itself instead of having them read here."""
import io
import os
import stat

#: A smaller file is sent in the frames: cheaper than having the server open it.
LEAST_BYTES = 65536

_binary_files = (io.FileIO, io.BufferedReader, io.BufferedRandom)


class FileWrapper:
    """Iterates over a file-like object in blocks (PEP 3333)."""

    def __init__(self, filelike, blksize=65536):
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        data = self.filelike.read(self.blksize)
        if data:
            return data
        raise StopIteration


def locate(wrapper):
    """Where the rest of the wrapped file is: (path in bytes, offset, bytes). None where it is not simply
    the rest of a regular file on disk.

    A `fileno` alone proves nothing: that of a GzipFile leads to other bytes than its `read` gives.
    """
    file = wrapper.filelike
    if not isinstance(file, _binary_files):
        file = getattr(file, "file", None)  # tempfile's wrapper
    if type(file) not in _binary_files or (
        type(file) is not io.FileIO and type(file.raw) is not io.FileIO
    ):
        return None
    try:
        descriptor = file.fileno()
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or not file.readable():
            return None
        offset = file.tell()
    except (OSError, ValueError):
        return None
    return path_of(file, descriptor, facts), offset, max(0, facts.st_size - offset)


def path_of(file, descriptor, facts):
    """The file's name while that leads to the same file, else the descriptor's own entry in /proc."""
    name = file.name
    if isinstance(name, (str, bytes)):
        path = os.path.abspath(os.fsencode(name))
        try:
            found = os.stat(path)
            if (found.st_dev, found.st_ino) == (facts.st_dev, facts.st_ino):
                return path
        except (OSError, ValueError):
            pass
    return b"/proc/%d/fd/%d" % (os.getpid(), descriptor)
