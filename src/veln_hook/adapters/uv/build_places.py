"""What one step of uv's builds may write and read on this machine; see ``sandbox.interface.Confinement``.

uv keeps what it builds in its cache: unpacked archives in ``sdists-v*``, checkouts in ``git-v*``, and in
``builds-v*`` a temporary directory for each build environment and each result. The files of environments
there are hard links into ``archive-v*``, so a step must never write into one: it would change what is
installed elsewhere, later.

Rules of this module: as in ``adapters.pip.build_places``.
"""

from __future__ import annotations

import glob
import json
import os
import re
import sys
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from veln_hook import paths
from veln_hook.adapters.building.places import PlaceError, environment_parts, existing
from veln_hook.sandbox import hiding
from veln_hook.sandbox.layout import is_within
from veln_hook.sandbox.surroundings import homes, is_wide, repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from veln_hook.adapters.uv.build_step import Step

_TEMPORARY = re.compile(r"builds-v\d+/\.tmp[^/]+")
_TREE = re.compile(
    # A directory for each index or source, for each release, for each revision of its archive.
    r"sdists-v\d+/(?:pypi/[^/]+/[^/]+|index/[^/]+/[^/]+/[^/]+|(?:url|path|editable)/[^/]+)/[^/]+/src(?=/|\Z)|"
    r"sdists-v\d+/\.tmp[^/]+/[^/]+(?=/|\Z)|"
    r"git-v\d+/checkouts/[^/]+/[^/]+(?=/|\Z)"
)
_ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")
_MAX_METADATA = 1 << 16
_MAX_BYTECODE = 500
"""Directories of modules; each one costs a start of a step some 30 microseconds."""


class Tree(NamedTuple):
    """The source tree that a step builds."""

    root: str
    """Real path: of all that was unpacked or checked out; of the directory itself, if it is the user's."""
    name: str
    """What it is called in messages."""
    kind: str
    """``own``: a directory of the user's; ``made``: unpacked from what uv made of one, or was given;
    ``archive``: unpacked from an archive that was fetched; ``git``: a checkout."""


def tree_of(cwd: str, cache: str) -> Tree:
    """Tell which tree a step builds.

    Args:
        cwd: Where it is started.
        cache: Real path of uv's cache.

    Raises:
        PlaceError: It is in the cache, where no source is known to lie.
    """
    real = os.path.realpath(cwd)
    if not is_within(real, cache):
        return Tree(real, os.path.basename(real), "own")
    below = os.path.relpath(real, cache)
    found = _TREE.match(below)
    if found is None:
        raise PlaceError(f"uv builds in {real}, which is not where its sources are known to lie")
    root = os.path.join(cache, found.group())
    if below.startswith("git-"):
        return Tree(root, f"git commit {os.path.basename(root)}", "git")
    kind = "archive"
    if "/.tmp" in found.group() or re.match(r"sdists-v\d+/(?:path|editable)/", below):
        kind = "made"
    return Tree(root, _name(root) or os.path.basename(real), kind)


