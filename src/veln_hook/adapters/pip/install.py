"""Nothing is written before all of a run is judged, and what was judged is what is written."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from typing import TYPE_CHECKING, Any

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from veln_hook.adapters.pip.prepare import _prefix, assert_judged, check_file
from veln_hook.adapters.pip.run import StoppedError, current, stopping
from veln_hook.model import ExitStatus, Origin
from veln_hook.names import parse_filename

if TYPE_CHECKING:
    from collections.abc import Callable

NEEDED = {"pluggy": ">=1.2", "packaging": ">=22", "platformdirs": ">=2.5", "tomli": ">=1.2"}
"""Our own requirements; a test compares them with the package's metadata."""


def build_one(original: Callable[..., Any], req: Any, *args: Any, **kwargs: Any) -> Any:
    """Point ``_build_one``: a wheel built here is judged as soon as its build returns."""
    wheel = original(req, *args, **kwargs)
    prefix = _prefix(original)
    with stopping(prefix):
        run = current(prefix)
        if not run.off and wheel:
            check_file(run, str(wheel), None, Origin.BUILT)
    return wheel


def install_given_reqs(original: Callable[..., Any], requirements: Any, *args: Any, **kwargs: Any) -> Any:
    """Point ``install_given_reqs``: the last moment at which nothing has been written."""
    prefix = _prefix(original)
    with stopping(prefix):
        run = current(prefix)
        if not run.off:
            unjudged = [
                str(req)
                for req in requirements
                if req.local_file_path
                and os.path.isfile(req.local_file_path)
                and str(req.local_file_path).endswith(".whl")
                and not assert_judged(run, req.local_file_path)
            ]
            if unjudged:
                raise StoppedError(
                    f"HOLD  not judged, so nothing is installed: {', '.join(unjudged)}", ExitStatus.BROKEN
                )
            _keep_ourselves_working(requirements, kwargs)
    return original(requirements, *args, **kwargs)


def install_wheel(original: Callable[..., Any], name: Any, wheel_path: Any, *args: Any, **kwargs: Any) -> Any:
    """Point ``install_wheel``: only asserts a recorded verdict, since 26.3 forbids imports by now."""
    prefix = _prefix(original)
    with stopping(prefix):
        run = current(prefix)
        if not run.off and not assert_judged(run, str(wheel_path)):
            raise StoppedError(
                f"HOLD  {os.path.basename(str(wheel_path))} was not judged, or has changed since",
                ExitStatus.BROKEN,
            )
    return original(name, wheel_path, *args, **kwargs)


def _keep_ourselves_working(requirements: Any, options: dict[str, Any]) -> None:
    """Refuse a set that would leave this environment's protection without a dependency it needs."""
    if options.get("home") or options.get("root") or options.get("prefix") or not _is_ours(options):
        return
    coming: dict[str, str] = {}
    for req in requirements:
        named = parse_filename(os.path.basename(str(req.local_file_path or "")))
        if named is not None and named.version:
            coming[named.project] = named.version
    if "veln-hook" in coming:
        return  # pip resolved our own new requirements itself
    for project, version in coming.items():
        needed = NEEDED.get(canonicalize_name(project))
        if needed is not None and not SpecifierSet(needed).contains(version, prereleases=True):
            raise StoppedError(
                f"HOLD  {project} {version} would break veln-hook, which needs {project}{needed}\n"
                f"      ask for {project}{needed}, or uninstall veln-hook first",
                ExitStatus.NEEDS_REVIEW,
            )


def _is_ours(options: dict[str, Any]) -> bool:
    """Whether pip writes into the directory that this package runs from, or one found before it."""
    here = os.path.realpath(os.path.dirname(os.path.dirname(sys.modules["veln_hook"].__file__ or "")))
    places = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    if options.get("use_user_site"):
        places = [site.getusersitepackages()]
    return here in [os.path.realpath(place) for place in places] or bool(options.get("use_user_site"))
