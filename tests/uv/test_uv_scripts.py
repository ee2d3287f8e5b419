"""Scripts that bring their requirements along (PEP 723), and variables that are for the program only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.gated import untouched, write_project
from support.selection import everyday

if TYPE_CHECKING:
    from pathlib import Path

    from uv_world import Uv

    from support.tls_index import TlsIndex

BODY = "import demo, json, os, sys\nprint(json.dumps([demo.VERSION, sys.argv[1:], dict(os.environ)]))\n"


def _script(directory: Path, *dependencies: str, more: str = "", body: str = BODY) -> Path:
    wanted = ", ".join(f'"{each}"' for each in dependencies)
    lines = ["/// script", f"dependencies = [{wanted}]", *more.splitlines(), "///"]
    path = directory / "script.py"
    path.write_text("".join(f"# {line}\n" for line in lines) + body)
    return path


def test_a_script(uv: Uv, demo: TlsIndex) -> None:
    script = _script(uv.home.work, "demo")
    result = uv.gated("run", script, "an argument", index=demo)
    assert result.returncode == 0, result
    assert "HOLD  demo 2.0" in result.stderr, result
    version, arguments, environ = json.loads(result.stdout)
    assert (version, arguments) == ("1.0", ["an argument"])
    assert environ["SSL_CERT_FILE"] == str(uv.ca_file)
    assert "HTTPS_PROXY" not in environ
    assert untouched(demo)


def test_a_script_with_a_young_pin_does_not_run(uv: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    script = _script(uv.home.work, "demo==2.0", body=f"open({str(mark)!r}, 'w')\n")
    for words in ((), ("--script",)):
        result = uv.gated("run", *words, script, index=demo)
        assert result.returncode == 75, result
        assert "HOLD  demo 2.0" in result.stderr, result
    assert not mark.exists()
    assert untouched(demo)


def test_a_locked_script(newest: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    script = _script(newest.home.work, "demo", body=f"open({str(mark)!r}, 'w')\n")
    newest.direct("lock", "--script", script, index=demo, check=True)
    demo.bytes_sent.clear()
    for words in (("run", script), ("run", "--frozen", script), ("sync", "--script", script)):
        result = newest.gated(*words, index=demo)
        assert result.returncode == 75, result
    assert not mark.exists()
    assert untouched(demo)


def test_requirements_besides_a_scripts(newest: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    script = _script(newest.home.work)
    result = newest.gated("run", "--with", "demo", script, index=demo)
    assert result.returncode == 0, result
    assert json.loads(result.stdout)[0] == "1.0"
    assert newest.gated("run", "--with", "demo==2.0", script, index=demo).returncode == 75


def test_a_script_has_settings_too(newest: Uv, demo: TlsIndex) -> None:
    script = _script(newest.home.work, "demo", more='[tool.uv]\nhttps-proxy = "http://127.0.0.1:9"')
    result = newest.gated("run", script, index=demo)
    assert result.returncode == 2, result
    assert f"{script}:4" in result.stderr, result
    assert "https-proxy" in result.stderr, result
    assert not demo.requests


def test_metadata_that_hides_behind_others(newest: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    """The reference implementation sees one block here, of another kind; uv sees what it looks for."""
    mark = tmp_path / "ran"
    script = _script(newest.home.work, "demo==2.0", body=f"open({str(mark)!r}, 'w')\n")
    script.write_text(f"# /// other\n# x = 1\n# ///\n{script.read_text()}")
    result = newest.gated("run", script, index=demo)
    assert result.returncode == 2, result
    assert str(script) in result.stderr, result
    assert not mark.exists()


def test_a_script_from_a_url(newest: Uv, demo: TlsIndex) -> None:
    result = newest.gated("run", f"{demo.root}/script.py", index=demo)
    assert result.returncode == 2, result
    assert not demo.requests


@pytest.mark.parametrize("name", everyday(["HTTPS_PROXY", "SSL_CERT_FILE", "UV_INSECURE_HOST"], 1))
def test_variables_out_of_a_file(newest: Uv, demo: TlsIndex, project: Path, name: str) -> None:
    """They are for the program that runs, and lead uv itself nowhere."""
    write_project(project, "demo==2.0")
    (project / "variables").write_text(f"{name}=http://127.0.0.1:9\n")
    for way in ({"UV_ENV_FILE": "variables"}, {}):
        option = () if way else ("--env-file", "variables")
        result = newest.gated("run", *option, "python", "-c", "", index=demo, cwd=project, env=way)
        assert result.returncode == 75, result
    if name in newest.environ():
        return  # what is set already counts for more, for uv as for its program
    write_project(project, "demo==1.0")
    code = f"import os; print(os.environ.get({name!r}))"
    result = newest.gated(
        "run", "--env-file", "variables", "python", "-c", code, index=demo, cwd=project, check=True
    )
    assert result.stdout.strip() == "http://127.0.0.1:9", result
    assert untouched(demo)
