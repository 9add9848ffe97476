"""Tracebacks as the application's owner wants to read them: of the application's own frames."""
import os
import traceback

HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def text(error, instead=None):
    """The traceback of `error` without the frames of Portico and of the import system.

    `instead`: what to say at its end in the place of the error itself.
    """
    told = traceback.TracebackException.from_exception(error)
    chain = [told]
    for link in chain:
        link.stack[:] = [frame for frame in link.stack if not foreign(frame.filename)]
        chain.extend(next for next in (link.__cause__, link.__context__) if next is not None)
    if instead is None:
        return "".join(told.format())
    return "".join(["Traceback (most recent call last):\n", *told.stack.format(), instead])


def foreign(name):
    return (
        name.startswith("<frozen importlib")
        or name.endswith("/importlib/__init__.py")
        or os.path.abspath(name).startswith(HERE)
    )
