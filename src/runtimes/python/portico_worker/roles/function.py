"""A function of the application, as a role names it."""
import importlib
import inspect
import os
import sys

from .. import process, trace


def run(settings, slot, role, *arguments):
    """Calls it; its lines in the log have the task and the run that the role names. Exits when it fails."""
    introduction = {"app": settings["app"]["name"], "slot": slot, "pid": os.getpid()}
    introduction.update((fact, role[fact]) for fact in ("task", "run") if fact in role)
    process.open_log(settings["log"], introduction)
    try:
        call(role, *arguments)
    except Exception as error:
        print(trace.text(error), end="", file=sys.stderr, flush=True)
        sys.exit(1)


def call(role, *arguments):
    if role.get("declared"):
        schedule = sys.modules["portico.schedule"]
        return schedule.call(schedule.function_of(role["target"]), *arguments)
    result = named(role["target"])(*arguments)
    if inspect.isawaitable(result):
        import asyncio

        asyncio.run(wait(result))


def named(target):
    """`module:name` or `module:name.attribute`."""
    module, _, path = target.partition(":")
    found = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found


async def wait(awaitable):
    await awaitable
