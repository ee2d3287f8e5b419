"""The files of source of one archive: each read by itself, and again as far as the others make it matter."""

from __future__ import annotations

import gc
import hashlib
import json
from typing import TYPE_CHECKING

from veln_hook.source.aliases import Aliases
from veln_hook.source.analysis import analyse_python
from veln_hook.source.encodings import readable
from veln_hook.source.leading import Leads, senders
from veln_hook.source.linking import Linker
from veln_hook.source.modules import Names
from veln_hook.source.parts import has_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from typing import TypeAlias

    from veln_hook.source.aliases import Alias
    from veln_hook.source.facts import FileFacts, Placed, Tie
    from veln_hook.source.modules import Module

    Known: TypeAlias = Callable[[Sequence[str]], Mapping[str, FileFacts]]
    Learned: TypeAlias = Callable[[Mapping[str, FileFacts]], None]

_MAX_DATA = 256 << 20
"""Bytes of source that are kept until all is linked."""
_BATCH_FILES = 500
_BATCH_BYTES = 32 << 20


class SourceFiles:
    """Reads files of source, but for what is known of them.

    Args:
        known: Asked with sha256 digests of files of source; gives the facts that are known of them.
        learned: Told the facts of the others.
    """

    def __init__(self, known: Known | None, learned: Learned | None) -> None:
        self._known = known
        self._learned = learned
        self.facts: dict[str, FileFacts] = {}
        """Of each file that was read, by its path."""
        self._waiting: list[tuple[str, str, bytes]] = []
        self._waiting_bytes = 0
        self._data: dict[str, bytes] = {}
        """Bytes of the files, until all is linked."""
        self._data_bytes = 0
        self._light: set[str] = set()
        """Files of which only imports were read."""
        self._taken: dict[str, dict[str, Alias]] = {}
        """What names are that files take from others."""

    def add(self, name: str, data: bytes) -> None:
        """Take a file, and read it when there are enough to ask what is known of them."""
        self._waiting.append((name, hashlib.sha256(data).hexdigest(), data))
        self._waiting_bytes += len(data)
        if len(self._waiting) >= _BATCH_FILES or self._waiting_bytes >= _BATCH_BYTES:
            self.flush()
            if not gc.isenabled():  # as in the worker, which collects after each archive
                gc.collect()

    def flush(self) -> None:
        """Read what has been gathered, but for what is known."""
        found = (
            self._known([digest for _, digest, _ in self._waiting]) if self._known and self._waiting else {}
        )
        new: dict[str, FileFacts] = {}
        for name, digest, data in self._waiting:
            facts = found.get(digest) or new.get(digest)
            if facts is None:
                facts = new[digest] = analyse_python(data)
            self.facts[name] = facts
            if self._data_bytes + len(data) <= _MAX_DATA:
                self._data[name] = data
                self._data_bytes += len(data)
                if facts.light:
                    self._light.add(name)
        self._learn(new)
        self._waiting, self._waiting_bytes = [], 0

    def _learn(self, new: Mapping[str, FileFacts]) -> None:
        """Have what was read kept; but for what can't be: another Python may read it."""
        readable = {digest: facts for digest, facts in new.items() if not facts.problem}
        if self._learned and readable:
            self._learned(readable)

    def linked(
        self, modules: list[Module], entry_points: Sequence[tuple[str, str]]
    ) -> tuple[tuple[Placed, ...], tuple[Tie, ...]]:
        """Link; read again what takes something from another file, and whole what may lead to something."""
        names = Names(modules)
        aliases = Aliases(modules, names, self._data)
        while self._take_over(modules, aliases):
            pass  # what was read again may have something for a third
        while True:
            linker = Linker(modules, entry_points, names)
            leads = Leads(linker, self._has_parts)
            more = any(module.facts.secrets for module in modules)
            while files := leads.unread() & self._light:
                self._light -= files
                read = self._read_again({name: {} for name in sorted(files)})
                self.facts.update(read)
                linker.read(read)
                more = True
            if not more or not self._take_over(linker.modules, aliases, senders(linker)):
                return linker.result()
            modules = linker.modules

    def _has_parts(self, name: str) -> bool:
        data = self._data.get(name)
        return data is None or has_parts(readable(data), self.facts[name].imports)

    def _take_over(self, modules: list[Module], aliases: Aliases, senders: Container[int] = ()) -> bool:
        """Read again what takes something that matters from another file; tell whether anything does now."""
        taken = {}
        for place, names in aliases.taken(modules, senders).items():
            path = modules[place].path
            before = self._taken.get(path, {})
            if names.keys() - before.keys():
                taken[path] = {**before, **names}  # it only grows, so that this ends
        self._taken.update(taken)
        self._light -= taken.keys()
        read = self._read_again(taken)
        for place, module in enumerate(modules):
            if module.path in read:
                modules[place] = module._replace(facts=read[module.path])
        self.facts.update(read)
        return bool(taken)

    def _read_again(self, files: Mapping[str, Mapping[str, Alias]]) -> dict[str, FileFacts]:
        """Read files whole, but for what is known: by path, with what names are of other files."""
        # What is cached of a file's bytes is what they tell by themselves; this is kept beside that.
        digests = {}
        for name, taken in files.items():
            told = json.dumps(sorted(taken.items())).encode()
            digests[name] = hashlib.sha256(b"whole " + told + b" " + self._data[name]).hexdigest()
        known = self._known(list(digests.values())) if self._known and digests else {}
        read = {
            name: known.get(digest) or analyse_python(self._data[name], always=True, aliases=files[name])
            for name, digest in digests.items()
        }
        new = {digests[name]: facts for name, facts in read.items() if digests[name] not in known}
        self._learn(new)
        return read
