"""Outside of Portico: a clear word, and metrics that harm nobody."""
import asyncio
import os

os.environ.pop("PORTICO_COMMONS", None)

import portico
from portico import aio

portico.metrics.counter("orders")
for ask in (lambda: portico.cache.get("a"), lambda: asyncio.run(aio.cache.get("a"))):
    try:
        ask()
    except portico.NotInPortico as error:
        print(error)
os.environ["PORTICO_COMMONS"] = "/nowhere/commons.sock"
try:
    portico.cache.get("a")
except portico.Unavailable as error:
    print(error)
