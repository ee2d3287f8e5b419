"""Settings of uv that would lead its traffic round the gate are refused with file and key, before anything runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from uv_world import some

from support.gated import installed, releases, untouched, write_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uv_world import Target, Uv

    from support.tls_index import TlsIndex

KEYS = {
    "https-proxy": '"http://127.0.0.1:9"',
    "http-proxy": '"http://127.0.0.1:9"',
    "no-proxy": '["127.0.0.1"]',
    "allow-insecure-host": '["127.0.0.1"]',
    "cache-dir": '"./cache"',
}
SPELLINGS = {
    "table": "[tool.uv]\n{key} = {value}\n",
    "dotted": "[tool]\nuv.{key} = {value}\n",
    "inline": "[tool]\nuv = {{ {key} = {value} }}\n",
    "quoted": '["tool"."uv"]\n"{key}" = {value}\n',
    "escaped": '["tool"."\\u0075v"]\n"{key}" = {value}\n',
}


def _refused(uv: Uv, demo: TlsIndex, project: Path, file: Path, key: str, **more) -> None:
    for words in (("sync",), ("run", "python", "-c", "")):
        result = uv.gated(*words, index=demo, cwd=project, **more)
        assert result.returncode == 2, result
        assert str(file) in result.stderr, result
        assert key in result.stderr, result
    assert not demo.requests
    assert not (project / ".venv").exists()
    assert not (project / "uv.lock").exists()


@pytest.mark.parametrize("key", KEYS)
def test_a_projects_own(newest: Uv, demo: TlsIndex, project: Path, key: str) -> None:
    write_project(project, "demo", more=f"[tool.uv]\n{key} = {KEYS[key]}\n")
    _refused(newest, demo, project, project / "pyproject.toml", key)


@pytest.mark.parametrize("spelling", some({name: name for name in SPELLINGS}))
def test_however_it_is_spelled(newest: Uv, demo: TlsIndex, project: Path, spelling: str) -> None:
    more = SPELLINGS[spelling].format(key="https-proxy", value=KEYS["https-proxy"])
    write_project(project, "demo", more=more)
    _refused(newest, demo, project, project / "pyproject.toml", "https-proxy")


@pytest.mark.parametrize("key", ["https-proxy", "cache-dir"])
def test_a_uv_toml(newest: Uv, demo: TlsIndex, project: Path, key: str) -> None:
    for file in (project / "uv.toml", newest.home.config / "uv" / "uv.toml"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{key} = {KEYS[key]}\n")
        _refused(newest, demo, project, file, key)
        file.unlink()


def test_one_of_a_directory_above(newest: Uv, demo: TlsIndex, project: Path) -> None:
    inner = project / "inner" / "most"
    inner.mkdir(parents=True)
    write_project(project, "demo", more=f"[tool.uv]\nhttps-proxy = {KEYS['https-proxy']}\n")
    result = newest.gated("sync", index=demo, cwd=inner)
    assert result.returncode == 2, result
    assert str(project / "pyproject.toml") in result.stderr, result
    assert not demo.requests


@pytest.mark.parametrize("way", ["option", "equals", "variable"])
def test_a_file_that_is_named(newest: Uv, demo: TlsIndex, project: Path, tmp_path: Path, way: str) -> None:
    file = tmp_path / "named.toml"
    file.write_text(f"https-proxy = {KEYS['https-proxy']}\n")
    words = {"option": ("--config-file", str(file)), "equals": (f"--config-file={file}",), "variable": ()}[
        way
    ]
    env = {"UV_CONFIG_FILE": str(file)} if way == "variable" else {}
    result = newest.gated("sync", *words, index=demo, cwd=project, env=env)
    assert result.returncode == 2, result
    assert str(file) in result.stderr, result
    assert not demo.requests


def test_where_project_and_directory_are_named(newest: Uv, demo: TlsIndex, project: Path) -> None:
    write_project(project, "demo", more=f"[tool.uv]\nhttps-proxy = {KEYS['https-proxy']}\n")
    for option in (("--project", str(project)), ("--directory", str(project)), (f"--directory={project}",)):
        result = newest.gated("sync", *option, index=demo)
        assert result.returncode == 2, result
        assert "https-proxy" in result.stderr, result
    assert not demo.requests


OPTIONS = {
    "cache": ("--cache-dir", "elsewhere"),
    "cache, equals": ("--cache-dir=elsewhere",),
    "insecure": ("--allow-insecure-host", "127.0.0.1"),
    "trusted": ("--trusted-host", "127.0.0.1"),
}


@pytest.mark.parametrize("words", some(OPTIONS))
def test_options(target: Target, demo: TlsIndex, words: tuple[str, ...]) -> None:
    result = target.fails(demo, *words, "demo")
    assert result.returncode == 2, result
    assert words[0].partition("=")[0] in result.stderr, result
    assert not demo.requests


VARIABLES = {
    "UV_INSECURE_HOST": "127.0.0.1",
    "UV_CACHE_DIR": "elsewhere",
    "NO_PROXY": "*",
    "no_proxy": "127.0.0.1",
    "ALL_PROXY": "http://127.0.0.1:9",
    "SSL_CERT_DIR": "/etc/ssl/certs",
    "UV_NATIVE_TLS": "1",
    "UV_SYSTEM_CERTS": "1",
}


@pytest.mark.parametrize("name", some({name: name for name in VARIABLES}, 3))
def test_variables_lead_nowhere_else(target: Target, demo: TlsIndex, name: str) -> None:
    """Each is refused, or doesn't count: the release that is too young is held."""
    result = target.install(demo, "demo==2.0", env={name: VARIABLES[name], "UV_HTTP_RETRIES": "0"})
    assert result.returncode not in (0, 1), result
    assert target.installed() == {}
    assert untouched(demo)


def test_the_users_own_no_proxy_still_counts_upstream(target: Target, demo: TlsIndex) -> None:
    proxy = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    target.falls_back(demo, env=proxy)
    result = target.install(
        demo, "--reinstall", "demo", env={**proxy, "NO_PROXY": "", "UV_HTTP_RETRIES": "0"}
    )
    assert result.returncode != 0, "it went past the user's proxy"


def test_harmless_settings_count(newest: Uv, demo: TlsIndex, project: Path) -> None:
    write_project(project, "demo", more='[tool.uv]\npackage = false\nprerelease = "allow"\n')
    result = newest.gated("sync", index=demo, cwd=project)
    assert (result.returncode, installed(project / ".venv")) == (0, {"demo": "1.0"}), result


def test_a_pyproject_that_cannot_be_read(target: Target, demo: TlsIndex, project: Path) -> None:
    """uv reads what it can of one; what we can't read we can't vouch for."""
    (project / "pyproject.toml").write_text("[tool.uv\n")
    target.fails(demo, "demo==2.0", cwd=project)
    assert untouched(demo)


def test_an_index_in_a_requirements_file(
    target: Target, demo: TlsIndex, make_index: Callable[..., TlsIndex], tmp_path: Path
) -> None:
    second = releases(make_index(host="127.0.0.2"), tmp_path, "inner")
    wanted = tmp_path / "requirements.txt"
    wanted.write_text(f"--extra-index-url {second.url}\ninner\n")
    result = target.install(demo, "-r", wanted)
    assert (result.returncode, target.installed()) == (0, {"inner": "1.0"}), result
    assert re.search(r"HOLD +inner 2\.0", result.stderr), result
    wanted.write_text(f"--extra-index-url {second.url}\ninner==2.0\n")
    assert target.install(demo, "-r", wanted).returncode == 75
    assert untouched(second, name="inner")
