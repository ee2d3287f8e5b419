"""Real wheels and sdists, made in milliseconds and byte for byte the same each time."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
import tarfile
import zipfile
from typing import TYPE_CHECKING, Optional, Union

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Content = Union[str, bytes]
Files = Optional["Mapping[str, Content]"]

_ZIP_TIME = (2020, 1, 1, 0, 0, 0)
_TAR_TIME = 1577836800  # 2020-01-01T00:00:00Z

LEGACY = "from setuptools import setup\n\nsetup()\n"
"""A ``setup_py`` that takes everything from the ``setup.cfg`` that `make_sdist` writes beside it."""

_BACKEND = '''\
"""A PEP 517 backend that needs nothing: it zips the files that its sdist lists."""
{marker}
import base64, hashlib, os, zipfile

NAME = {name!r}
VERSION = {version!r}
MODULES = {modules!r}
METADATA = {metadata!r}
WHEEL = "Wheel-Version: 1.0\\nGenerator: veln-hook-tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
DIST_INFO = f"{{NAME}}-{{VERSION}}.dist-info"


def _write(directory, files):
    filename = f"{{NAME}}-{{VERSION}}-py3-none-any.whl"
    record = []
    with zipfile.ZipFile(os.path.join(directory, filename), "w") as archive:
        for path, data in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{{path}},sha256={{digest}},{{len(data)}}\\n")
            archive.writestr(zipfile.ZipInfo(path), data)
        record.append(f"{{DIST_INFO}}/RECORD,,\\n")
        archive.writestr(zipfile.ZipInfo(f"{{DIST_INFO}}/RECORD"), "".join(record))
    return filename


def _dist_info():
    return {{f"{{DIST_INFO}}/METADATA": METADATA.encode(), f"{{DIST_INFO}}/WHEEL": WHEEL.encode()}}


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    target = os.path.join(metadata_directory, DIST_INFO)
    os.makedirs(target)
    for path, data in _dist_info().items():
        with open(os.path.join(metadata_directory, path), "wb") as file:
            file.write(data)
    return DIST_INFO


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    files = {{}}
    for path in MODULES:
        with open(path, "rb") as file:
            files[path] = file.read()
    return _write(wheel_directory, {{**files, **_dist_info()}})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    path_file = {{f"{{NAME}}_editable.pth": (os.getcwd() + "\\n").encode()}}
    return _write(wheel_directory, {{**path_file, **_dist_info()}})
'''


def normalized(name: str) -> str:
    """Return the project name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _escaped(name: str) -> str:
    """Return the project name as it stands in filenames and modules."""
    return normalized(name).replace("-", "_")


def _bytes(content: Content) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _metadata(
    name: str, version: str, *, requires: Sequence[str] = (), requires_python: str = "", extra: str = ""
) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Summary: made by a test"]
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    lines += extra.strip().splitlines()
    return "\n".join(lines) + "\n"


def _default_module(name: str, version: str) -> dict[str, Content]:
    return {f"{_escaped(name)}.py": f'VERSION = "{version}"\n'}


