"""Archives whose code is to be read, and short ways to what is found in it."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tarfile
import tempfile
import zipfile
from typing import TYPE_CHECKING, Any

from veln_hook.model import Severity
from veln_hook.signals.source.judging import judge
from veln_hook.source.analysis import analyse_python
from veln_hook.source.scanning import scan_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veln_hook.model import Finding
    from veln_hook.source.facts import ArchiveFacts, FileFacts

WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
METADATA = "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n"
ROOT = "acme-1.0/"
INFO = "acme-1.0.dist-info/"


def write_archive(directory: str, files: Mapping[str, str | bytes]) -> str:
    """Write files as the archive they look like: an sdist if all lies in ``acme-1.0/``, else a wheel.

    Texts are written as latin-1 where that can hold them, so that binaries can be spelled as text.
    """
    data = {path: _encoded(text) for path, text in files.items()}
    if any(path.startswith(ROOT) for path in data):
        data.setdefault(f"{ROOT}PKG-INFO", METADATA.encode())
        return write_sdist(os.path.join(directory, "acme-1.0.tar.gz"), data)
    return write_wheel(os.path.join(directory, "acme-1.0-py3-none-any.whl"), data)


def write_sdist(path: str, files: Mapping[str, bytes]) -> str:
    """Write a ``.tar.gz``."""
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def write_wheel(path: str, files: Mapping[str, bytes]) -> str:
    """Write a wheel, with its metadata and RECORD."""
    info = next((name.partition("/")[0] + "/" for name in files if ".dist-info/" in name), INFO)
    everything = dict(files)
    for name, text in (("WHEEL", WHEEL), ("METADATA", METADATA)):
        everything[info + name] = everything.get(info + name) or text.encode()
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in everything.items())
    everything[f"{info}RECORD"] = f"{record}{info}RECORD,,\n".encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in everything.items():
            member = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            member.external_attr = 0o100644 << 16
            archive.writestr(member, data)
    return path


def _encoded(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def scan(files: Mapping[str, str | bytes]) -> ArchiveFacts:
    """Return the facts of an archive with these files."""
    with tempfile.TemporaryDirectory() as directory:
        return scan_path(write_archive(directory, files))


def findings(files: Mapping[str, str], old: Mapping[str, str] | None = None, **more: Any) -> list[Finding]:
    """Return what is found in an archive with these files, compared with an older one."""
    return judge(scan(files), None if old is None else scan(old), **more)


def read(source: str | bytes) -> FileFacts:
    """Return the facts of one file."""
    return analyse_python(source.encode() if isinstance(source, str) else source, always=True)


def seen(source: str | bytes, kind: str = "") -> list[tuple[str, str, set[str], set[str]]]:
    """Return kind, detail, taints and flags of what a file of source can do."""
    return [
        (each.kind, each.detail, set(each.taints), set(each.flags))
        for scope in read(source).scopes
        for each in scope.capabilities
        if not kind or each.kind == kind
    ]


def kinds(source: str | bytes) -> set[str]:
    """Return the kinds of what a file of source can do."""
    return {kind for kind, *_ in seen(source)}


def taints(source: str | bytes, kind: str) -> set[str]:
    """Return what the data of its capabilities of one kind was made of; it has to have one."""
    found = seen(source, kind)
    assert found, source
    return set().union(*(each[2] for each in found))


def held(facts: ArchiveFacts, old: ArchiveFacts | None = None) -> set[str]:
    """Return the signals for which an archive is held, but for ``weak-signs``, which sums up what is small."""
    return {
        finding.signal
        for finding in judge(facts, old, project="acme")
        if finding.severity >= Severity.HIGH and finding.signal != "weak-signs"
    }


def reaches(files: Mapping[str, str], kind: str) -> dict[str, str]:
    """Return how what an archive can do comes to run: by detail of the capabilities of one kind."""
    return {each.detail: each.reach for each in scan(files).capabilities if each.kind == kind}
