"""Functions by name, in this process; those of other servers are behind a route."""

_functions = {}


def register_rpc(name, function, _arguments=0):
    _functions[_text(name)] = function
    return True


def call(name, *arguments):
    """What the function returns; it gets bytes, as it would from another server."""
    function = _functions.get(_text(name))
    if function is None:
        raise ValueError("unable to call rpc function")
    return function(*(each.encode() if isinstance(each, str) else each for each in arguments))


def rpc(node, name, *arguments):
    if node:
        raise ValueError("Portico has no RPC to other servers (%r): ask them over HTTP" % (node,))
    return call(name, *arguments)


def rpc_list():
    return tuple(name.encode() for name in _functions)


def _text(name):
    return name.decode() if isinstance(name, bytes) else name
