from __future__ import annotations

from datetime import datetime, timezone

import pytest

from support import cache
from support.builders import make_wheel
from veln_hook.archive import describe_archive, wheel_contents
from veln_hook.model import Archive, ArchiveKind, Confidence, Origin, Severity
from veln_hook.policy.settings import Policy
from veln_hook.signals import ArchiveContext
from veln_hook.signals.release import overwrite

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
PREFIX = "/opt/env"


def findings(
    members=(),
    *,
    project="demo",
    commands=(),
    claims=(),
    policy_files=(),
    kind=ArchiveKind.WHEEL,
    prefix=PREFIX,
):
    archive = Archive("/x", kind, Origin.FETCHED, "demo-1.0-py3-none-any.whl", project, "1.0", "a" * 64)
    context = ArchiveContext(
        now=NOW, policy=Policy(), observations=(), members=members, commands=commands, prefix=prefix,
        policy_files=policy_files, store_started_at=NOW, store_persistent=True, claims=claims,
    )  # fmt: skip
    return list(overwrite.veln_hook_examine_archive(archive, context))


def of_wheel(path):
    archive = describe_archive(str(path), origin=Origin.FETCHED)
    contents = wheel_contents(str(path))
    return findings(
        contents.members, project=archive.project, commands=contents.commands, claims=contents.claims
    )


HOSTILE = [
    "veln_hook/_startup.py",
    "veln_hook_startup.pth",
    "veln_hook.py",
    "veln_hook",
    "pip/__init__.py",
    "pip.py",
    "pip.cpython-313-x86_64-linux-gnu.so",
    "packaging/version.py",
    "pluggy/__init__.py",
    "platformdirs/unix.py",
    "tomli/__init__.py",
    "tomli.abi3.so",
    "veln-hook.egg-link",
    "_veln_hook.pth",
    "__editable__.veln_hook-1.0.pth",
    # metadata
    "pip-99.dist-info/METADATA",
    "pip.dist-info/METADATA",
    "veln_hook-99.dist-info/RECORD",
    "veln-hook-99.dist-info/RECORD",
    "Veln.Hook-99.egg-info/PKG-INFO",
    "packaging-99.egg-info",
    "packaging-x-99.dist-info/METADATA",  # importlib.metadata takes it for packaging's
    # ways to spell a path
    "./pip/__init__.py",
    "demo/../pip/__init__.py",
    "demo//..//pip/__init__.py",
    "PIP/__init__.py",
    "Veln_Hook/x.py",
    "\uff50\uff49\uff50/__init__.py",
    "\ufb01le/../pip/__init__.py",
    "pip\\__init__.py",
    "demo\\..\\pip\\__init__.py",
    # out of site-packages
    "../x.py",
    "demo/../../x.py",
    "..",
    "/etc/passwd",
    "\\etc\\passwd",
    "C:\\x.py",
    "c:/x.py",
    # schemes
    "demo-1.0.data/purelib/pip/__init__.py",
    "demo-1.0.data/platlib/veln_hook/x.py",
    "demo-1.0.DATA/PurelIb/pip/__init__.py",
    "demo-1.0.data/purelib/pip-99.dist-info/METADATA",
    "demo-1.0.data/purelib/../purelib/pip/x.py",
    "demo-1.0.data/scripts/pip",
    "demo-1.0.data/scripts/PIP3.exe",
    "demo-1.0.data/scripts/pip3.13",
    "demo-1.0.data/scripts/python",
    "demo-1.0.data/scripts/python3.13t",
    "demo-1.0.data/scripts/pythonw.exe",
    "demo-1.0.data/scripts/pypy3.10",
    "demo-1.0.data/scripts/veln-hook",
    "demo-1.0.data/scripts/veln-hook-script.py",
    "demo-1.0.data/data/bin/python3",
    "demo-1.0.data/data/Scripts/pip.exe",
    "demo-1.0.data/data/lib/python3.13/site-packages/pip/__init__.py",
    "demo-1.0.data/data/lib64/python3.13/site-packages/veln_hook_startup.pth",
    "demo-1.0.data/data/Lib/site-packages/pluggy/__init__.py",
    "demo-1.0.data/data/lib/python3/dist-packages/packaging/x.py",
    "demo-1.0.data/data/pyvenv.cfg",
    "demo-1.0.data/data/pip.conf",
    "demo-1.0.data/data/veln-hook.toml",
    "demo-1.0.data/data/state/veln-hook/store.sqlite3",  # ~/.local is the prefix of a user install
    "demo-1.0.data/data/etc/xdg/veln-hook/policy.toml",
    "demo-1.0.data/headers/../../../x",
    "demo-1.0.data/data/veln_hook/__init__.py",  # with --target, the prefix becomes site-packages
    "demo-1.0.data/data/pip/__init__.py",
    "veln_hook_startup.start",  # PEP 829: silences the .pth of the same name
    "demo-1.0.data/scripts/activate",
    "demo-1.0.data/scripts/Activate.ps1",
    "demo-1.0.data/data/bin/activate_this.py",
    "demo-1.0.data/data/bin/deactivate.nu",
    "demo-1.0.data/data/lib/python3.13/site.py",
    "demo-1.0.data/data/lib64/python3.13t/encodings/__init__.py",
]  # fmt: skip


