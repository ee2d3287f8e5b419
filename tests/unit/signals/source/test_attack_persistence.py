"""Code that import alone runs, and that writes where somebody else runs or obeys it."""

from __future__ import annotations

import pytest

from support.code import held, scan

_IMPORTS = (
    "import fileinput, io, os, pathlib, shutil, site, subprocess, zipfile\nhome = pathlib.Path.home()\n"
)
_RC = "os.path.expanduser('~/.bashrc')"

WAYS = {
    "open": f"open({_RC}, 'a').write('x')", "to read and write": f"open({_RC}, 'r+').write('x')",
    "a path's open": "with (home / '.bashrc').open('a') as f:\n    f.write('x')",
    "write_text": "(home / '.bashrc').write_text('x')", "joined": "home.joinpath('.bashrc').write_bytes(b'x')",
    "renamed": "pathlib.Path('x').rename(home / '.bashrc')", "replaced": "pathlib.Path('x').replace(home / '.bashrc')",
    "os.replace": f"os.replace('x', {_RC})", "a link": "(home / '.bashrc').symlink_to('x')",
    "a hard link": "(home / '.bashrc').hardlink_to('x')", "copied": "shutil.copy('x', home / '.bashrc')",
    "FileIO": f"io.FileIO({_RC}, 'a').write(b'x')", "its number": f"os.write(os.open({_RC}, os.O_WRONLY), b'x')",
    "fileinput": f"for line in fileinput.input({_RC}, inplace=True):\n    print(line)",
    "printed": f"print('x', file=open({_RC}, 'a'))", "HOME": "open(os.environ['HOME'] + '/.bashrc', 'a').write('x')",
    "a shell": "subprocess.run('echo x >> ~/.bashrc', shell=True)",
    "tee": f"subprocess.run(['tee', '-a', {_RC}], input=b'x')",
    "a path file, opened": "(pathlib.Path(site.getusersitepackages()) / 'a.pth').open('w').write('import os')",
    "a path file, renamed": "pathlib.Path('x').rename(pathlib.Path(site.getusersitepackages()) / 'a.pth')",
    "an archive": "zipfile.ZipFile('x').extractall(site.getusersitepackages())",
    "an archive by shutil": "shutil.unpack_archive('x.zip', site.getsitepackages()[0])",
    "a tree": "shutil.copytree('x', site.getusersitepackages(), dirs_exist_ok=True)",
}  # fmt: skip
PLACES = (
    ".zshenv", ".bash_aliases", ".xprofile", ".config/fish/config.fish", ".vimrc", ".tmux.conf", ".pdbrc", ".envrc",
    ".ipython/profile_default/startup/00.py", ".jupyter/jupyter_server_config.py", ".gitconfig", ".git/hooks/pre-commit",
    ".ssh/config", ".config/pip/pip.conf", ".config/uv/uv.toml", ".npmrc", ".condarc", ".vscode/tasks.json",
    ".local/bin/git", ".claude/settings.json", ".cursor/mcp.json", ".cargo/config.toml",
)  # fmt: skip
COMMANDS = (
    "pip config set global.index-url https://x.example", "pip3 config --user set global.index-url x",
    "git config --global core.hooksPath /tmp/x", "npm config set registry https://x.example",
)  # fmt: skip
QUIET = {
    "a text": "print('~/.bashrc'.replace('~', 'x'))", "read": f"print(open({_RC}).read())",
    "read by pathlib": "print((home / '.bashrc').open().read())", "a setting of git asked for": "os.popen('git config --get user.name')",
    "this repository's": "subprocess.run(['git', 'config', 'user.name', 'x'])", "a log": "open('acme.log', 'w').write('x')",
    "pip's list": "subprocess.run(['pip', 'config', 'list'])", "unpacked elsewhere": "zipfile.ZipFile('x').extractall('data')",
}  # fmt: skip


def _held(code: str) -> set[str]:
    return held(scan({"acme/__init__.py": _IMPORTS + code + "\n"}))


@pytest.mark.parametrize("way", WAYS)
def test_however_it_is_written(way):
    assert "persistence" in _held(WAYS[way])


@pytest.mark.parametrize("place", PLACES)
def test_wherever_it_is_written(place):
    assert "persistence" in _held(f"with open(os.path.expanduser('~/{place}'), 'a') as f:\n    f.write('x')")
    assert "persistence" in _held(f"(home / '{place}').write_text('x')")


@pytest.mark.parametrize("command", COMMANDS)
def test_by_a_command(command):
    assert "persistence" in _held(f"subprocess.run({command.split()!r})")
    assert "persistence" in _held(f"os.system({command!r})")


def test_what_only_a_function_writes_is_let_through():
    code = "def install():\n    (home / '.vimrc').write_text('set nocompatible')\n"
    assert "persistence" not in _held(code)


@pytest.mark.parametrize("name", QUIET)
def test_what_is_no_such_thing(name):
    assert "persistence" not in _held(QUIET[name])
