"""``uv run`` and ``uvx`` in two steps: what they need comes through the gate, the program runs without.

The first step is the same command with a program that does nothing. It fills our cache, and a project's
environment. The second is the command as it was typed, with uv's own ``--offline``: uv takes everything from
that cache, fetches nothing, and neither it nor the program has the gate in its environment.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, NamedTuple, Optional

from veln_hook.adapters.uv.words import Word, Words, raw, read
from veln_hook.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from veln_hook.adapters.uv.commands import Line

_NO_CACHE = ("-n", "--no-cache", "--no-cache-dir")
_OFFLINE = ("--offline", "--no-offline")
_STALE = (
    "--refresh",
    "--no-refresh",
    "--refresh-package",
    "--reinstall",
    "--force-reinstall",
    "--no-reinstall",
    "--reinstall-package",
)
"""What the first step has done, and uv refuses or repeats without a network."""
_ENV_FILES = ("--env-file", "--no-env-file")
"""Variables for the program; in uv's own process they could name other certificates, or no proxy."""
_HOW = ("-m", "--module", "-s", "--script", "--gui-script")
_LATEST = "latest"
_AT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*(?:\[[A-Za-z0-9._, -]*\])?)@(.+)", re.ASCII)
_VERSION = re.compile(r"[0-9][A-Za-z0-9.!+_-]*", re.ASCII)
_PYTHON = re.compile(r"(?:python|pypy|graalpy|cpython|pyodide)[w0-9.@t+-]*", re.IGNORECASE | re.ASCII)
_SCRIPT_ENDINGS = (".py", ".pyw", ".pyc")
_SYNC_OPTIONS = """
--locked --frozen --python -p --index --default-index --index-url -i --extra-index-url --find-links -f
--no-index --index-strategy --keyring-provider --resolution --prerelease --fork-strategy --exclude-newer
--exclude-newer-package --upgrade -U --upgrade-package -P --no-sources --no-build --no-binary
--no-build-package --no-binary-package --no-build-isolation --no-build-isolation-package --config-setting
-C --link-mode --compile-bytecode --refresh --refresh-package --reinstall --reinstall-package --quiet -q
--verbose -v --color --no-progress --no-config --config-file --project --directory --native-tls
--system-certs --no-python-downloads --python-preference --managed-python --no-managed-python
--python-platform --preview --preview-features
"""
_FOR_SYNC = frozenset(_SYNC_OPTIONS.split())
"""Options of ``uv run`` that ``uv sync --script`` has too."""


class Script(NamedTuple):
    """A Python file that ``uv run`` reads itself, since its requirements may stand in it (PEP 723)."""

    path: str
    """As it was typed; ``-`` for standard input."""


class Plan(NamedTuple):
    """The two steps of one command; each is what follows ``uv``."""

    first: tuple[tuple[str, ...], ...]
    """Behind the gate, one after the other."""
    second: tuple[str, ...]


