"""What becomes of what a call is given, by the call's name or the last part of it: run, kept, written."""

from __future__ import annotations

from functools import lru_cache

from veln_hook.source.standard import may_be_ours

SERIALIZES = frozenset([
    "dict", "str", "repr", "list", "sorted", "tuple", "set", "json.dumps", "pprint.pformat",
    "urllib.parse.urlencode", "pickle.dumps",
])  # fmt: skip
"""Calls whose result has all of a table's values in it."""
RUNS_ITS_ARGUMENT = frozenset([
    "Thread", "Process", "Timer", "submit", "map", "apply_async", "apply", "run", "create_task",
    "ensure_future", "run_until_complete", "gather", "start_new_thread", "run_in_executor", "partial",
    "to_thread", "call_soon", "call_later", "filter", "starmap", "imap", "addaudithook", "settrace",
    "setprofile", "run_coroutine_threadsafe", "register", "starmap_async", "map_async", "signal", "finalize",
    "register_at_fork", "add_done_callback", "max", "min", "sorted", "sort", "iter", "reduce", "sub", "subn",
    "defaultdict", "field", "loads", "load", "callback", "push", "accumulate", "takewhile", "dropwhile",
    "groupby", "enter", "enterabs", "addFilter", "set_asyncgen_hooks", "register_callback", "curse",
    "wrap_function_wrapper", "wrap_object", "spawn", "spawn_later", "Fire", "do", "add_job", "retry",
    "delayed", "vectorize", "pipe", "ib", "after", "start_soon", "run_sync", "when_imported",
])  # fmt: skip
"""Calls that run a function that they are given, now or later."""
ASKS_ABOUT = frozenset([
    "isinstance", "hasattr", "callable", "issubclass", "type", "repr", "str", "id", "print",
    "inspect.signature",
])  # fmt: skip
"""Calls that don't."""
_KEEPS_FUNCTIONS = (
    "typing.", "typing_extensions.", "inspect.", "types.MappingProxyType", "functools.wraps", "weakref.",
    "functools.update_wrapper", "functools.total_ordering", "functools.cmp_to_key", "dataclasses.fields",
    "abc.", "collections.abc.", "copy.", "argparse.ArgumentParser().set_defaults",
)  # fmt: skip
"""How names of Python's own begin that are given functions and classes, and call none of them."""
_KEEPING = frozenset((
    "frozenset", "tuple", "list", "set", "dict", "setattr", "getattr", "delattr", "super", "vars", "dir",
    "len", "hash", "staticmethod", "classmethod", "property", "enumerate", "zip", "reversed", "any", "all",
    *ASKS_ABOUT,
))  # fmt: skip
"""The same, whole names."""
_REGISTERS = (
    "add", "set", "register", "on_", "connect", "subscribe", "append", "extend", "insert", "update", "join",
    "include", "mount", "route", "bind", "provide", "use", "install", "expose", "define", "remove", "discard",
    "count", "index", "get", "pop", "startswith", "endswith",
)  # fmt: skip
"""How methods begin that keep what they are given for later, whatever they are methods of."""
STARTS_PROCESSES = frozenset(("subprocess_shell", "subprocess_exec"))
CONNECTS = frozenset(("create_datagram_endpoint", "sock_connect", "sock_sendto"))
"""Methods of event loops."""
WRITES = frozenset(("write", "writelines", "write_text", "write_bytes", "writestr"))
CONTAINS = frozenset((
    "extractfile", "getdata", "fetchone", "fetchall", "getsource", "getsourcelines",
))  # fmt: skip
"""Calls that give what is in a file that isn't loaded as source."""
OPENS = frozenset(("get_data", "read_text", "read_bytes", "read_binary", "joinpath"))
"""Calls that do if the file's name says so."""
REMOVES = frozenset(("unlink", "rmdir", "remove"))
"""Methods that remove the file or directory that has that path."""
LOOKS_THROUGH = frozenset(("walk", "fwalk", "listdir", "scandir", "glob", "iglob", "rglob", "iterdir"))
"""Calls that find files below a place."""
LINKS = frozenset(("symlink_to", "hardlink_to", "touch"))
"""Methods of paths that make what has that path."""
PATHS = frozenset(("open", "rename", "replace", "extractall")) | LINKS
"""Methods that may write, of paths and archives."""
HINTING = frozenset([
    "Request", "join", "format", "expanduser",
    # Of paths.
    "abspath", "realpath", "normpath", "fspath", "joinpath", "with_name", "absolute", "resolve", "as_posix",
])  # fmt: skip
"""Calls whose arguments tell of their results."""
KEEPS = frozenset([
    "dumps", "str", "dict", "list", "tuple", "bytes", "encode", "decode", "strip", "join", "format",
    "quote", "quote_plus", "urlencode", "b64encode", "urlsafe_b64encode", "hex", "hexlify", "lower", "split",
    "replace", "get", "append", "Request",
])  # fmt: skip
"""Calls whose result still has the key in it that they are given; what signs or derives has not."""
OF_ITSELF = frozenset(("encode", "decode", "strip", "lower", "split", "replace", "hex"))
"""Of those, methods whose arguments are not in their results."""


@lru_cache(maxsize=20_000)
def may_run(name: str, method: str) -> bool:
    """Tell whether what is called may call the functions that it is given.

    Args:
        name: Dotted; empty if it isn't known. Of libraries nothing is known, and mostly they keep functions.
        method: Its name, if it is one.
    """
    if not name:
        return bool(method) and not method.startswith(_REGISTERS)
    return not may_be_ours(name) and name not in _KEEPING and not name.startswith(_KEEPS_FUNCTIONS)
