"""A function of the application, as a role names it."""
import importlib
import inspect
import sys


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
