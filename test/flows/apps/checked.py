"""Every application of the contract under the standard library's PEP 3333 checker."""
import importlib
from wsgiref.validate import validator


def __getattr__(name):
    return validator(importlib.import_module(name + "_contract").application)
