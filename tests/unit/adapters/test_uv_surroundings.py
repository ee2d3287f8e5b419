"""What uv runs with: which uv, which environment variables, which cache, and what else it may reach."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from veln_hook.adapters.installers import environment as installers
from veln_hook.adapters.uv import cache, environment, finding, services, target
from veln_hook.adapters.uv.checkouts import Checkouts, remove_bytecode
from veln_hook.adapters.uv.commands import classify
from veln_hook.adapters.uv.configuration import Places
from veln_hook.adapters.uv.words import read_line
from veln_hook.errors import UsageError
from veln_hook.model import Approval
from veln_hook.policy.settings import CoolingPolicy, Policy

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def _program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


# Which uv


def test_the_first_on_path_that_is_no_shim(tmp_path: Path) -> None:
    _program(tmp_path / "shims" / "uv", "#!/bin/sh\n# veln-hook shim for uv\n")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "uv").write_text("no program")
    real = _program(tmp_path / "real" / "uv")
    path = os.pathsep.join(str(tmp_path / name) for name in ("missing", "shims", "plain", "real"))
    assert finding.find_uv({"PATH": path}, prefix="/nowhere") == str(real)


def test_relative_places_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path / "uv")
    _program(tmp_path / "bin" / "uv")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no uv"):
        finding.find_uv({"PATH": ".::bin"}, prefix="/nowhere")


def test_the_environments_own_comes_last(tmp_path: Path) -> None:
    own = _program(tmp_path / "env" / "bin" / "uv")
    assert finding.find_uv({"PATH": "/nowhere"}, prefix=str(tmp_path / "env")) == str(own)


def test_one_that_is_named(tmp_path: Path) -> None:
    named = _program(tmp_path / "uv")
    shim = _program(tmp_path / "shim", "#!/bin/sh\n# veln-hook shim\n")
    assert finding.find_uv({"VELN_HOOK_UV": str(named), "PATH": ""}) == str(named)
    for wrong in (str(shim), "uv", str(tmp_path / "missing")):
        with pytest.raises(UsageError, match="VELN_HOOK_UV"):
            finding.find_uv({"VELN_HOOK_UV": wrong, "PATH": str(tmp_path)})


# Variables

USERS = {
    "HOME": "/h",
    "https_proxy": "http://theirs",
    "ALL_PROXY": "x",
    "NO_PROXY": "*",
    "no_proxy": "*",
    "SSL_CERT_FILE": "/theirs",
    "SSL_CERT_DIR": "/theirs",
    "UV_NATIVE_TLS": "1",
    "UV_SYSTEM_CERTS": "1",
    "UV_INSECURE_HOST": "h",
    "UV_CACHE_DIR": "/theirs",
    "UV_NO_CACHE": "1",
    "UV_ENV_FILE": ".env",
    "UV_INDEX_A_PASSWORD": "secret",
}


def _for_uv(**more: str) -> dict[str, str]:
    return environment.for_uv({**USERS, **more}, proxy="http://p", certificate="/c.pem", cache="/cache")


def test_nothing_leads_around_the_gate() -> None:
    made = _for_uv()
    assert {made[name] for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy")} == {"http://p"}
    assert made["SSL_CERT_FILE"] == "/c.pem"
    assert made["UV_CACHE_DIR"] == "/cache"
    gone = {"ALL_PROXY", "NO_PROXY", "no_proxy", "SSL_CERT_DIR", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"}
    assert not (gone | {"UV_INSECURE_HOST", "UV_NO_CACHE", "UV_ENV_FILE"}) & set(made)
    assert made["UV_INDEX_A_PASSWORD"] == "secret"
    assert made["HOME"] == "/h"


@pytest.mark.parametrize(("theirs", "ours"), [("", "600"), ("30", "600"), ("900", "900"), ("x", "600")])
def test_uv_waits_until_an_archive_is_judged(theirs: str, ours: str) -> None:
    assert _for_uv(UV_HTTP_TIMEOUT=theirs)["UV_HTTP_TIMEOUT"] == ours


def test_what_git_may_speak() -> None:
    assert _for_uv()["GIT_ALLOW_PROTOCOL"] == "https:http:file"
    assert _for_uv(GIT_ALLOW_PROTOCOL="ssh:https")["GIT_ALLOW_PROTOCOL"] == "https"
    made = environment.for_uv({}, proxy="p", certificate="c", cache="d", allow=["github.com:22"])
    assert made["GIT_ALLOW_PROTOCOL"] == "https:http:file:ssh"
    assert made["GIT_SSL_CAINFO"] == "c"


def test_each_installer_reads_another_variable(tmp_path: Path) -> None:
    users = {"HOME": str(tmp_path), "PIP_TRUSTED_HOST": "h", "PIP_PROXY": "x"}
    made = installers.behind_gate(users, proxy="http://p", certificate="/c.pem", cache="/cache")
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
    assert {made[name] for name in names} == {"/c.pem"}
    assert not {"PIP_TRUSTED_HOST", "PIP_PROXY"} & set(made)
    assert made["POETRY_CACHE_DIR"] == "/cache/poetry"
    assert made["POETRY_VIRTUALENVS_PATH"] == f"{tmp_path}/.cache/pypoetry/virtualenvs"


@pytest.mark.parametrize(
    ("config", "environ", "expected"),
    [
        ("", {"POETRY_CACHE_DIR": "/p"}, "/p/virtualenvs"),
        ("cache-dir = '/q'\n", {}, "/q/virtualenvs"),
        ("[virtualenvs]\npath = '/v'\n", {}, None),
        ("[virtualenvs]\npath = '{cache-dir}/v'\n", {"POETRY_CACHE_DIR": "/p"}, "/p/v"),
        ("", {"POETRY_VIRTUALENVS_PATH": "/own"}, "/own"),
    ],
)
def test_poetrys_environments_stay_where_they_are(
    tmp_path: Path, config: str, environ: dict[str, str], expected: str | None
) -> None:
    file = tmp_path / ".config" / "pypoetry" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(config)
    users = {"HOME": str(tmp_path), **environ}
    made = installers.behind_gate(users, proxy="p", certificate="c", cache="/cache")
    assert made.get("POETRY_VIRTUALENVS_PATH") == expected


# Caches


def test_our_cache_lies_beside_uvs() -> None:
    assert environment.cache_dir({"HOME": "/h"}) == "/h/.cache/veln-hook/uv"
    assert environment.cache_dir({"HOME": "/h", "XDG_CACHE_HOME": "/x"}) == "/x/veln-hook/uv"
    assert environment.cache_dir({"HOME": "/h", "XDG_CACHE_HOME": "relative"}) == "/h/.cache/veln-hook/uv"
    assert environment.cache_dir({"HOME": "/h", "UV_CACHE_DIR": "/u/c"}) == "/u/c/veln-hook"


def _approval(number: int, **more: datetime) -> Approval:
    return Approval("p", "1", "f", "0" * 64, "why", "me", NOW, id=number, **more)


def test_each_way_of_judging_has_a_cache_of_its_own(tmp_path: Path) -> None:
    base = str(tmp_path / "caches")
    plain = cache.cache_for(base, Policy(), (), NOW)
    assert os.stat(plain).st_mode & 0o777 == 0o700
    assert cache.cache_for(base, Policy(), (), NOW + timedelta(days=9)) == plain
    strict = Policy(cooling=CoolingPolicy(min_age=timedelta(days=9)))
    assert cache.cache_for(base, strict, (), NOW) != plain
    active = _approval(1)
    assert cache.cache_for(base, Policy(), [active], NOW) == plain
    ended = [_approval(1, revoked_at=NOW)], [_approval(1, expires_at=NOW)]
    assert (
        cache.cache_for(base, Policy(), ended[0], NOW)
        == cache.cache_for(base, Policy(), ended[1], NOW)
        != plain
    )


def test_caches_that_nobody_uses_go(tmp_path: Path) -> None:
    base = str(tmp_path)
    old, new = (
        cache.cache_for(base, Policy(), (), NOW),
        cache.cache_for(base, Policy(), [_approval(1, revoked_at=NOW)], NOW),
    )
    other = tmp_path / "others"
    other.mkdir()
    cache.remove_unused(base, but=new)
    assert os.path.isdir(old)
    os.utime(os.path.join(old, ".veln-hook"), (0, 0))
    os.utime(os.path.join(new, ".veln-hook"), (0, 0))
    cache.remove_unused(base, but=new)
    assert (os.path.isdir(old), os.path.isdir(new), other.is_dir()) == (False, True, True)


def test_a_checkout_is_forgotten_with_what_was_built_of_it(tmp_path: Path) -> None:
    checkout = tmp_path / "git-v0" / "checkouts" / "abc" / "123"
    built = tmp_path / "sdists-v9" / "git" / "x"
    kept = tmp_path / "sdists-v9" / "pypi"
    for path in (checkout, built, kept, tmp_path / "git-v0" / "db"):
        path.mkdir(parents=True)
    known = Checkouts(str(tmp_path))
    assert known.unjudged() == [str(checkout)]
    known.forget(str(checkout))
    assert known.unjudged() == []
    assert (built.exists(), kept.exists()) == (False, True)


def test_a_checkout_that_was_judged_is_known_until_it_is_made_anew(tmp_path: Path) -> None:
    checkout = tmp_path / "git-v0" / "checkouts" / "abc" / "123"
    head = checkout / ".git" / "HEAD"
    head.parent.mkdir(parents=True)
    head.write_text("1")
    known = Checkouts(str(tmp_path))
    assert not known.is_judged(str(checkout))
    known.remember(str(checkout))
    (checkout / "left by its build").write_text("")
    assert Checkouts(str(tmp_path)).unjudged() == []
    head.unlink()
    assert not known.is_judged(str(checkout))
    head.write_text("1")
    assert known.unjudged() == [str(checkout)]


def test_a_checkout_without_a_repository_of_its_own_is_judged_each_time(tmp_path: Path) -> None:
    checkout, other = tmp_path / "git-v0/checkouts/abc/123", tmp_path / "other"
    for path in (checkout, other):
        path.mkdir(parents=True)
    (other / "HEAD").write_text("1")
    known = Checkouts(str(tmp_path))
    known.remember(str(checkout))
    assert not known.is_judged(str(checkout))
    (checkout / ".git").symlink_to(other)
    known.remember(str(checkout))
    assert not known.is_judged(str(checkout))


def test_compiled_modules_go_and_what_links_lead_to_stays(tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside" / "__pycache__"
    inside = tree / "package" / "__pycache__"
    for path in (inside, outside):
        path.mkdir(parents=True)
        (path / "x.pyc").write_text("")
    (tree / "__pycache__").symlink_to(outside)
    (tree / "link").symlink_to(outside.parent)
    remove_bytecode(str(tree))
    assert not inside.exists()
    assert (outside / "x.pyc").exists()


# Environments


def test_which_environment_is_meant(tmp_path: Path) -> None:
    for name in ("named", ".venv", "active"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "pyvenv.cfg").write_text("")
    where = Places(str(tmp_path), str(tmp_path))

    def prefix(text: str, **environ: str) -> str:
        return target.prefix_of(read_line(classify(text.split())), environ, where)

    assert prefix("pip install -p named x") == str(tmp_path / "named")
    assert prefix("pip install --python=named/bin/python x") == str(tmp_path / "named")
    assert prefix("sync") == str(tmp_path / ".venv")
    (tmp_path / ".venv" / "pyvenv.cfg").unlink()
    assert prefix("pip install x", VIRTUAL_ENV=str(tmp_path / "active")) == str(tmp_path / "active")


def test_what_is_installed_there(tmp_path: Path) -> None:
    (tmp_path / "lib" / "python3.12" / "site-packages" / "Some_Name-1.2.dist-info").mkdir(parents=True)
    assert target.installed_version(str(tmp_path), "some-name") == "1.2"
    assert target.installed_version(str(tmp_path), "other") == ""
    assert target.installed_version(str(tmp_path / "nowhere"), "some-name") == ""


# Services


class Asked:
    """Stands in for a request; what is tested is where it goes."""

    def __init__(self, url: str, location: bytes | None = None) -> None:
        self.url, self.location, self.status = url, location, 302 if location else 200
        self.went = ""

    async def fetch(self) -> Asked:
        return self

    def header(self, name: bytes) -> bytes | None:
        return self.location if name == b"location" else None

    async def forward(self, _answer: Asked) -> None:
        self.went = "through"


class Inner:
    async def answer(self, exchange: Asked) -> None:
        exchange.went = "judged"


def _went(served: services.Services, url: str, location: bytes | None = None) -> str:
    import asyncio

    asked = Asked(url, location)
    asyncio.run(served.answer(asked))
    return asked.went


PYTHONS = "https://github.com/astral-sh/python-build-standalone/releases/download/"


def test_pythons_pass_and_nothing_else_of_their_host() -> None:
    line = classify(["sync"])
    served = services.Services(Inner(), services.prefixes(line, read_line(line), {}, []))
    assert _went(served, f"{PYTHONS}20250101/cpython.tar.gz") == "through"
    for url in (
        "https://github.com/evil/x/archive/main.zip",
        f"{PYTHONS}../../../../evil/x",
        f"{PYTHONS}%2e%2e/%2e%2e/evil",
        f"{PYTHONS}%252e%252e/evil",
        f"{PYTHONS.replace('https', 'http')}x",
        "https://upload.pypi.org/legacy/",
        "https://api.osv.dev/v1/query",
    ):
        assert _went(served, url) == "judged", url


def test_what_they_redirect_to_passes_exactly() -> None:
    line = classify(["python", "install"])
    served = services.Services(Inner(), services.prefixes(line, read_line(line), {}, []))
    asset = "https://assets.example/a?sig=1"
    assert _went(served, asset) == "judged"
    assert _went(served, f"{PYTHONS}x.tar.gz", asset.encode()) == "through"
    assert _went(served, asset) == "through"
    assert _went(served, "https://assets.example/b") == "judged"
    assert _went(served, f"{PYTHONS}y.tar.gz", b"http://plain.example/") == "through"
    assert _went(served, "http://plain.example/") == "judged"


def test_places_that_the_user_names() -> None:
    line = classify(["publish", "--publish-url", "https://user:pw@own.example:443/upload/"])
    urls = services.prefixes(
        line, read_line(line), {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://ci.example/t?x=1"}, []
    )
    assert {"https://own.example/upload/", "https://ci.example/t", "https://upload.pypi.org/"} <= set(urls)
    line = classify(["sync"])
    urls = services.prefixes(line, read_line(line), {"UV_PYTHON_INSTALL_MIRROR": "https://m.example/p"}, [])
    assert "https://m.example/p" in urls
    assert "https://upload.pypi.org/" not in urls
