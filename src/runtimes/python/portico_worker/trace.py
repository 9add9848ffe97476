"""Tracebacks as the application's owner wants to read them: from the application's own frames on."""
import os
import traceback

HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def text(error):
    """The traceback of `error` without the frames of Portico and of the import system before it."""
    frames = error.__traceback__
    while frames is not None:
        name = frames.tb_frame.f_code.co_filename
        ours = name.startswith(HERE) or os.path.abspath(name).startswith(HERE)
        library = name.startswith("<frozen importlib") or name.endswith("/importlib/__init__.py")
        if not ours and not library:
            break
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))
