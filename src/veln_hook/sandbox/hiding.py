"""Where secrets lie on this machine, and which places a build needs although they lie among them.

The launcher hides every home directory, ``/run``, the temporary directories and the devices without being
told. `secrets` names what has to stay hidden even where more is opened: below a toolchain, below a project
that lies in the home, in a home of its own kind (``/srv/home``), in ``/etc`` and ``/var`` for root.
`toolchains` names what is opened again below a home.

Both resolve symbolic links: a link neither moves a secret into sight nor opens more than what it points at.
"""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
import tempfile
from typing import TYPE_CHECKING

from veln_hook import paths
from veln_hook.sandbox import environment
from veln_hook.sandbox import known_places as known
from veln_hook.sandbox.layout import covers, is_within, outermost
from veln_hook.sandbox.surroundings import homes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    _Table = tuple[tuple[str, str], ...]


def secrets(home: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a confined command must not read, sorted: real paths of files and directories.

    Args:
        home: The user's home directory; need not exist.
        environ: The user's whole environment, before it is scrubbed: it names further files.
    """
    machine = _Machine(home, environ)
    found = {os.path.realpath(place) for place in _secret_places(machine)}
    return tuple(outermost(place for place in found if _can_be_hidden(place) and not machine.needs(place)))


def secrets_by_home(environ: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return what `secrets` tells of each of the user's homes, which differ where HOME isn't the system's.

    Args:
        environ: The user's whole environment.
    """
    return {home: secrets(home, environ) for home in homes(environ)}


def toolchains(
    home: str, environ: Mapping[str, str], closed: Collection[str] | None = None
) -> tuple[str, ...]:
    """Return what a build reads in hidden places, sorted: absolute paths, as they are named and resolved.

    The running interpreter with all it imports from, what PATH and its like name, and known installations of
    tools. None of them is the home, a directory above it, one that holds everything a user has, or a secret.
    What is on PATH counts as code: a password written into a script there can be read.

    Args:
        home: The user's home directory; need not exist.
        environ: The user's environment.
        closed: What `secrets` tells of both, if that is known already: it takes as long as all the rest.
    """
    machine = _Machine(home, environ)
    if closed is None:
        closed = secrets(home, environ)
    found: set[str] = set()
    for place in filter(os.path.isabs, set(_tool_places(machine))):
        named, real = os.path.normpath(place), os.path.realpath(place)
        if os.path.realpath(named) != real:  # "link/.." isn't what it looks like
            named = real
        refused = machine.is_wide(named) or machine.is_wide(real)
        if os.path.exists(real) and not refused and not covers(closed, real):
            found.update(path for path in (named, real) if machine.is_hidden(path))
    return tuple(outermost(found))


class _Machine:
    """What both questions need to know of a home, an environment and the running interpreter."""

    def __init__(self, home: str, environ: Mapping[str, str]) -> None:
        self.home = os.path.abspath(home)
        self.homes = {self.home, os.path.realpath(home)}
        self.environ = environ
        self.interpreter = [os.path.realpath(getattr(sys, name)) for name in known.INTERPRETER]
        self.interpreter.append(os.path.realpath(paths.PACKAGE_DIR))
        temporary = [tempfile.gettempdir(), *self.directories("TMPDIR")]
        temporary += map(os.path.realpath, tuple(temporary))
        self._hidden = (*known.HIDDEN, *self.homes, *temporary)
        self._wide = {*known.WIDE.split(), *temporary}
        self._wide.update(os.path.join(at, name) for at in self.homes for name in known.WIDE_AT_HOME.split())

    def below_home(self, table: _Table) -> Iterator[str]:
        """Yield what there is of a table in the home, and where the variables of XDG have moved it."""
        for directory, names in table:
            yield from _matches(os.path.join(self.home, directory), names)
            for moved in self.directories(known.XDG.get(directory, "")):
                yield from _matches(moved, names)

    def directories(self, variable: str) -> list[str]:
        """Return the absolute paths in a variable; what is relative depends on where it is looked at."""
        entries = self.environ.get(variable, "").split(os.pathsep)
        entries = [re.sub("^~(?=/)", lambda _: self.home, entry) for entry in entries]
        return [entry for entry in entries if os.path.isabs(entry)]

    def needs(self, place: str) -> bool:
        """Tell whether hiding a place would hide the home's own root or the interpreter that is to run."""
        needed = (*self.homes, *self.interpreter)
        return place in known.WIDE.split() or any(is_within(path, place) for path in needed)

    def is_wide(self, place: str) -> bool:
        """Tell whether a place is a home, lies above one, or holds everything of a kind."""
        return (
            place in self._wide
            or os.path.dirname(place) in (*known.HOMES, "/run/user")
            or any(is_within(home, place) for home in self.homes)
            or (is_within(place, "/dev") and not is_within(place, "/dev/shm"))  # noqa: S108 - a name
        )

    def is_hidden(self, place: str) -> bool:
        """Tell whether the launcher hides a place that isn't opened."""
        return covers(self._hidden, place)


def _secret_places(machine: _Machine) -> Iterator[str]:
    yield from machine.below_home(known.HOME)
    for directory, names in known.SYSTEM:
        yield from _matches(directory, names)
    for windows in glob.glob("/mnt/?/Users/*"):  # the homes of Windows, seen from WSL
        for directory, names in known.HOME:
            yield from _matches(os.path.join(windows, directory), names)
    yield str(paths.state_dir())
    for directory in _imported_from():
        yield from _matches(directory, ".env*")
    yield from _named_secrets(machine)
    yield from filter(environment.file_holds_secret, _inspected(machine))


def _named_secrets(machine: _Machine) -> Iterator[str]:
    for variable in known.NAMED.split():
        yield from machine.directories(variable)
    for variable, names in known.NAMED_ABOVE:
        for directory in machine.directories(variable):
            yield from _matches(directory, names)
    for variable, value in machine.environ.items():
        if environment.is_credential_name(variable):  # DB_PASSWORD_FILE, GOOGLE_APPLICATION_CREDENTIALS ...
            yield from filter(os.path.isfile, machine.directories(variable))
        if variable == "KRB5CCNAME":  # "FILE:/tmp/krb5cc_1000"
            yield value.partition(":")[2]


def _inspected(machine: _Machine) -> Iterator[str]:
    yield from machine.below_home(known.INSPECTED_AT_HOME)
    for directory, names in known.INSPECTED:
        yield from _matches(directory, names)
    for variable in known.NAMED_AND_INSPECTED.split():
        yield from machine.directories(variable)
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        for directory in machine.directories(variable):
            yield from _matches(directory, known.INSPECTED_IN_INSTALLATION)
    for directory in machine.interpreter:
        yield from _matches(directory, known.INSPECTED_IN_INSTALLATION)


def _tool_places(machine: _Machine) -> Iterator[str]:
    for name in known.INTERPRETER:
        yield getattr(sys, name)
        yield from _installation(os.path.join(getattr(sys, name), "bin"))  # the prefix may be too wide
    yield from _links(sys.executable or "")  # an embedded interpreter has none
    yield from _imported_from()
    yield from (str(paths.PACKAGE_DIR), str(paths.carried_dir()))
    yield from machine.below_home(known.TOOLS)
    for directory in machine.directories("PATH"):
        yield from _installation(directory)
    for variable in known.ROOT_VARIABLES.split():
        yield from machine.directories(variable)[:1]
    for variable in known.LIST_VARIABLES.split():
        yield from machine.directories(variable)
    for variable in known.PROGRAM_VARIABLES.split():
        program = machine.environ.get(variable, "").split(" ")[0]
        if os.path.isabs(program):
            yield program
            yield from _installation(os.path.dirname(program))


def _imported_from() -> list[str]:
    """Return ``sys.path`` without the working directory, which ``python -m pip`` adds wherever that is."""
    here = os.path.realpath(os.curdir)
    return [entry for entry in sys.path if os.path.isabs(entry) and os.path.realpath(entry) != here]


def _installation(directory: str) -> Iterator[str]:
    """Yield a directory of programs and what is installed beside it."""
    yield directory
    root, name = os.path.split(directory)
    if name in known.BINARIES:
        if any(os.path.lexists(os.path.join(root, mark)) for mark in known.WHOLE):
            yield root
        else:
            yield from (os.path.join(root, part) for part in known.PARTS)


def _links(path: str) -> Iterator[str]:
    """Yield a program and every link between it and the file, each of which is read when it is started."""
    for _ in range(40):  # as many as the kernel follows (path_resolution(7))
        yield path
        if not os.path.islink(path):
            return
        path = os.path.join(os.path.dirname(path), os.readlink(path))


def _matches(directory: str, names: str) -> Iterator[str]:
    """Yield what there is in a directory of names in the notation of `glob`, separated by spaces."""
    for name in names.split() if os.path.isdir(directory) else ():
        if any(mark in name for mark in "*?["):
            yield from glob.glob(os.path.join(glob.escape(directory), name))
        elif os.path.lexists(os.path.join(directory, name)):
            yield os.path.join(directory, name)


def _can_be_hidden(place: str) -> bool:
    """Tell whether there is a file, directory or socket; ``/dev/null`` in a variable hides no device."""
    try:
        mode = os.lstat(place).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)
