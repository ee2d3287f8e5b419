"""What is read from the environment: a secret, a name, all of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from veln_hook.source.standard import may_be_ours
from veln_hook.source.values import NONE, NOTHING, Value
from veln_hook.source.variables import is_credential_name, never_leaves
from veln_hook.source.vocabulary import CRED, ENV, ENVIRONMENTS, HOST

if TYPE_CHECKING:
    from collections.abc import Callable

GETTERS = frozenset((
    "os.getenv",
    "os.getenvb",
    *(f"{each}.{verb}" for each in ENVIRONMENTS for verb in ("get", "pop", "setdefault", "__getitem__")),
))  # fmt: skip
SWEEPERS = frozenset((
    *(f"{environ}.{verb}" for environ in ENVIRONMENTS for verb in ("items", "values", "copy", "keys")),
    "dotenv.dotenv_values",
))  # fmt: skip
_HOMES = ("HOME", "USERPROFILE")
_ASKS_WHO = frozenset(("USER", "USERNAME", "LOGNAME", "HOSTNAME", "COMPUTERNAME", "USERDOMAIN"))

_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+")
_READING = frozenset(("get", "str", "getenv", "env", "config", "secret", "get_secret", "get_value", "read"))
"""Methods of settings that are given the name of a variable."""


class Environment:
    """Notes what is read from the environment.

    Args:
        note: Notes a capability where the walk is, as ``Calls.note`` does.
    """

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note

    def get(self, arguments: list[Value], options: dict[str, Value], line: int) -> Value:
        """Note what ``os.getenv`` or a method of ``os.environ`` reads; return what is known of it."""
        key = arguments[0] if arguments else options.get("key", NONE)
        default = arguments[1] if len(arguments) > 1 else options.get("default", NONE)
        if isinstance(key.const, (str, bytes)):
            found = self.variable(key.text, line)
        else:
            found = self.some_variable(key, line)
        return Value(taints=found.taints | default.taints, hint=found.hint or default.text)

    def variable(self, name: str, line: int) -> Value:
        """Note that a variable of a name is read, if it is a secret or tells who one is."""
        if is_credential_name(name):
            self._note(CRED, line, name)
            return Value(taints=frozenset(("cred", "key") if never_leaves(name) else ("cred",)))
        if name.upper() in _ASKS_WHO:
            self._note(HOST, line, "user")
            return Value(taints=frozenset(("host",)))
        return Value(hint="~") if name in _HOMES else NONE

    def by_library(self, name: str, method: str, values: list[Value], line: int) -> frozenset[str]:
        """Note that a function nobody knows is given a variable's name, as libraries for settings are.

        Args:
            name: Dotted, of what is called; empty for an unknown method.
            method: Its name, if it is one.
            values: What may be the name.
            line: Of the call.

        Returns:
            The taints of what it gives.
        """
        if not may_be_ours(name) and (name or method not in _READING):
            return NOTHING
        for value in values:
            text = value.const
            if isinstance(text, str) and _VARIABLE.fullmatch(text) and is_credential_name(text):
                return self.variable(text, line).taints
        return NOTHING

    def some_variable(self, name: Value, line: int) -> Value:
        """Note that a variable is read whose name isn't known, but perhaps what it was taken from."""
        if "secret-name" in name.taints:
            self._note(CRED, line, name.hint)
            return Value(taints=frozenset(("cred",)))
        if "env" in name.taints:
            self.sweep(line)
            return Value(taints=frozenset(("env",)))
        self._note(ENV, line, "", NOTHING, "dynamic")
        return NONE

    def sweep(self, line: int) -> None:
        """Note that the whole environment is read."""
        self._note(ENV, line, "sweep")
