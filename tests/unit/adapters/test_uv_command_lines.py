"""What a command line of uv is taken for; every command of the real uvs was looked at on purpose."""

from __future__ import annotations

import re
import subprocess

import pytest

from support import uv_versions
from veln_hook.adapters.uv import commands
from veln_hook.adapters.uv.commands import GATED, PASS, RUN, SERVICE, classify, classify_uvx
from veln_hook.adapters.uv.words import read, read_line, takes_value


def _way(text: str) -> str:
    return classify(text.split()).way


@pytest.mark.parametrize(
    "text",
    [
        "",
        "--version",
        "-V",
        "--help",
        "help pip install",
        "-q --version",
        "pip list",
        "pip --offline list --outdated",
        "--color never -qn pip show x",
        "--directory d --project=p pip freeze",
        "cache dir",
        "tool list",
        "self version",
        "version",
        "version --short",
        "pip",
        "run --help",
        "tool run",
    ],
)
def test_what_passes(text: str) -> None:
    assert _way(text) == PASS


@pytest.mark.parametrize(
    "text",
    [
        "pip install x",
        "pip nonsense",
        "nonsense",
        "--nonsense pip list",
        "--color pip list",  # "pip" is the colour, and "list" no command
        "--no-color=x pip list",
        "-x pip list",
        "-qx pip list",
        "-- pip list",
        "pip -- list",
        "sync",
        "tree",
        "export",
        "venv",
        "version --bump patch",
        "version 1.0",
        "version --short --bump patch",
        "tool nonsense",
    ],
)
def test_what_is_gated(text: str) -> None:
    assert _way(text) == GATED


@pytest.mark.parametrize("text", ["run x", "run", "--offline run x", "tool run x", "tool --offline run x"])
def test_what_runs_a_program(text: str) -> None:
    assert _way(text) == RUN


@pytest.mark.parametrize("text", ["python install 3.12", "publish", "self update", "format", "audit"])
def test_what_fetches_from_elsewhere(text: str) -> None:
    assert _way(text) == SERVICE


def test_uvx() -> None:
    assert classify_uvx(["ruff", "--version"]).way == RUN
    assert classify_uvx(["--from", "x", "y"]).way == RUN
    assert classify_uvx(["--version"]).way == PASS
    assert classify_uvx([]).way == PASS


def test_what_follows_the_command_is_kept() -> None:
    line = classify(["-q", "pip", "--offline", "install", "x", "--", "-y"])
    assert line.head == ("-q", "pip", "--offline", "install")
    assert line.command == ("pip", "install")
    assert line.words == ("x", "--", "-y")


# The real ones


def _help(uv: str, *words: str) -> str:
    done = subprocess.run([uv, *words, "--help"], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout


def _listed(text: str) -> list[str]:
    block = re.search(r"^Commands:\n((?:  .*\n|\n(?=  ))*)", text, re.MULTILINE)
    return re.findall(r"^  (\S+)", block[1], re.MULTILINE) if block else []


def _options(text: str) -> dict[str, bool]:
    """Return the options in a help text, and whether they take a value."""
    found: dict[str, bool] = {}
    for line in text.splitlines():
        match = re.match(r"\s+(?:-(\w),\s+)?--([\w-]+)(?:\.\.\.)?(\s+<|\s+\[<|\[?=<)?", line)
        if match:
            found[f"--{match[2]}"] = bool(match[3])
            if match[1]:
                found[f"-{match[1]}"] = bool(match[3])
    return found


@pytest.fixture(scope="module", params=uv_versions.UVS)
def uv(request: pytest.FixtureRequest) -> str:
    try:
        return str(uv_versions.uv_bin(request.param) / "uv")
    except uv_versions.NotHereError as error:
        pytest.skip(str(error))


def test_every_command_of_the_real_ones_was_looked_at(uv: str) -> None:
    seen = []
    for name in _listed(_help(uv)):
        below = [each for each in _listed(_help(uv, name)) if each != "help"]
        seen += [(name, each) for each in below] or [(name,)]
    assert len(seen) > 35
    unknown = [command for command in seen if command not in commands.WAYS]
    assert not unknown
    namespaces = {command[0] for command in seen if len(command) > 1}
    assert namespaces <= commands.NAMESPACES
    assert not namespaces & {command[0] for command in commands.WAYS if len(command) == 1}


def test_options_before_a_command_are_those_of_the_real_ones(uv: str) -> None:
    for name, valued in _options(_help(uv)).items():
        expected = commands.GLOBAL_VALUES if valued else commands.GLOBAL_FLAGS | commands.HELP_FLAGS
        assert name in expected, name


def test_options_with_values_are_those_of_the_real_ones(uv: str) -> None:
    """A value that passed for a plain word could be taken for the program, and a plain word for a value."""
    for command, way in commands.WAYS.items():
        text = _help(uv, *command) if way in (RUN, GATED) else ""
        for name, valued in _options(text).items():
            assert takes_value(command, name) == valued, (command, name)


def test_what_passes_with_the_real_ones_asks_nobody(uv: str) -> None:
    """The words after these are read by nobody, so they may hold anything."""
    for words in (
        ["-V", "pip", "install", "x"],
        ["--help", "sync"],
        ["run", "--help", "x"],
        ["pip", "-h", "install", "x"],
    ):
        assert classify(words).way == PASS
        done = subprocess.run([uv, *words], capture_output=True, text=True, timeout=60, check=True)
        assert "error" not in done.stderr


# Words


def test_options_and_what_they_are_not() -> None:
    words = read(
        ("pip", "install"), ["-qi", "https://a/", "-fhttps://b/", "-r=x.txt", "--index=n=u", "p", "--", "-z"]
    )
    assert words.values("-i") == ["https://a/"]
    assert words.values("-f") == ["https://b/"]
    assert words.values("-r") == ["x.txt"]
    assert words.values("--index") == ["n=u"]
    assert words.has("-q")
    assert words.plain() == ["p", "-z"]


def test_a_program_and_its_options_are_its_own() -> None:
    words = read(("run",), ["--with", "a", "-m", "mod", "--with", "b"], starts_program=True)
    assert words.values("--with") == ["a"]
    assert words.program == ("mod", "--with", "b")
    assert read(("run",), ["-q", "--", "--odd", "x"], starts_program=True).program == ("--odd", "x")


def test_options_before_and_after_the_command_count_alike() -> None:
    words = read_line(classify(["--project", "p", "pip", "--offline", "install", "x", "--cache-dir", "c"]))
    assert (words.values("--project"), words.values("--cache-dir")) == (["p"], ["c"])
    assert words.has("--offline")
    assert words.plain() == ["x"]


def test_an_unknown_option_hides_no_source() -> None:
    assert read(("pip", "install"), ["--new-option", "./x.whl"]).plain() == ["./x.whl"]
