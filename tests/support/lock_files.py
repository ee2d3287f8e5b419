"""Lock files as their tools write them, about whatever a test serves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PYPI = "https://pypi.org/simple"


@dataclass(frozen=True)
class LockedFile:
    """One file of a release, as a lock has it."""

    filename: str
    sha256: str
    url: str = ""


@dataclass(frozen=True)
class Locked:
    """One release that a lock pins."""

    name: str
    version: str
    files: Sequence[LockedFile] = field(default_factory=tuple)

    def tampered(self, filename: str, sha256: str = "0" * 64) -> Locked:
        """Return the same with other bytes for one of its files."""
        files = [replace(one, sha256=sha256) if one.filename == filename else one for one in self.files]
        assert files != list(self.files)
        return replace(self, files=files)


def uv_lock(releases: Iterable[Locked], registry: str = PYPI) -> str:
    """Return a ``uv.lock``, with the project itself in it, as there always is one."""
    text = 'version = 1\nrevision = 3\nrequires-python = ">=3.9"\n\n'
    text += '[[package]]\nname = "own"\nversion = "0.1.0"\nsource = { virtual = "." }\n'
    for one in releases:
        text += f'\n[[package]]\nname = "{one.name}"\nversion = "{one.version}"\n'
        text += f'source = {{ registry = "{registry}" }}\n'
        for file in one.files:
            if not file.filename.endswith(".whl"):
                text += f'sdist = {{ url = "{file.url}", hash = "sha256:{file.sha256}", size = 1 }}\n'
        text += "wheels = [\n"
        for file in one.files:
            if file.filename.endswith(".whl"):
                text += f'    {{ url = "{file.url}", hash = "sha256:{file.sha256}", size = 1 }},\n'
        text += "]\n"
    return text


def poetry_lock(releases: Iterable[Locked]) -> str:
    """Return a ``poetry.lock`` of poetry 2."""
    text = ""
    for one in releases:
        text += f'[[package]]\nname = "{one.name}"\nversion = "{one.version}"\n'
        text += (
            'description = ""\noptional = false\npython-versions = ">=3.9"\ngroups = ["main"]\nfiles = [\n'
        )
        text += "".join(f'    {{file = "{f.filename}", hash = "sha256:{f.sha256}"}},\n' for f in one.files)
        text += "]\n\n"
    return (
        text + f'[metadata]\nlock-version = "2.1"\npython-versions = ">=3.9"\ncontent-hash = "{"0" * 64}"\n'
    )


def pdm_lock(releases: Iterable[Locked]) -> str:
    """Return a ``pdm.lock``."""
    text = '[metadata]\ngroups = ["default"]\nlock_version = "4.5.0"\n'
    for one in releases:
        text += f'\n[[package]]\nname = "{one.name}"\nversion = "{one.version}"\nsummary = ""\nfiles = [\n'
        text += "".join(f'    {{file = "{f.filename}", hash = "sha256:{f.sha256}"}},\n' for f in one.files)
        text += "]\n"
    return text


def pylock(releases: Iterable[Locked], index: str = PYPI) -> str:
    """Return a ``pylock.toml``."""
    text = 'lock-version = "1.0"\ncreated-by = "tests"\n'
    for one in releases:
        text += f'\n[[packages]]\nname = "{one.name}"\nversion = "{one.version}"\nindex = "{index}"\n'
        for file in one.files:
            key = "wheels" if file.filename.endswith(".whl") else "sdist"
            item = f'{{ url = "{file.url}", size = 1, hashes = {{ sha256 = "{file.sha256}" }} }}'
            text += f"{key} = [{item}]\n" if key == "wheels" else f"{key} = {item}\n"
    return text


def hashed_requirements(releases: Iterable[Locked]) -> str:
    """Return a list of requirements with hashes, as pip-compile and ``uv export`` write it."""
    text = ""
    for one in releases:
        hashes = " \\\n".join(f"    --hash=sha256:{file.sha256}" for file in one.files)
        text += f"{one.name}=={one.version} \\\n{hashes}\n"
    return text


WRITERS = {
    "uv.lock": uv_lock,
    "poetry.lock": poetry_lock,
    "pdm.lock": pdm_lock,
    "pylock.toml": pylock,
    "requirements.txt": hashed_requirements,
}
"""By the name that each has."""