def make_wheel(
    directory: Path,
    name: str,
    version: str,
    files: Files = None,
    *,
    requires: Sequence[str] = (),
    requires_python: str = "",
    tag: str = "py3-none-any",
    data: Mapping[str, Mapping[str, Content]] | None = None,
    metadata_extra: str = "",
    entry_points: str = "",
) -> Path:
    """Write a wheel whose RECORD is right, and return its path.

    Args:
        directory: Where to write it; made if it does not exist.
        name: Project name, as METADATA shall spell it.
        version: Version, as METADATA and the filename shall spell it.
        files: Members by their path in the wheel, unchecked; without it a module ``name`` with ``VERSION``.
        requires: ``Requires-Dist`` lines.
        requires_python: ``Requires-Python``; empty for none.
        tag: One compatibility tag; ``Root-Is-Purelib`` follows from its platform.
        data: Members of ``*.data`` by scheme (``scripts``, ``purelib``, ``data`` ...) and path.
        metadata_extra: Further header lines of METADATA.
        entry_points: Text of ``entry_points.txt``.
    """
    stem = f"{_escaped(name)}-{version}"
    info = f"{stem}.dist-info"
    members = dict(_default_module(name, version) if files is None else files)
    for scheme, contents in (data or {}).items():
        members.update({f"{stem}.data/{scheme}/{path}": content for path, content in contents.items()})
    members[f"{info}/METADATA"] = _metadata(
        name, version, requires=requires, requires_python=requires_python, extra=metadata_extra
    )
    purelib = "true" if tag.endswith("-any") else "false"
    members[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: veln-hook-tests\nRoot-Is-Purelib: {purelib}\nTag: {tag}\n"
    )
    if entry_points:
        members[f"{info}/entry_points.txt"] = entry_points
    record = []
    for path, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(_bytes(content)).digest()).rstrip(b"=").decode()
        record.append(f"{path},sha256={digest},{len(_bytes(content))}\n")
    members[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"])

    directory.mkdir(parents=True, exist_ok=True)
    wheel = directory / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in members.items():
            member = zipfile.ZipInfo(path, _ZIP_TIME)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o100644 << 16
            archive.writestr(member, _bytes(content))
    return wheel


def wheel_metadata(wheel: Path) -> bytes:
    """Return the METADATA of a wheel: the content of its PEP 658 ``.metadata`` file."""
    with zipfile.ZipFile(wheel) as archive:
        path = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(path)


def _marker_code(marker: Path | None) -> str:
    # Not guarded: code that ran without leaving its mark must fail loudly.
    if marker is None:
        return ""
    return f"import sys as _sys; _f = open({str(marker)!r}, 'a'); _f.write(' '.join(_sys.argv) + chr(10)); _f.close()\n"


def _tree(
    name: str,
    version: str,
    *,
    setup_py: str | None = None,
    pyproject: str | None = None,
    build_requires: Sequence[str] = (),
    files: Files = None,
    marker: Path | None = None,
) -> dict[str, bytes]:
    modules = dict(_default_module(name, version) if files is None else files)
    metadata = _metadata(name, version)
    tree: dict[str, Content] = {**modules, "PKG-INFO": metadata}
    if setup_py is not None:
        tree["setup.py"] = _marker_code(marker) + setup_py
        top_level = [path[:-3] for path in modules if path.endswith(".py") and "/" not in path]
        packages = [path[: -len("/__init__.py")] for path in modules if path.endswith("/__init__.py")]
        tree["setup.cfg"] = (
            f"[metadata]\nname = {name}\nversion = {version}\n[options]\n"
            f"py_modules = {', '.join(top_level)}\npackages = {', '.join(p.replace('/', '.') for p in packages)}\n"
        )
    else:
        backend = _BACKEND.format(
            marker=_marker_code(marker),
            name=_escaped(name),
            version=version,
            modules=list(modules),
            metadata=metadata,
        )
        tree["_test_backend.py"] = backend
        requires = ", ".join(f'"{requirement}"' for requirement in build_requires)
        tree["pyproject.toml"] = (
            f'[build-system]\nrequires = [{requires}]\nbuild-backend = "_test_backend"\nbackend-path = ["."]\n'
        )
    if pyproject is not None:
        tree["pyproject.toml"] = pyproject
    return {path: _bytes(content) for path, content in tree.items()}


def make_tree(
    directory: Path,
    name: str,
    version: str,
    *,
    setup_py: str | None = None,
    pyproject: str | None = None,
    build_requires: Sequence[str] = (),
    files: Files = None,
    marker: Path | None = None,
) -> Path:
    """Write a source tree ``name-version`` below ``directory`` and return it; the arguments are those of `make_sdist`."""
    root = directory / f"{_escaped(name)}-{version}"
    tree = _tree(
        name,
        version,
        setup_py=setup_py,
        pyproject=pyproject,
        build_requires=build_requires,
        files=files,
        marker=marker,
    )
    for path, content in tree.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return root


def make_sdist(
    directory: Path,
    name: str,
    version: str,
    *,
    setup_py: str | None = None,
    pyproject: str | None = None,
    build_requires: Sequence[str] = (),
    files: Files = None,
    marker: Path | None = None,
) -> Path:
    """Write a ``.tar.gz`` sdist and return its path.

    Args:
        directory: Where to write it; made if it does not exist.
        name: Project name.
        version: Version.
        setup_py: Text of a ``setup.py`` (or `LEGACY`): a setuptools sdist. Without it the sdist carries a
            PEP 517 backend of its own that needs nothing, so it builds without any index.
        pyproject: Text of ``pyproject.toml``, in place of the one that would be written.
        build_requires: Build requirements of the in-tree backend.
        files: Files of the tree, all of which go into the wheel; without it a module ``name`` with ``VERSION``.
        marker: Absolute path that every run of ``setup.py`` or of the backend appends its arguments to.
    """
    tree = _tree(
        name,
        version,
        setup_py=setup_py,
        pyproject=pyproject,
        build_requires=build_requires,
        files=files,
        marker=marker,
    )
    stem = f"{_escaped(name)}-{version}"
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in sorted(tree.items()):
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size = len(content)
            member.mtime = _TAR_TIME
            archive.addfile(member, io.BytesIO(content))
    directory.mkdir(parents=True, exist_ok=True)
    sdist = directory / f"{stem}.tar.gz"
    sdist.write_bytes(gzip.compress(plain.getvalue(), mtime=0))
    return sdist