def writable(step: Step, tree: Tree, cwd: str, cache: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a step writes, making the file for its outcome.

    Args:
        step: What it does.
        tree: What it builds.
        cwd: Where it is started.
        cache: Real path of uv's cache.
        environ: The caller's environment, for HOME.

    Returns:
        Real paths that exist.

    Raises:
        PlaceError: One of them would give the step more than its own.
        OSError: The file can't be made.
    """
    place = tree.root if tree.kind != "own" else os.path.realpath(cwd)
    if is_wide(place, environ):
        raise PlaceError(
            f"the build of {tree.name} would have to write all of {place}; "
            "move the source into a directory of its own"
        )
    wanted = [place, _outcome(step, cache)]
    if step.result:
        wanted.append(_result(step, tree, cache, environ))
    return tuple(dict.fromkeys(wanted))


def bytecode(program: str, cache: str) -> tuple[str, ...]:
    """Return where a step keeps compiled modules for the next one, making these directories.

    Nothing but the steps of the same build runs in that environment, and without them each step would
    compile its backend anew.

    Args:
        program: The interpreter; in an environment that isn't one of uv's for builds, there is nothing.
        cache: Real path of uv's cache.

    Raises:
        OSError: They can't be made.
    """
    environment = os.path.realpath(os.path.dirname(os.path.dirname(program)))
    if not _is_temporary(environment, cache) or not _is_environment(environment):
        return ()
    found = []
    for root in glob.iglob(os.path.join(glob.escape(environment), "lib", "*", "site-packages")):
        for directory, below, files in os.walk(root):
            if os.path.basename(directory) == "__pycache__":
                below.clear()
            elif any(name.endswith(".py") for name in files):
                place = os.path.join(directory, "__pycache__")
                os.makedirs(place, exist_ok=True)
                if not _is_shared(place):
                    found.append(place)
        if len(found) > _MAX_BYTECODE:
            return ()
    return tuple(found)


def _is_shared(place: str) -> bool:
    """Tell whether a directory, or a file in it, has a second place: a wheel can hold compiled modules."""
    if os.path.islink(place):
        return True
    with os.scandir(place) as entries:
        return any(entry.is_symlink() or entry.stat(follow_symlinks=False).st_nlink > 1 for entry in entries)


def _outcome(step: Step, cache: str) -> str:
    """Return the file for the outcome, made new: what a link there might point at is not written."""
    directory, name = os.path.split(step.outcome)
    directory = os.path.realpath(directory)
    if not _is_temporary(directory, cache):
        raise PlaceError(f"uv wants the outcome of a build in {directory}, which isn't known for that")
    path = os.path.join(directory, name)
    if os.path.lexists(path):
        os.unlink(path)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666))
    return path


def _result(step: Step, tree: Tree, cache: str, environ: Mapping[str, str]) -> str:
    real = os.path.realpath(step.result)
    if not os.path.isdir(real):
        raise PlaceError(f"uv wants the result of a build in {step.result}, which is no directory")
    if is_within(real, cache):
        # For a result alone, or of metadata beside the outcome; never a build environment.
        own = _is_temporary(real, cache) and not _is_environment(real)
        beside = os.path.join(os.path.realpath(os.path.dirname(step.outcome)), "metadata_directory")
        if own or real == beside:
            return real
    elif not is_wide(real, environ) and not _leads_out(step.result, real, tree) and not _is_environment(real):
        return real  # what ``uv build`` is to write to
    raise PlaceError(f"the build of {tree.name} would have to write {real}")


def _leads_out(given: str, real: str, tree: Tree) -> bool:
    """Tell whether a path in the tree is a link of the tree's that leads elsewhere."""
    directory = os.path.join(os.path.realpath(os.path.dirname(given)), os.path.basename(given))
    return is_within(directory, tree.root) and not is_within(real, tree.root)


def _is_temporary(real: str, cache: str) -> bool:
    return is_within(real, cache) and bool(_TEMPORARY.fullmatch(os.path.relpath(real, cache)))


def _is_environment(path: str) -> bool:
    return any(os.path.lexists(os.path.join(path, mark)) for mark in _ENVIRONMENT_MARKS)


def readable(
    program: str,
    *,
    base_prefix: str,
    tree: Tree,
    environ: Mapping[str, str],
    write: Sequence[str],
    secrets: Mapping[str, tuple[str, ...]],
    cache: str,
) -> tuple[str, ...]:
    """Return what a step reads that may lie in a hidden place, and what in its own it must not write.

    Args:
        program: The interpreter.
        base_prefix: Where that is installed.
        tree: What is built.
        environ: The step's environment.
        write: What it may write.
        secrets: What `hiding.secrets_by_home` tells.
        cache: Real path of uv's cache.

    Returns:
        Existing paths; a home itself, or what holds one, is never among them.
    """
    environment = os.path.dirname(os.path.dirname(program))
    prefixes = [base_prefix, sys.prefix, sys.base_prefix, sys.base_exec_prefix]
    if _is_environment(environment):
        prefixes.append(environment)
        if not is_within(os.path.realpath(environment), cache):
            prefixes += _editables(environment)
    # The program besides its file: before Python 3.11 it can be a link to another environment's link.
    wanted = [tree.root, *environment_parts(prefixes), program, os.path.realpath(program)]
    wanted.append(str(paths.PACKAGE_DIR))
    # Environments made of links (link-mode = "symlink") lead there.
    wanted += glob.glob(os.path.join(glob.escape(cache), "archive-v*"))
    if tree.kind == "own":
        wanted += [*repository(tree.root, environ), *_environments_in(tree.root)]
    elif tree.kind == "git":
        # Named because uv runs git there again. A file in its place would be the tree's word, as in archives.
        marker = os.path.join(tree.root, ".git")
        wanted += [marker] if os.path.isdir(marker) and not os.path.islink(marker) else []
        wanted += glob.glob(os.path.join(glob.escape(cache), "git-v*", "db"))  # what it borrows objects from
    for home in homes(environ):
        wanted += hiding.toolchains(home, environ, secrets.get(home))
    return existing(wanted, environ, write)


def _environments_in(root: str) -> Iterator[str]:
    """Yield the environments that lie in a project, as ``.venv`` does: other programs run what is there."""
    try:
        with os.scandir(root) as entries:
            found = [entry.path for entry in entries if entry.is_dir()]
    except OSError:
        return
    yield from filter(_is_environment, found)


def _editables(environment: str) -> Iterator[str]:
    """Yield where projects lie that are installed in an environment as editables (PEP 610)."""
    pattern = os.path.join(
        glob.escape(environment), "lib*", "python*", "site-packages", "*.dist-info", "direct_url.json"
    )
    for path in glob.iglob(pattern):
        try:
            with open(path, encoding="utf-8") as file:
                url = json.loads(file.read(_MAX_METADATA))
            if url.get("dir_info", {}).get("editable"):
                yield url2pathname(urlsplit(url["url"]).path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue


def _name(root: str) -> str:
    """Return name and version as an unpacked archive tells them; empty if it doesn't."""
    try:
        # An earlier step may have put a link there, or a pipe that nobody writes to.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(os.path.join(root, "PKG-INFO"), flags)
        try:
            text = os.read(descriptor, _MAX_METADATA).decode("utf-8", "replace")
        finally:
            os.close(descriptor)
    except OSError:
        return ""
    head = text.replace("\r\n", "\n").partition("\n\n")[0]
    told = dict(re.findall(r"^(Name|Version): *(\S{1,100})", head, re.MULTILINE))
    return f"{told['Name']} {told['Version']}" if len(told) == 2 else ""  # noqa: PLR2004 - both
