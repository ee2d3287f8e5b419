"""What of an sdist its build runs, as its configuration names it: hooks, scripts, backends of its own.

Each backend has its own settings and they change, so they aren't told one by one: whatever a table of a tool
names that is a function or a file of the archive counts, but for the tables of tools that build nothing.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.source.facts import BUILD
from veln_hook.source.others import examine_shell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.source.facts import Placed

ALL = ".*"
"""Behind a file in a target: everything in it runs."""
HOOK_FILES = ("hatch_build.py", "pdm_build.py")
"""What backends run without being told of it."""
_OTHERS = (
    *("pytest", "mypy", "ruff", "black", "isort", "coverage", "pylint", "flake8", "pyright", "basedpyright"),
    *("tox", "nox", "poe", "taskipy", "commitizen", "bumpversion", "bumpver", "semantic_release", "pixi"),
    *("cibuildwheel", "uv", "bandit", "codespell", "towncrier", "importlinter", "deptry", "vulture"),
    *("interrogate", "hatch.env", "hatch.envs", "pdm.scripts", "pdm.dev-dependencies", "poetry.scripts"),
    *("poetry.plugins", "poetry.group", "poetry.dependencies", "poetry.extras", "flit.scripts"),
    *("setuptools.package-data", "setuptools.dynamic"),
)
"""Tables of ``tool`` whose tools run nothing when something is built."""
_FILES = frozenset((
    "include", "exclude", "only-include", "packages", "artifacts", "sources", "readme", "license", "file",
    "files",
    "write_to", "version_file", "write-to", "version-file", "py-modules", "classifiers", "description",
))  # fmt: skip
"""Keys whose values are no hooks."""
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:[.:][A-Za-z_]\w*)+")
_SECTION = re.compile(r"^\[([^\]]*)\]", re.MULTILINE)
_CONFIGURES = ("metadata", "options", "build", "global", "install", "egg_info", "sdist", "bdist")
"""How sections of ``setup.cfg`` begin whose tools run what they name."""
_RUN = re.compile(r"^.*(?:command|python|(?<!\.)\bpy\d?\b|exec|run).*$", re.IGNORECASE | re.MULTILINE)
_BUILDERS = tuple(
    (re.compile(name), re.compile(words, re.IGNORECASE))
    for name, words in (
        (r"(?:gnu)?makefile|.*\.mk", r"\bg?make\b"),
        (r"cmakelists\.txt|.*\.cmake", r"cmake|skbuild|scikit.build"),
        (r"meson\.build", "meson"),
        (r"build\.rs", "maturin|rust|cargo"),
        (r"package\.json", r"\b(?:npm|yarn|pnpm|node|jupyter.builder)\b"),
        (r"configure\.ac", "configure|autoreconf"),
        (r"wscript", r"\bwaf\b"),
        (r"sconstruct|sconscript", "scons"),
        (r"build\.zig", "zig"),
        (r"build\.ninja", "ninja"),
    )
)
"""Files of other builds, and words of which one stands where such a build is started."""
_BUILD_FILE = re.compile("|".join(f"(?:{name.pattern})" for name, _ in _BUILDERS))
"""Any of those files."""
_SCRIPT = re.compile(r"[\w./-]*\w\.py\b")


def targets(pyproject: Sequence[tuple[str, str]], setup_cfg: str) -> list[tuple[str, str]]:
    """Return what a build runs that two files of configuration name.

    Args:
        pyproject: What ``pyproject.toml`` has, as ``toml.texts`` gives it.
        setup_cfg: The text of ``setup.cfg``.

    Returns:
        Targets as ``Call.target`` has them, or the path of a file with ``ALL`` behind it; and ``build``.
    """
    found = {file: f"/{file}{ALL}" for file in HOOK_FILES} if pyproject else {}
    for text in (*_of_tools(pyproject), *_of_sections(setup_cfg)):
        if text.endswith(".py"):
            found[text] = f"{_absolute(text)}{ALL}"
        elif _DOTTED.fullmatch(text):
            found[text] = text.replace(":", ".")
    return [(target, BUILD) for target in found.values()]


def backend_targets(pyproject: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the files of a backend that lies in the archive itself (PEP 517): all in them may run.

    Args:
        pyproject: What ``pyproject.toml`` has, as ``toml.texts`` gives it.
    """
    texts = list(pyproject)
    names = [text for place, text in texts if place == "build-system.build-backend"]
    paths = [text for place, text in texts if place == "build-system.backend-path"]
    modules = [name.partition(":")[0].strip().replace(".", "/") for name in names]
    places = [_absolute(f"{path}/{module}") for path in paths for module in modules]
    return [(f"{place}{end}{ALL}", BUILD) for place in places for end in (".py", "/__init__.py")]


class BuildFile(NamedTuple):
    """A file that the build of another language obeys."""

    base: str
    """Its name in lower case, without directories."""
    piped: tuple[Placed, ...]
    """What it fetches and runs in a shell."""
    scripts: tuple[str, ...]
    """The files of Python that it runs, as far as it tells: targets."""


def is_build_file(base: str) -> bool:
    """Tell from a name in lower case, without directories, whether a build of another language obeys that."""
    return _BUILD_FILE.fullmatch(base) is not None  # asked of every member


def read_build_file(name: str, data: bytes) -> BuildFile:
    """Read such a file.

    Args:
        name: Of the member.
        data: Its bytes.
    """
    found = examine_shell(name, data)
    piped = tuple(each._replace(flags=(*each.flags, "build")) for each in found if "piped" in each.flags)
    scripts = scripts_in(data.decode("utf-8", "replace"))
    return BuildFile(name.rpartition("/")[2].lower(), piped, tuple(scripts))


def is_obeyed(file: BuildFile, packaging: Iterable[str]) -> bool:
    """Tell whether the build of an sdist has anything to do with such a file.

    Args:
        file: The file.
        packaging: The texts of ``setup.py`` and ``pyproject.toml``, and of hooks.
    """
    words = next(words for name, words in _BUILDERS if name.fullmatch(file.base))
    return any(words.search(text) for text in packaging)


def scripts_in(text: str) -> list[str]:
    """Return the files of Python that the build of another language runs, as far as its file tells."""
    lines = (line for line in _RUN.findall(text) if "install_sources" not in line)
    names = dict.fromkeys(name for line in lines for name in _SCRIPT.findall(line))
    return [_absolute(name) for name in names]


def _absolute(path: str) -> str:
    return posixpath.normpath("/" + path.replace("\\", "/").lstrip("/"))


def _of_tools(pyproject: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the texts that tables of tools have, but for those that name what is packed."""
    for place, text in pyproject:
        head, _, tool = place.partition(".")
        builds = head == "tool" and not any(f"{tool}.".startswith(f"{other}.") for other in _OTHERS)
        if builds and place.rpartition(".")[2] not in _FILES:
            yield text


def _of_sections(setup_cfg: str) -> Iterator[str]:
    """Yield the words of ``setup.cfg`` that may name something, of the sections that matter to a build."""
    parts = _SECTION.split(setup_cfg)
    for section, text in zip(parts[1::2], parts[2::2]):
        if section.startswith(_CONFIGURES) and "entry_points" not in section and "package" not in section:
            yield from (word for word in re.split(r"[\s=,]+", text) if _DOTTED.fullmatch(word))
