"""Imports the application and walks to its callable; says what is wrong where that fails."""
import importlib
import importlib.machinery
import importlib.util
import os
import re
import sys

from . import trace


class LoadFailed(Exception):
    """The import failed; the message is what the owner should read."""


class ExitedInImport(BaseException):
    """Stands in for the end of the process when the application calls `os._exit` in its import."""


def load(module, callable_name, folder):
    """The application object. Raises LoadFailed."""
    found = import_module(module, folder)
    return check(walk(found, module, callable_name), module, callable_name)


def import_module(module, folder):
    really_exit = os._exit
    parent = os.getpid()

    def exit_once_told(code):
        # A child that the application forked may end as it likes.
        if os.getpid() != parent:
            really_exit(code)
        raise ExitedInImport(code)

    os._exit = exit_once_told
    try:
        return import_file(module) if "/" in module else importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise LoadFailed(trace.text(error) + missing_module(error, module, folder)) from None
    except SystemExit as error:
        end = "SystemExit: the application called sys.exit(%r) while it was imported" % (error.code,)
        raise LoadFailed(trace.text(error, end)) from None
    except ExitedInImport as error:
        end = "The application called os._exit(%r) while it was imported" % error.args
        raise LoadFailed(trace.text(error, end)) from None
    except BaseException as error:
        raise LoadFailed(trace.text(error)) from None
    finally:
        os._exit = really_exit


class FileLoader(importlib.machinery.SourceFileLoader):
    """Writes no bytecode: the file may lie among programs, as in /usr/bin."""

    def set_data(self, path, data, **_how):
        pass


def import_file(path):
    """A file as a module, whatever its name ends in; the module's name is made of the file's."""
    name = "portico_file_" + re.sub(r"\W", "_", os.path.splitext(os.path.basename(path))[0])
    loader = FileLoader(name, path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    # Before it runs: what it defines is pickled and looked up by this name.
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def missing_module(error, module, folder):
    """A hint for a module that was not found: the nearest name in its folder, or how to install it."""
    missing = error.name or ""
    if module != missing and not module.startswith(missing + "."):
        return "hint: install %r for %s, or name the right `venv:`\n" % (missing, sys.executable)
    import pkgutil

    package, _, last = missing.rpartition(".")
    where = os.path.join(folder, *package.split(".")) if package else folder
    near = nearest(last, [entry.name for entry in pkgutil.iter_modules([where])])
    prefix = package + "." if package else ""
    return "hint: no module %r in %s%s\n" % (last, where, near and "; did you mean %r?" % (prefix + near))


def nearest(name, names):
    """The most similar of `names`, or ''."""
    import difflib

    return (difflib.get_close_matches(name, names, 1, 0.6) or [""])[0]


def walk(found, module, expression):
    """`app`, `app.wsgi_app`, or a factory call with literal arguments: `create_app("production")`."""
    path, arguments = expression, None
    if "(" in expression:
        path, arguments = parse_call(expression)
    here = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            near = nearest(name, [other for other in dir(found) if not other.startswith("__")])
            hint = "; did you mean %r?" % near if near else ""
            raise LoadFailed("%s has no attribute %r%s" % (here, name, hint)) from None
        except Exception as error:
            raise LoadFailed(trace.text(error)) from None
        here += "." + name
    if arguments is None:
        return found
    check(found, module, path)
    try:
        return found(*arguments[0], **arguments[1])
    except BaseException as error:
        raise LoadFailed(trace.text(error)) from None


def parse_call(expression):
    """The dotted path and the literal arguments of a factory call."""
    import ast

    try:
        call = ast.parse(expression.strip(), mode="eval").body
        if not isinstance(call, ast.Call):
            raise ValueError
        arguments = [ast.literal_eval(value) for value in call.args]
        named = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
        names = []
        target = call.func
        while isinstance(target, ast.Attribute):
            names.insert(0, target.attr)
            target = target.value
        if not isinstance(target, ast.Name) or None in named:
            raise ValueError
    except (SyntaxError, ValueError):
        raise LoadFailed(
            "%r is not understood: write `name`, `name.attribute`, or `factory('literal')`" % expression
        ) from None
    return ".".join([target.id] + names), (arguments, named)


def check(found, module, name):
    if not callable(found):
        raise LoadFailed("%s:%s is a %s, not a callable" % (module, name, type(found).__name__))
    return found
