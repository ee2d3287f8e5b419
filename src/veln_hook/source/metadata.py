"""What the metadata of an archive says: dependencies, commands, the build backend.

Read by hand because the worker has nothing but the standard library; only what
signals compare is read, and what can't be read is passed over, since installers
judge metadata themselves.
"""

from __future__ import annotations

import re

from veln_hook.source.facts import Dependency

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_SEPARATORS = re.compile(r"[-_.]+")
_EXTRA = re.compile(r"\bextra\s*==")
_BACKEND = re.compile(r"^\s*build-backend\s*=\s*[\"']([\w.:]+)[\"']", re.MULTILINE)
_BACKEND_PATH = re.compile(r"^\s*backend-path\s*=\s*\[([^\]]*)\]", re.MULTILINE)
_MAX_DEPENDENCIES = 5_000


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


def backend(pyproject: str) -> tuple[str, tuple[str, ...]]:
    """Return the build backend that a ``pyproject.toml`` names, and its ``backend-path`` (PEP 517)."""
    section = pyproject.partition("[build-system]")[2].partition("\n[")[0]
    name = _BACKEND.search(section)
    path = _BACKEND_PATH.search(section)
    paths = re.findall(r"[\"']([^\"']*)[\"']", path.group(1)) if path else []
    return (name.group(1) if name else "", tuple(paths))
