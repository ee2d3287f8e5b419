"""The functions of pip that are replaced, and the check that all of them were.

Rules of this module: it imports nothing that pip hasn't imported long before,
because even ``pip list`` loads it. A replaced function does nothing by itself:
it calls its handler in a module that ``preload`` has imported by then.

There is no table of pip versions. A point is applied where its attribute
exists; ``missing`` tells which required ones were not found, and an installing
command refuses to run then (docs/architecture.md, "The points").
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from veln_hook import _startup
from veln_hook.errors import UnsupportedPipError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

PREFIX = "pip._internal."


class Point(NamedTuple):
    """One replaced function."""

    tail: str
    """Module, below ``pip._internal``."""
    attribute: str
    """Dotted path inside the module."""
    handler: str
    """``module:function`` below ``veln_hook.adapters.pip``; called with the original first."""
    group: str
    """What the point is for; of each required group at least one point must have been applied."""
    borrowed: bool = False
    """Replaced under the name that another module imported it by, not where it is defined."""


_COMMAND = "commands:main"
_COMMAND_GROUP = "command"

POINTS = (
    Point("cli.base_command", "Command._main", _COMMAND, _COMMAND_GROUP),
    Point("index.package_finder", "parse_links", "pages:parse_links", "index page", borrowed=True),
    Point(
        "index.package_finder", "PackageFinder.process_project_url", "pages:process_project_url", "index url"
    ),
    Point(
        "index.package_finder", "PackageFinder.find_all_candidates", "finder:find_all_candidates", "finder"
    ),
    Point(
        "index.package_finder", "PackageFinder.find_best_candidate", "finder:find_best_candidate", "choice"
    ),
    Point(
        "index.package_finder", "PackageFinder.find_requirement", "finder:find_requirement", "legacy finder"
    ),
    # 23.3 and newer build every link's candidate in the first; older ones in the second.
    Point(
        "resolution.resolvelib.factory",
        "Factory._make_base_candidate_from_link",
        "finder:make_candidate",
        "factory",
    ),
    Point(
        "resolution.resolvelib.factory",
        "Factory._make_candidate_from_link",
        "finder:make_candidate",
        "factory",
    ),
    Point(
        "resolution.resolvelib.factory",
        "Factory.get_installation_error",
        "finder:get_installation_error",
        "resolution error",
    ),
    Point("resolution.resolvelib.resolver", "Resolver.resolve", "finder:resolve", "resolver"),
    Point(
        "operations.prepare",
        "RequirementPreparer.prepare_linked_requirement",
        "prepare:prepare_requirement",
        "preparer",
    ),
    Point(
        "operations.prepare",
        "RequirementPreparer.prepare_editable_requirement",
        "prepare:prepare_requirement",
        "editable preparer",
    ),
    Point("operations.prepare", "_get_prepared_distribution", "prepare:get_prepared_distribution", "prepare"),
    # Where pip has learned from metadata alone what it needs, it then downloads all files in one go (25.1 and
    # newer in the second), and each can be read while the next one is on its way.
    Point("network.download", "BatchDownloader.__call__", "prepare:download_several", "downloads"),
    Point("network.download", "Downloader.batch", "prepare:download_several", "downloads"),
    Point("utils.unpacking", "unpack_file", "prepare:unpack_file", "unpack"),
    Point("wheel_builder", "_build_one", "install:build_one", "build"),
    Point("req", "install_given_reqs", "install:install_given_reqs", "install set"),
    Point("operations.install.wheel", "install_wheel", "install:install_wheel", "install"),
    Point("utils.subprocess", "call_subprocess", "children:call_subprocess", "subprocess"),
    # Where pip can start another interpreter's pip (22.2 and newer), it asks this for a file to run there.
    Point("build_env", "get_runnable_pip", "children:get_runnable_pip", "other interpreter"),
    Point("build_env", "_get_runnable_pip", "children:get_runnable_pip", "other interpreter"),
    Point("utils.misc", "get_runnable_pip", "children:get_runnable_pip", "other interpreter"),
)
_OPTIONAL = frozenset(("downloads", "other interpreter"))
"""Without the first nothing is read ahead; pip 21.3 to 22.1 can't start any other interpreter."""

_replaced: list[tuple[Any, Any]] = []
"""Plain functions and what stands in their place."""

applied: dict[str, set[str]] = {}
"""Prefix of a pip (vendored ones have their own) -> groups that were applied to it."""


