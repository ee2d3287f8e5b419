"""What becomes of what a call is given, by the call's name or the last part of it: run, kept, written."""

from __future__ import annotations

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
    "wrap_function_wrapper", "wrap_object",
])  # fmt: skip
"""Calls that run a function that they are given, now or later."""
ASKS_ABOUT = frozenset([
    "isinstance", "hasattr", "callable", "issubclass", "type", "repr", "str", "id", "print",
    "inspect.signature",
])  # fmt: skip
"""Calls that don't."""
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
