"""Shows where asyncio's tasks are: a thread's stack tells only of the one that runs."""
import asyncio
import faulthandler
import os
import signal
import traceback
from time import perf_counter

from ..answer import called
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


def name(task, request):
    if request is None:
        return "Task %s" % task.get_name()
    return "Task of %s, for %.1f s" % (called(request.line), perf_counter() - request.began)


def show_on_signal(loop, worker):
    """In addition to the stacks of the threads, which are written whatever the process is stuck in."""

    def show(_number, _frame):
        requests = {request.task: request for link in worker.links for request in link.requests.values()}
        tasks = [task for task in asyncio.all_tasks(loop) if not task.done()]
        # Those that answer requests first, the oldest before the others.
        tasks.sort(key=lambda task: requests[task].began if task in requests else float("inf"))
        for task in tasks[:MOST_TASKS]:
            title = name(task, requests.get(task))
            text = "%s (most recent call last):\n%s" % (title, "".join(stack(task)))
            os.write(2, text.encode("utf-8", "backslashreplace"))
        if len(tasks) > MOST_TASKS:
            os.write(2, b"and %d tasks more\n" % (len(tasks) - MOST_TASKS))

    faulthandler.unregister(TRACEBACK)
    signal.signal(TRACEBACK, show)
    faulthandler.register(TRACEBACK, file=2, all_threads=True, chain=True)