def apply(module: ModuleType, tail: str) -> None:
    """Replace the functions of one module of pip; again for the same module changes nothing.

    Args:
        module: Just executed.
        tail: Its name below ``pip._internal``.

    Raises:
        UnsupportedPipError: A command of this pip was loaded that can't be guarded.
        Exception: Whatever importing our own modules raises; the caller turns both into a refusal.
    """
    if tail == _startup.PIP_SYNC:
        _replace(module, Point(tail, "run", "children:pip_sync_run", "", borrowed=True))
        # pip-sync uninstalls whatever no requirement names; it must not take the protection away unasked.
        module.__dict__["PACKAGES_TO_IGNORE"] = [*module.__dict__["PACKAGES_TO_IGNORE"], "veln-hook"]
        return
    prefix = module.__name__[: -len(tail)]
    groups = applied.setdefault(prefix, set())
    if tail in _startup.COMMANDS and _COMMAND_GROUP not in groups:
        # Without this one not even the check for the others would run.
        raise UnsupportedPipError("this pip's commands can't be guarded")
    if tail == "index.package_finder":
        # Everything of ours is loaded now, while pip still allows imports (26.3 stops them later).
        from veln_hook import _carried  # noqa: PLC0415

        _carried.importing("veln_hook.adapters.pip.preload").load(prefix)
    for point in POINTS:
        if point.tail == tail and _replace(module, point):
            groups.add(point.group)


def missing(prefix: str) -> list[str]:
    """Return the groups that a pip lacks, after loading every module that holds a point.

    Args:
        prefix: ``pip._internal.``, or a vendored pip's.
    """
    for tail in sorted({point.tail for point in POINTS}):
        try:
            __import__(prefix + tail)
        except ImportError:
            continue  # its groups stay unapplied, which is the answer
    present = applied.get(prefix, set())
    wanted = {point.group for point in POINTS} - _OPTIONAL
    absent = sorted(wanted - present)
    if "other interpreter" not in present and _starts_interpreters(prefix):
        absent.append("other interpreter")
    return absent


def _starts_interpreters(prefix: str) -> bool:
    """Whether this pip has ``--python``: then a way to carry the protection along is required."""
    options = sys.modules.get(prefix + "cli.cmdoptions")
    return hasattr(options, "python")


def _replace(module: ModuleType, point: Point) -> bool:
    owner: Any = module
    *path, name = point.attribute.split(".")
    for part in path:
        owner = getattr(owner, part, None)
        if owner is None:
            return False
    original = owner.__dict__.get(name)
    if original is None:
        return False
    if not path and not point.borrowed and getattr(original, "__module__", None) != module.__name__:
        return False  # only imported there; its own module is where it is replaced
    if not hasattr(original, "__veln_hook__"):
        replacement = _wrap(original, point.handler)
        setattr(owner, name, replacement)
        if not path:
            _replaced.append((original, replacement))
    return True


def rebind(prefix: str) -> None:
    """Replace names under which pip's modules imported a function before it was replaced.

    There are none where the finder was in place before pip; there can be where something imported pip first.
    """
    for name, module in list(sys.modules.items()):
        if not name.startswith(prefix):
            continue
        for attribute, value in list(vars(module).items()):
            for original, replacement in _replaced:
                # Its own module keeps the original only as what the replacement calls.
                if value is original:
                    setattr(module, attribute, replacement)


def _wrap(original: Callable[..., Any], handler: str) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        function = _handler(handler)
        if function is None:
            return original(*args, **kwargs)
        return function(original, *args, **kwargs)

    guarded.__veln_hook__ = handler  # type: ignore[attr-defined]
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        if hasattr(original, name):
            setattr(guarded, name, getattr(original, name))
    guarded.__wrapped__ = original  # type: ignore[attr-defined]
    return guarded


def _load(name: str) -> None:
    """Import a module of this room before pip has a finder: 'pip --python' never comes so far."""
    from veln_hook import _carried  # noqa: PLC0415

    if sys.modules["veln_hook"].carried is not None:
        # All at once: what came later would have dependencies of its own.
        name = "veln_hook.adapters.pip.preload"
    _carried.importing(name)


def _handler(handler: str) -> Callable[..., Any] | None:
    """Return the function behind a point; ``None`` where a damaged environment is being repaired."""
    module, _, function = handler.partition(":")
    name = f"veln_hook.adapters.pip.{module}"
    if not _startup.damage:
        try:
            if name not in sys.modules:
                _load(name)
            found: Callable[..., Any] = getattr(sys.modules[name], function)
        except Exception as error:  # noqa: BLE001 - a damaged environment must end in one line
            _startup.damage = f"{type(error).__name__}: {error}"
        else:
            return found
    if handler == _COMMAND:
        return None  # 'pip list' and 'pip uninstall' go on; importing an installing command refused already
    _startup.refuse()  # returns only where going on is right
    return None