@pytest.mark.parametrize("member", HOSTILE)
def test_a_member_that_lands_on_what_protects_us_is_critical(member):
    (finding,) = findings(["demo/__init__.py", member, "demo/z.py"])
    assert (finding.severity, finding.confidence) == (Severity.CRITICAL, Confidence.HIGH)
    assert finding.signal == "overwrite"
    assert finding.path == member
    assert "another project than demo" in finding.message
    assert not finding.unverifiable
    assert finding.opens_at is None


HONEST = [
    "demo/__init__.py",
    "demo/pip/__init__.py",
    "demo/_vendor/packaging/version.py",
    "setuptools/_vendor/packaging/__init__.py",
    "setuptools/_vendor/tomli-2.0.1.dist-info/METADATA",
    "packaging_legacy/__init__.py",
    "tomli_w/__init__.py",
    "tomli_w-1.2.0.dist-info/RECORD",
    "pipx/__init__.py",
    "pipx-1.0.dist-info/METADATA",
    "pip_audit/__init__.py",
    "pip_tools-7.0.dist-info/METADATA",
    "piptools/__init__.py",
    "pluggy_ext.py",
    "distutils-precedence.pth",
    "demo-1.0.data/headers/pip/x.h",
    "demo-1.0.data/headers/pip.h",
    "demo-1.0.data/scripts/pipx",
    "demo-1.0.data/scripts/activate-global-python-argcomplete",
    "demo-1.0.data/data/lib/demo/python3/x.py",
    "demo-1.0.data/data/lib/pkgconfig/python-3.13.pc",
    "demo.start",
    "demo-1.0.data/scripts/pip-compile",
    "demo-1.0.data/scripts/ipython",
    "demo-1.0.data/scripts/pythonic",
    "demo-1.0.data/scripts/python-demo",
    "demo-1.0.data/data/share/doc/pip/readme",
    "demo-1.0.data/data/share/pip.conf",
    "demo-1.0.data/data/etc/demo.conf",
    "demo-1.0.data/data/bin/demo",
    "demo-1.0.data/data/lib/python3.13/site-packages/demo/x.py",
    "demo-1.0.data",
    "demo-1.0.data/purelib",
]  # fmt: skip


@pytest.mark.parametrize("member", HONEST)
def test_names_that_only_resemble_ours_pass(member):
    assert findings([member]) == []


def test_a_project_whose_name_begins_another_does_not_own_its_metadata():
    (finding,) = findings(["veln_hook-9.dist-info/METADATA"], project="veln")
    assert "files of veln-hook" in finding.message


@pytest.mark.parametrize(
    ("project", "members", "commands"),
    [
        ("pip", ["pip/__init__.py", "pip-26.3.dist-info/RECORD", "pip-26.3.data/scripts/pip"], ["pip", "pip3", "pip3.13"]),
        ("veln-hook", ["veln_hook/x.py", "veln_hook_startup.pth", "veln_hook-1.dist-info/RECORD"], ["veln-hook"]),
        ("veln-hook", ["_veln_hook.pth", "veln_hook-1.data/data/share/veln-hook/x"], []),
        ("packaging", ["packaging/__init__.py", "packaging-26.dist-info/RECORD"], []),
        ("veln-hook-acme", ["__editable__.veln_hook_acme-1.0.pth", "veln_hook_acme-1.0.dist-info/RECORD"], []),
        ("veln-hook-acme", ["veln_hook_acme/__init__.py", "veln-hook-acme-1.0.dist-info/RECORD"], ["veln-hook-acme"]),
        ("pip-audit", ["pip_audit/x.py", "pip-audit-1.0.dist-info/METADATA"], ["pip-audit"]),
        ("packaging-legacy", ["packaging_legacy/x.py", "packaging-legacy-23.0.dist-info/RECORD"], []),
        ("pip-tools", ["piptools/x.py"], ["pip-compile", "pip-sync"]),
    ],
)  # fmt: skip
def test_a_project_may_write_its_own_files(project, members, commands):
    assert findings(members, project=project, commands=commands) == []


@pytest.mark.parametrize(
    ("project", "member"),
    [
        ("pip", "veln_hook/x.py"),
        ("pip", "packaging/x.py"),
        ("packaging", "pip/x.py"),
        ("veln-hook", "pip/x.py"),
        ("veln-hook-acme", "veln_hook_startup.pth"),
        ("veln-hook-acme", "veln_hook/x.py"),
        ("pip", "pip-1.data/scripts/python3"),
        ("python", "python-1.data/scripts/python3"),
        ("", "pip/x.py"),
    ],
)
def test_what_belongs_to_one_of_us_is_foreign_to_the_others(project, member):
    assert len(findings([member], project=project)) == 1


