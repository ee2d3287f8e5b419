"""What the metadata of an archive says: dependencies, commands, plugins.

Read by hand because the worker has nothing but the standard library; only what
signals compare is read, and what can't be read is passed over, since installers
judge metadata themselves.
"""

from __future__ import annotations

import re

from veln_hook.source.facts import IMPORT, SCRIPT, Dependency

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_SEPARATORS = re.compile(r"[-_.]+")
_EXTRA = re.compile(r"\bextra\s*==")
_MAX_DEPENDENCIES = 5_000
COMMANDS = ("console_scripts", "gui_scripts")
"""Groups that make commands."""
_EAGER = re.compile(
    r"pytest11|setuptools\.finalize_distribution_options|setuptools\.file_finders|distutils\.(?:commands|setup_keywords)"
    r"|egg_info\.writers|hatch|tox|nox|virtualenv\.\w+|poetry\.(?:application\.)?plugin|pdm|hypothesis|numba_extensions"
    r"|torch\.backends|jax_plugins|vllm\.\w+|opentelemetry_(?:distro|configurator|pre_instrument|post_instrument)"
    r"|keyring\.backends|flake8\.(?:extension|report)|jupyter_server\.extensions|pylint\.\w+|pip\.\w+"
)
"""Groups whose entry points a tool loads, and mostly calls, whenever it starts, whoever it works for."""
_HOOKS = {
    "pytest11": (
        "pytest_configure", "pytest_load_initial_conftests", "pytest_sessionstart", "pytest_addoption",
        "pytest_cmdline_main", "pytest_cmdline_parse", "pytest_cmdline_preparse", "pytest_plugin_registered",
        "pytest_addhooks", "pytest_collection", "pytest_collectstart",
    ),
    "jupyter_server.extensions": (
        "_load_jupyter_server_extension", "_jupyter_server_extension_points", "load_jupyter_server_extension",
    ),
}  # fmt: skip
"""What a tool calls of such a module at each start."""


def project(headers: str) -> str:
    """Read ``Name`` of a METADATA or PKG-INFO; normalized, empty if there is none."""
    for line in headers.splitlines():
        field, _, value = line.partition(":")
        if not line.strip():
            break
        if field.strip().lower() == "name":
            return _SEPARATORS.sub("-", value.strip()).lower()
    return ""


def dependencies(headers: str) -> list[Dependency]:
    """Read ``Requires-Dist`` of a METADATA or PKG-INFO (core metadata specification)."""
    found: list[Dependency] = []
    for line in headers.splitlines():
        if not line.strip():
            break  # the description follows
        field, _, value = line.partition(":")
        if field.strip().lower() == "requires-dist" and len(found) < _MAX_DEPENDENCIES:
            dependency = _dependency(value.strip(), extra=bool(_EXTRA.search(value)))
            if dependency is not None:
                found.append(dependency)
    return found


def egg_dependencies(text: str) -> list[Dependency]:
    """Read the ``requires.txt`` of an egg-info."""
    found = []
    extra = False
    for line in text.splitlines()[:_MAX_DEPENDENCIES]:
        if line.startswith("["):
            extra = not line.startswith("[:")
        elif line.strip():
            dependency = _dependency(line.strip(), extra=extra)
            if dependency is not None:
                found.append(dependency)
    return found


def _dependency(requirement: str, *, extra: bool) -> Dependency | None:
    match = _NAME.match(requirement)
    if match is None:
        return None
    return Dependency(re.sub(r"[-_.]+", "-", match.group(1)).lower(), requirement[:300], extra)


def entry_points(text: str) -> dict[str, list[tuple[str, str]]]:
    """Read an ``entry_points.txt``: by group, ``(name, dotted target)``."""
    groups: dict[str, list[tuple[str, str]]] = {}
    group: list[tuple[str, str]] = []
    for line in text.splitlines()[:20_000]:
        stripped = line.strip()
        if stripped.startswith("["):
            group = groups.setdefault(stripped.strip("[] \t").lower(), [])
        elif "=" in stripped and not stripped.startswith("#"):
            name, _, target = stripped.partition("=")
            group.append((name.strip(), target.partition("[")[0].strip().replace(":", ".")))
    return groups


def loaded_by(group: str, named: list[str]) -> list[tuple[str, str]]:
    """Return how what the entry points of a group name comes to run without being called.

    Args:
        group: Its name, in lower case.
        named: Dotted names of modules or functions.

    Returns:
        Targets, each with its reach: that of an import where a tool loads them without being asked; none
        for plugins that are loaded when somebody wants them.
    """
    if group in COMMANDS:
        return [(target, SCRIPT) for target in named]
    if not _EAGER.fullmatch(group):
        return []
    hooks = _HOOKS.get(group, ())
    return [(each, IMPORT) for target in named for each in (target, *(f"{target}.{hook}" for hook in hooks))]
