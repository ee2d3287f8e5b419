"""Modules that are Python's own, with every supported version and on every platform.

A list, so that the facts of a file don't depend on the interpreter that reads it.
What only some have is missing: elsewhere an archive may bring a module of that name.
"""

from __future__ import annotations

from functools import lru_cache

STANDARD = frozenset([
    "__future__", "_thread",
    "abc", "argparse", "array", "ast", "asyncio", "atexit", "base64", "bdb", "binascii", "bisect",
    "builtins", "bz2", "cProfile", "calendar", "cmath", "cmd", "code", "codecs", "codeop", "collections",
    "colorsys", "compileall", "concurrent", "configparser", "contextlib", "contextvars", "copy",
    "copyreg", "csv", "ctypes", "dataclasses", "datetime", "decimal", "difflib", "dis", "doctest",
    "email", "encodings", "enum", "errno", "faulthandler", "filecmp", "fileinput", "fnmatch", "fractions",
    "ftplib", "functools", "gc", "genericpath", "getopt", "getpass", "gettext", "glob", "gzip", "hashlib",
    "heapq", "hmac", "html", "http", "imaplib", "importlib", "inspect", "io", "ipaddress", "itertools",
    "json", "keyword", "linecache", "locale", "logging", "lzma", "mailbox", "marshal", "math",
    "mimetypes", "mmap", "modulefinder", "multiprocessing", "netrc", "ntpath", "nturl2path", "numbers",
    "opcode", "operator", "optparse", "os", "pathlib", "pdb", "pickle", "pickletools", "pkgutil",
    "platform", "plistlib", "poplib", "posixpath", "pprint", "profile", "pstats", "py_compile", "pyclbr",
    "pydoc", "pydoc_data", "pyexpat", "queue", "quopri", "random", "re", "reprlib", "rlcompleter",
    "runpy", "sched", "secrets", "select", "selectors", "shelve", "shlex", "shutil", "signal", "site",
    "smtplib", "socket", "socketserver", "sqlite3", "sre_compile", "sre_constants", "sre_parse", "ssl",
    "stat", "statistics", "string", "stringprep", "struct", "subprocess", "symtable", "sys", "sysconfig",
    "tabnanny", "tarfile", "tempfile", "textwrap", "threading", "time", "timeit", "token", "tokenize",
    "trace", "traceback", "tracemalloc", "types", "typing", "unicodedata", "unittest", "urllib", "uuid",
    "warnings", "wave", "weakref", "webbrowser", "wsgiref", "xml", "xmlrpc", "zipapp", "zipfile",
    "zipimport", "zlib",
])  # fmt: skip


_PYTHONS_OWN = frozenset((
    "dict", "str", "bytes", "bytearray", "list", "set", "frozenset", "tuple", "int", "float", "object",
    "type", "super", "_socket", "_ssl", "_io", "_ctypes", "_thread", "_posixsubprocess", "_winapi", "_pickle",
))  # fmt: skip
"""Types, and modules behind modules, which are no library either."""


@lru_cache(maxsize=20_000)
def may_be_ours(name: str) -> bool:
    """Tell whether a name, as ``Call.target`` has it, may be this file's or another's of its archive."""
    return name[:1] == ":" or ("." in name and name.partition(".")[0].partition("(")[0] not in STANDARD)


@lru_cache(maxsize=20_000)
def is_elsewhere(name: str) -> bool:
    """Tell whether a dotted name is something of a library, or of another file of the archive."""
    top = name.partition(".")[0].partition("(")[0]
    return "." in name and name[0] not in ":.?/@<" and top not in STANDARD and top not in _PYTHONS_OWN
