"""Shows where asyncio's tasks are: a thread's stack tells only of the one that runs."""
import asyncio
import faulthandler
import os
import signal
import traceback

from ..process import TRACEBACK

#: Tasks of which the stack is shown.
MOST_TASKS = 50


def stack(task):
    """Where a task stands, outermost call first; it waits in the last line."""
    coroutine = task.get_coro()
    lines = []
    while coroutine is not None:
        for kind in ("cr", "ag", "gi"):
            frame = getattr(coroutine, kind + "_frame", None)
            if frame is not None:
                lines += traceback.format_list(traceback.StackSummary.extract([(frame, frame.f_lineno)]))
                break
        coroutine = next(
            (
                found
                for name in ("cr_await", "ag_await", "gi_yieldfrom")
                if (found := getattr(coroutine, name, None)) is not None
            ),
            None,
        )
    return lines


def show_on_signal(loop):
    """In addition to the stacks of the threads, which are written whatever the process is stuck in."""

    def show(_number, _frame):
        tasks = [task for task in asyncio.all_tasks(loop) if not task.done()]
        for task in tasks[:MOST_TASKS]:
            text = "Task %s (most recent call last):\n%s" % (task.get_name(), "".join(stack(task)))
            os.write(2, text.encode("utf-8", "backslashreplace"))
        if len(tasks) > MOST_TASKS:
            os.write(2, b"and %d tasks more\n" % (len(tasks) - MOST_TASKS))

    faulthandler.unregister(TRACEBACK)
    signal.signal(TRACEBACK, show)
    faulthandler.register(TRACEBACK, file=2, all_threads=True, chain=True)