class RunLine:
    """One command that installs and then runs a program.

    Args:
        line: Whose way is ``commands.RUN``.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._is_tool = line.command[0] == "tool"
        self._head = read((), line.head)
        self._names = len(line.command)
        self.words: Words = read(line.command, line.words, starts_program=True)

    @property
    def offline(self) -> bool:
        """Whether uv is told to fetch nothing."""
        return self._last(_OFFLINE) == "--offline"

    def script(self) -> Script | None:
        """Return the Python file that uv will run and read.

        Raises:
            UsageError: It is fetched from elsewhere, so nobody has seen it.
        """
        if self._is_tool or not self.words.program:
            return None
        target = self.words.program[0]
        if target == "-":
            return Script(target)
        if target.startswith(("https://", "http://")) and not os.path.exists(target):
            raise UsageError(
                "uv would run a script straight from a URL, and nobody could look at it before",
                advice="Download it, look at it, then: uv run FILE",
            )
        if self.words.has("-m", "--module"):
            return None
        named = self.words.has("-s", "--script", "--gui-script")
        if named or (target.lower().endswith(_SCRIPT_ENDINGS) and os.path.isfile(target)):
            return Script(target)
        return None

    def plan(
        self,
        *,
        cache: str,
        inline: str = "",
        requires_python: str = "",
        environ: Mapping[str, str] = os.environ,
    ) -> Plan:
        """Return the two steps.

        Args:
            cache: The directory of our cache.
            inline: Path of the script that has its requirements in it, if there is one.
            requires_python: What that script says of Python.
            environ: For ``PATH``.
        """
        second = self._second(cache)
        if self.offline:
            return Plan((), second)
        nothing = shutil.which("true", path=f"/bin:/usr/bin:{environ.get('PATH', '')}") or "true"
        if self._is_tool:
            return Plan((self._tool(nothing),), second)
        if not inline:
            return Plan((self._run(self.words.own, nothing),), second)
        first = [self._sync(inline)]
        if self.words.has("--with", "-w", "--with-editable", "--with-requirements"):
            # Isolated: what this interpreter happens to have would not be fetched otherwise.
            more = ["--no-project", "--isolated"]
            if requires_python and not self.words.has("--python", "-p"):
                more.append(f"--python={requires_python}")
            first.append(self._run(self.words.own, nothing, *more))
        return Plan(tuple(first), second)

    def _run(self, own: Iterable[Word], nothing: str, *more: str) -> tuple[str, ...]:
        gone = (*_ENV_FILES, *_HOW, *_NO_CACHE, *more)
        kept = [word for word in own if word.name not in gone]
        return (*self._cleaned_head(()), *raw(kept), "--no-env-file", *more, "--", nothing)

    def _sync(self, inline: str) -> tuple[str, ...]:
        before = [word for word in self._head.own if word.name not in _NO_CACHE]
        kept = [word for word in self.words.own if word.name in _FOR_SYNC]
        head = raw(word for word in before if word.name or word.value not in self._line.command)
        return (*head, "sync", *raw(kept), "--script", inline)

    def _tool(self, nothing: str) -> tuple[str, ...]:
        kept = [word for word in self.words.own if word.name not in (*_ENV_FILES, *_NO_CACHE)]
        wanted = self.words.values("--from")[-1:] or list(self.words.program[:1])
        kept = [word for word in kept if word.name != "--from"]
        more = (
            [] if self.words.has("--no-env-file") or not self.words.has("--env-file") else ["--no-env-file"]
        )
        found = _AT.fullmatch(wanted[0]) if wanted and not _PYTHON.fullmatch(wanted[0]) else None
        if found is not None and (found[2] == _LATEST or _VERSION.fullmatch(found[2])):
            # uv 0.5 takes the program from such a --from, and not the one that is named.
            wanted = [found[1] if found[2] == _LATEST else f"{found[1]}=={found[2]}"]
            more += [] if self.words.has("--isolated") else ["--isolated"]
            if found[2] == _LATEST and not self.words.has("--refresh"):
                more.append("--refresh")
        return (*self._cleaned_head(()), *raw(kept), *more, "--from", *wanted, nothing)

    def _second(self, cache: str) -> tuple[str, ...]:
        gone = (*_NO_CACHE, *_OFFLINE, *_STALE, "--cache-dir")
        own = [word for word in self.words.own if word.name not in gone]
        program = self._line.words[len(self._line.words) - len(self.words.program) :]
        # A program's name can't look like an option, but what uv is told after "--" can.
        dashes = ["--"] if program and "--" in self._line.words[: -len(program)] else []
        return (*self._cleaned_head(gone), "--offline", "--cache-dir", cache, *raw(own), *dashes, *program)

    def _cleaned_head(self, gone: Sequence[str]) -> list[str]:
        """Return the head without options that are dropped, the words that name the command included."""
        return raw(word for word in self._head.own if word.name not in (*gone, *_NO_CACHE))

    def _last(self, names: Sequence[str]) -> Optional[str]:
        found = [word.name for word in (*self._head.own, *self.words.own) if word.name in names]
        return found[-1] if found else None