@pytest.mark.parametrize(
    "command",
    ["pip", "PIP", "pip3", "pip3.13", "python", "python3.12", "python3.13t", "pythonw", "pypy3", "veln-hook", "\uff50\uff49\uff50", "[pip",
     "../bin/pip", "../lib/python3.13/site-packages/veln_hook/x.py", "../x", "x/../pip", "x/../../bin/pip", "..\\bin\\pip", "/bin/sh", "c:/x", "."],
)  # fmt: skip
def test_a_command_that_would_replace_ours_is_critical(command):
    (finding,) = findings(["demo/__init__.py"], commands=["demo", command])
    assert finding.severity is Severity.CRITICAL
    assert repr(command) in finding.message


@pytest.mark.parametrize(
    "command", ["pipx", "pip-compile", "pipenv", "ipython", "pytest", "veln-hook-acme", "x/demo"]
)
def test_other_commands_pass(command):
    assert findings([], commands=[command]) == []


@pytest.mark.parametrize(
    "claim",
    ["veln_hook/_startup.py", "veln_hook_startup.pth", "pip/__init__.py", "demo/../pip/x.py", "pip-26.3.dist-info/METADATA", "veln_hook",
     "../../../bin/pip", "../../../bin/python3", "../../../bin/veln-hook", "../../../pyvenv.cfg", "../../../veln-hook.toml",
     "../site-packages/pip/x.py", "/opt/env/bin/pip", "/opt/env/lib/python3.13/site-packages/pluggy/x.py",
     "../../../state/veln-hook/store.sqlite3", "/home/me/.local/state/veln-hook/store.sqlite3", "/home/me/.config/veln-hook/policy.toml",
     "demo.egg-info/../packaging/x.py"],
)  # fmt: skip
def test_what_record_names_without_bringing_it_is_critical(claim):
    (finding,) = findings(
        ["demo/__init__.py"], claims=[claim], policy_files=["/home/me/.config/veln-hook/policy.toml"]
    )
    assert finding.severity is Severity.CRITICAL
    assert "uninstalling it would delete" in finding.message


@pytest.mark.parametrize(
    "claim",
    ["demo/gone.py", "../../../bin/demo", "/usr/share/demo", "", ".", "../../../share/man/man1/demo.1"],
)
def test_stale_lines_of_record_pass(claim):
    assert findings(claims=[claim]) == []


@pytest.mark.parametrize(
    ("member", "policy_file"),
    [
        ("demo-1.0.data/data/some.toml", f"{PREFIX}/some.toml"),
        ("demo-1.0.data/data/a/../SOME.toml", f"{PREFIX}/some.toml"),
        ("demo-1.0.data/data/etc/p.toml", f"{PREFIX}/x/../etc/p.toml"),
    ],
)
def test_a_policy_file_is_found_through_the_data_scheme(member, policy_file):
    (finding,) = findings([member], policy_files=[policy_file])
    assert "a policy file" in finding.message


@pytest.mark.parametrize("kind", [ArchiveKind.SDIST, ArchiveKind.DIRECTORY])
def test_what_would_be_installed_of_a_source_counts_like_a_wheel(kind):
    assert len(findings(["pip/x.py"], kind=kind)) == 1


def test_one_finding_decides_however_many_members_there_are():
    assert len(findings(["pip/x.py"] * 1000, commands=["pip"], claims=["pip/y.py"])) == 1


def test_the_finding_says_whose_wheel_it_was():
    (finding,) = findings(["pip/x.py"])
    assert finding.evidence == "demo"


def _honest_wheels():
    for version in ("21.3.1", "26.3"):
        yield cache.pip_wheel(version)
    for python in ("3.9", "3.13"):
        yield from cache.dependency_wheels(python)
    yield from cache.legacy_build_wheels()
    yield from cache.pip_tools_wheels("3.13")


def test_real_wheels_pass(hook_wheel):
    for path in (hook_wheel, *_honest_wheels()):
        assert of_wheel(path) == [], path


@pytest.mark.parametrize(
    ("name", "files", "entry_points"),
    [
        ("pipx", {"pipx/main.py": ""}, "[console_scripts]\npipx = pipx.main:cli\n"),
        ("pip_audit", {"pip_audit/_cli.py": ""}, "[console_scripts]\npip-audit = pip_audit._cli:audit\n"),
        ("tomli_w", {"tomli_w/__init__.py": ""}, ""),
        ("packaging_legacy", {"packaging_legacy/version.py": ""}, ""),
        ("virtualenv", {"virtualenv/seed/wheels/embed/pip-26.3-py3-none-any.whl": ""}, ""),
    ],
)
def test_wheels_with_names_like_ours_pass(tmp_path, name, files, entry_points):
    assert of_wheel(make_wheel(tmp_path, name, "1.0", files, entry_points=entry_points)) == []
