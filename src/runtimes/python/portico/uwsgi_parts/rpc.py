"""Functions by name, in this process; those of other servers are behind a route."""

_functions = {}


def register_rpc(name, function, _arguments=0):
    _functions[_text(name)] = function
    return True


def call(name, *arguments):
    """What the function returns, as bytes; None where there is none."""
    function = _functions.get(_text(name))
    if function is None:
        return None
    result = function(*arguments)
    return result.encode() if isinstance(result, str) else result


def rpc(node, name, *arguments):
    if node:
        raise ValueError("Portico has no RPC to other servers (%r): ask them over HTTP" % (node,))
    return call(name, *arguments)


def rpc_list():
    return tuple(name.encode() for name in _functions)


def _text(name):
    return name.decode() if isinstance(name, bytes) else name
