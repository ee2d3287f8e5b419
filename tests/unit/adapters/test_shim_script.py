"""Shims as shells run them: what passes, what is gated, which program is behind them."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import shells
from veln_hook.adapters.shims import HEAD, WORDS, is_shim, places
from veln_hook.adapters.shims.passing import TOOLS
from veln_hook.adapters.shims.script import MARK, MAX_DEPTH, shim
from veln_hook.adapters.uv import commands

RECORDER = '#!/bin/sh\nprintf "%s\\n" {name} "$@"\n'


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


class World:
    """An environment with shims in it, whose uv, and whose Python, tell what they were given."""

    def __init__(self, root: Path, name: str = "env") -> None:
        self.env = root / name
        self.bin = self.env / "bin"
        self.home = self.env / "veln-hook/bin"
        self.elsewhere = root / "elsewhere"
        self.python = program(self.bin / "python", '#!/bin/sh\nprintf "%s\\n" OURS "$VELN_HOOK_UV" "$@"\n')
        self.package = self.env / "lib/veln_hook"
        (self.package / "cli").mkdir(parents=True)
        (self.package / "cli/__main__.py").touch()
        places.mark(str(self.home))
        for tool in TOOLS:
            program(self.bin / tool, RECORDER.format(name="REAL"))
            self.write(tool)
        self.path = f"{self.home}:{self.bin}:/usr/bin:/bin"

    def write(self, tool: str, home: Path | None = None, *, real: str = "") -> Path:
        home = home or self.home
        home.mkdir(parents=True, exist_ok=True)
        text = shim(
            tool,
            python=str(self.python),
            package=str(self.package),
            home=str(home),
            beside="" if home != self.home else str(self.bin),
            real=real,
        )
        places.write(str(home / tool), text)
        return home / tool

    def run(
        self,
        *words: str,
        tool: str | Path = "uv",
        path: str | None = None,
        shell: list[str] | None = None,
        **env,
    ) -> subprocess.CompletedProcess:
        path = self.path if path is None else path
        command = [str(tool), *words]
        if shell is not None:
            command = [*shell, shutil.which(tool, path=path) or str(tool), *words]
        return subprocess.run(
            command, env={"PATH": path, **env}, capture_output=True, text=True, timeout=60, check=False,
            cwd=self.env,
        )  # fmt: skip

    def passes(self, *words: str, tool: str = "uv", shell: list[str] | None = None) -> bool:
        """Whether the real program was run, with these very words; otherwise it must have been us."""
        done = self.run(*words, tool=tool, shell=shell)
        assert done.stderr == "", done
        told = done.stdout.splitlines()
        if told[0] == "REAL":
            assert told[1:] == list(words)
            return True
        assert told[0] == "OURS"
        assert told[2:4] == ["-I", "-c"]
        if words:
            assert told[-len(words) :] == list(words)
        return False


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(params=shells.here().values(), ids=shells.here())
def shell(request: pytest.FixtureRequest) -> list[str]:
    return request.param


LINES = {
    "": True,
    "--version": True,
    "-V": True,
    "--help": True,
    "help pip": True,
    "pip list": True,
    "pip list --outdated": True,
    "-q --color never pip --no-progress list": True,
    "--color=never pip tree": True,
    "--directory /x cache dir": True,
    "pip": True,
    "version": True,
    "self version": True,
    "version --bump major": False,
    "pip install x": False,
    "pip -q install x": False,
    "pip sync x": False,
    "pip compile x": False,
    "sync": False,
    "--color never sync": False,
    "sync --frozen": False,
    "add x": False,
    "lock": False,
    "tree": False,
    "export": False,
    "venv": False,
    "build": False,
    "run --version": False,
    "run -- python": False,
    "python install 3.13": False,
    "publish": False,
    "self update": False,
    "tool run x": False,
    "tool install x": False,
    "tool upgrade x": False,
    "unheard-of": False,
    "--unheard-of pip list": False,
    "--color": False,
    "pip unheard-of": False,
    "piplist": False,
    "*": False,
    "pip *": False,
    "-": False,
}


@pytest.mark.parametrize("line", LINES)
def test_what_passes(world, shell, line):
    assert world.passes(*line.split(), shell=shell) is LINES[line]


def test_words_that_only_look_like_a_command_are_not_one(world):
    for words in (
        ["pip  list"],
        ["list"],
        ["", "sync"],
        ["pip", "", "list"],
        ["pip|install"],
        ["PIP", "list"],
    ):
        assert not world.passes(*words), words


def test_no_line_passes_that_the_whole_classification_would_gate(world):
    vocabulary = sorted(
        {word for command in commands.WAYS for word in command}
        | commands.GLOBAL_FLAGS
        | commands.GLOBAL_VALUES
        | commands.HELP_FLAGS
        | {f"{name}=x" for name in commands.GLOBAL_VALUES}
        | {"x", "--", "-qn", "--upgrade", "=", ""}
    )
    choose = random.Random(5)
    lines = [list(command) for command in commands.WAYS]
    lines += [[*choose.choices(vocabulary, k=choose.randint(1, 4))] for _ in range(500)]
    passed = 0
    for words in lines:
        if world.passes(*words):
            passed += 1
            assert commands.classify(words).way == commands.PASS, words
    assert passed > 100
    # And of the commands themselves all that may.
    for command, way in commands.WAYS.items():
        if command[:2] != ("tool", "uvx"):
            assert (
                world.passes(*command) is (commands.classify(command).way == commands.PASS)
                or way == commands.RUN
            )


@pytest.mark.parametrize(
    ("tool", "line", "passes"),
    [
        ("uvx", "", True),
        ("uvx", "--version", True),
        ("uvx", "--help", True),
        ("uvx", "ruff", False),
        ("uvx", "-q --version", False),
        ("uvx", "--from x y", False),
        ("poetry", "--version", True),
        ("poetry", "run pytest", True),
        ("poetry", "-C /x env list", True),
        ("poetry", "install", False),
        ("poetry", "add x", False),
        ("poetry", "env use 3.13", False),
        ("poetry", "show --latest", False),
        ("poetry", "self add x", False),
        ("pdm", "config", True),
        ("pdm", "run x.py", False),
        ("pdm", "install", False),
        ("pipx", "environment", True),
        ("pipx", "list", False),
        ("pipx", "run x", False),
        ("hatch", "--version", True),
        ("hatch", "env show", False),
        ("hatch", "run x", False),
    ],
)
def test_what_passes_of_the_other_tools(world, tool, line, passes):
    assert world.passes(*line.split(), tool=tool) is passes


def test_what_we_are_told_of_each_tool(world):
    def words(tool):
        told = world.run("do", "it", tool=tool).stdout.splitlines()
        return told[1], told[told.index("-c") + 2 :]

    real = str(world.bin / "uv")
    assert words("uv") == (real, ["uv", "do", "it"])
    assert words("uvx") == (real, ["uvx", "do", "it"])
    assert words("pdm") == ("", ["run", "--gate", "--", str(world.bin / "pdm"), "do", "it"])


def test_arguments_stay_what_they_are(world, shell):
    odd = ["a b", "", "*", "$HOME", "`x`", "'", '"', "\\", "ä", "--x=y z"]
    done = world.run("pip", "install", *odd, shell=shell)
    assert done.stdout.splitlines()[-len(odd) - 3 :] == ["uv", "pip", "install", *odd]
    done = world.run("pip", "list", *odd, shell=shell)
    assert done.stdout.splitlines() == ["REAL", "pip", "list", *odd]


@pytest.mark.parametrize("name", ["with space", "it's", 'q"uote', "d$ollar `x`", "back\\slash", "ünï", "*"])
def test_an_environment_of_any_name(tmp_path, shell, name):
    world = World(tmp_path, name)
    assert world.passes("pip", "list", shell=shell)
    assert not world.passes("sync", shell=shell)
    assert "is gone" in _without_python(world).stderr


def _without_python(world):
    world.python.unlink()
    return world.run("sync")


def test_a_path_that_no_shim_can_hold():
    good = {"python": "/p", "package": "/q", "home": "/h"}
    for wrong in ({"python": "p"}, {"package": "q"}, {"home": "/h\n/i"}, {"beside": "b"}, {"real": "./uv"}):
        with pytest.raises(ValueError, match="path"):
            shim("uv", **{**good, **wrong})


def test_it_is_the_next_on_path(world, shell):
    program(world.elsewhere / "uv", RECORDER.format(name="ELSEWHERE"))
    for path, expected in (
        (f"{world.elsewhere}:{world.home}:{world.bin}", "REAL"),
        (f"{world.home}:{world.elsewhere}:{world.bin}", "ELSEWHERE"),
        (f"{world.home}", "REAL"),  # of its environment, though nothing leads there
        (f"{world.home}::{world.elsewhere}", "ELSEWHERE"),
        (f"{world.bin}:{world.home}:{world.home}:{world.elsewhere}", "ELSEWHERE"),
    ):
        done = subprocess.run(
            [*shell, world.home / "uv", "pip", "list"],
            env={"PATH": f"{path}:/usr/bin:/bin"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout.splitlines()[:1] == [expected], (path, done)


def test_called_by_its_path_it_is_its_environments_own(world):
    program(world.elsewhere / "uv", RECORDER.format(name="ELSEWHERE"))
    done = world.run("pip", "list", tool=world.home / "uv", path=f"{world.elsewhere}:/usr/bin:/bin")
    assert done.stdout.startswith("REAL\n")
    (world.bin / "uv").unlink()
    done = world.run("pip", "list", tool=world.home / "uv", path=f"{world.elsewhere}:/usr/bin:/bin")
    assert done.stdout.startswith("ELSEWHERE\n")


def test_relative_places_on_path_mean_nothing(world):
    # Each project would have another uv.
    program(world.env / "uv", RECORDER.format(name="OF THE PROJECT"))
    done = world.run("pip", "list", path=f"{world.home}:.::{world.elsewhere}:/usr/bin:/bin")
    assert done.stdout.startswith("REAL\n")


def test_what_is_no_program_is_passed_over(world):
    (world.elsewhere / "uv").mkdir(parents=True)
    done = world.run("pip", "list", path=f"{world.home}:{world.elsewhere}:{world.bin}")
    assert done.stdout.startswith("REAL\n")
    (world.elsewhere / "uv").rmdir()
    (world.elsewhere / "uv").write_text("not executable")
    done = world.run("pip", "list", path=f"{world.home}:{world.elsewhere}:{world.bin}")
    assert done.stdout.startswith("REAL\n")


def test_other_shims_are_passed_over(world, tmp_path):
    other = World(tmp_path / "other")
    done = world.run("pip", "list", path=f"{world.home}:{other.home}:{world.bin}")
    assert done.stdout.startswith("REAL\n")
    done = other.run("pip", "list", path=f"{other.home}:{world.home}:{world.bin}")
    assert done.stdout.startswith("REAL\n")


def test_a_link_to_itself_is_passed_over(world, shell):
    world.elsewhere.mkdir()
    (world.elsewhere / "uv").symlink_to(world.home / "uv")
    path = f"{world.home}:{world.elsewhere}:{world.bin}"
    assert world.run("pip", "list", path=path, shell=shell).stdout.startswith("REAL\n")
    # The link may also be what is called.
    path = f"{world.elsewhere}:{world.home}:{world.bin}"
    assert world.run("pip", "list", path=path, shell=shell).stdout.startswith("REAL\n")


@pytest.mark.parametrize("words", [["pip", "list"], ["sync"]])
def test_a_program_that_leads_back_is_an_error(world, shell, words):
    calls = program(world.elsewhere / "uv", f'#!/bin/sh\necho call >> calls\nexec {world.home}/uv "$@"\n')
    # In place of our Python, which would start the real uv as ours does.
    program(world.python, '#!/bin/sh\nshift 4\n"$VELN_HOOK_UV" "$@"\n')
    done = world.run(*words, path=f"{world.home}:{world.elsewhere}:/usr/bin:/bin", shell=shell)
    assert done.returncode == 78, done
    assert done.stderr == (
        f"error: veln-hook: {calls} leads back to the shim {world.home}/uv, so nothing is run. "
        f"Remedy: take {calls} away\n"
    )
    assert (world.env / "calls").read_text().count("call") == MAX_DEPTH


def test_shims_within_one_another_are_no_error(world):
    done = world.run("pip", "list", VELN_HOOK_SHIM_DEPTH="i" * (MAX_DEPTH - 1))
    assert done.stdout.startswith("REAL\n")
    assert world.run("pip", "list", VELN_HOOK_SHIM_DEPTH="no number").stdout.startswith("REAL\n")


@pytest.mark.parametrize("words", [["--version"], ["pip", "list"], ["sync"]])
def test_there_is_none(world, shell, words):
    (world.bin / "uv").unlink()
    done = world.run(*words, shell=shell)
    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr == f"error: veln-hook: there is no uv behind the shim {world.home}/uv\n"


def test_without_its_python_what_installs_is_refused_and_the_rest_passes(world, shell):
    world.python.unlink()
    assert world.run("pip", "list", shell=shell).stdout.startswith("REAL\n")
    done = world.run("sync", shell=shell)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (78, "", 1), done
    assert f"its Python, {world.python}, is gone" in done.stderr
    assert f"rm -r '{world.env}/veln-hook'" in done.stderr


@pytest.mark.parametrize("pip", [True, False])
def test_without_the_package_what_installs_is_refused_and_the_rest_passes(world, shell, pip):
    shutil.rmtree(world.package)
    if pip:
        (world.package.parent / "pip").mkdir()
    assert world.run("pip", "list", shell=shell).stdout.startswith("REAL\n")
    done = world.run("pip", "install", "x", shell=shell)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (78, "", 1), done
    uv = f"'{world.bin}/uv' pip install --python '{world.python}' --reinstall veln-hook"
    command = f"'{world.python}' -m pip install --force-reinstall veln-hook" if pip else uv
    assert f"Repair: {command};" in done.stderr


def test_a_directory_of_ones_own_is_not_named_for_removal(world):
    world.write("uv", world.elsewhere)
    world.python.unlink()
    done = world.run("sync", tool=world.elsewhere / "uv")
    assert f"rm -r '{world.elsewhere}/uv'\n" in done.stderr


def test_a_shim_for_one_program(world, shell):
    found = world.env / "veln-hook/found/0123"
    there = program(world.elsewhere / "uv", RECORDER.format(name="ELSEWHERE"))
    path = world.write("uv", found, real=str(there))
    done = subprocess.run(
        [*shell, path, "pip", "list"], env={"PATH": world.path}, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("ELSEWHERE\n")
    done = subprocess.run(
        [*shell, path, "sync"], env={"PATH": world.path}, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[:2] == ["OURS", str(there)]
    there.unlink()  # another uv is not what was meant
    done = subprocess.run(
        [*shell, path, "pip", "list"], env={"PATH": world.path}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (127, "")


@pytest.mark.parametrize("tool", TOOLS)
def test_a_shim_is_known_by_its_head(world, tool):
    text = (world.home / tool).read_bytes()
    assert WORDS in text[:HEAD]
    assert is_shim(str(world.home / tool))
    assert (world.home / MARK).exists()
    assert not is_shim(str(world.bin / tool))


def test_the_head_has_the_words_whatever_the_paths_are():
    long = "/" + "x" * 2000
    for tool in TOOLS:
        assert WORDS in shim(tool, python=long, package=long, home=long, beside=long, real=long)[:HEAD]


def test_nothing_of_the_project_or_of_variables_is_imported(tmp_path):
    """A hostile project is where uv is called, and Python looks into the working directory by itself."""
    world = World(tmp_path)
    world.package = Path(__file__).resolve().parents[3] / "src/veln_hook"
    world.python = Path(sys.executable)
    path = world.write("uv")
    trap = "open({!r}, 'w').close()\n".format(str(tmp_path / "sprung"))
    for name in (
        "veln_hook",
        "sitecustomize",
        "usercustomize",
        "runpy",
        "argparse",
        "platformdirs",
        "site",
        "pluggy",
    ):
        (world.env / f"{name}.py").write_text(trap)
    environ = {"PATH": world.path, "HOME": str(tmp_path), "PYTHONPATH": str(world.env), "VELN_HOOK": "off"}

    def sprung(*command):
        subprocess.run(command, env=environ, cwd=world.env, capture_output=True, check=False, timeout=60)
        return (tmp_path / "sprung").exists()

    assert not sprung(path, "--unheard-of")
    assert sprung(sys.executable, "-c", "import veln_hook")  # it would have been


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="there is no shellcheck here")
@pytest.mark.parametrize("tool", TOOLS)
def test_shellcheck_finds_nothing(world, tool):
    # -ef is in every sh that we know, and a tool without words of its own needs no word before them.
    command = ["shellcheck", "-s", "sh", "-e", "SC3013,SC2034", str(world.home / tool)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_its_own_depth_is_no_setting_of_the_policy(world):
    from veln_hook.policy.layers import read_variables

    assert read_variables({"VELN_HOOK_SHIM_DEPTH": "i", "VELN_HOOK_UV": "/x"}) == []


@pytest.mark.skipif(not os.path.exists("/bin/sh"), reason="there is no /bin/sh")
def test_a_shim_is_written_whole_or_not_at_all(world, tmp_path):
    path = world.home / "uv"
    before = path.read_bytes()
    places.write(str(path), before + b"# more\n")
    assert path.read_bytes() == before + b"# more\n"
    assert os.access(path, os.X_OK)
    assert sorted(os.listdir(world.home)) == sorted([*TOOLS, MARK])
    with pytest.raises(FileExistsError):
        places.write(str(world.bin / "uv"), before)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(FileExistsError):
        places.write(str(tmp_path / "link"), before)
