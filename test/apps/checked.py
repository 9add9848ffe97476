"""Wraps an application of this folder in the standard library's PEP 3333 checker."""
from wsgiref.validate import validator


def checked(module, name="application"):
    """For the site file: `checked:checked('flask_app')`."""
    application = getattr(__import__(module), name)
    return validator(application)
