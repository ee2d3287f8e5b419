"""What ``veln-hook run`` works out before anything is started."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from veln_hook.cli import run, sandbox_probes
from veln_hook.cli.confining import Wishes, confine
from veln_hook.cli.console import Console
from veln_hook.cli.dispatch import load
from veln_hook.cli.parsing import make_parser
from veln_hook.cli.probing import Machine
from veln_hook.errors import UsageError
from veln_hook.policy.settings import Policy, SandboxPolicy
from veln_hook.sandbox.interface import Rung

if TYPE_CHECKING:
    import argparse


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in [
        name for name in os.environ if name.startswith(("VELN_HOOK", "XDG_", "CONDA", "VIRTUAL_ENV"))
    ]:
        monkeypatch.delenv(name)
    made = tmp_path / "home"
    (made / "project").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.chdir(made / "project")
    return made


@pytest.fixture
def project(home):
    return home / "project"


def worked_out(cwd, *command, rung=Rung.NAMESPACES, **wishes):
    asked = Wishes(command=command or ("true",), **wishes)
    return confine(asked, str(cwd), dict(os.environ), rung, terminal=False)


def hidden(confined) -> set[str]:
    return set(confined.confinement.hide)


# --- words -------------------------------------------------------------------------------------------------


def parse(*words: str) -> argparse.Namespace:
    return make_parser(load()).parse_args(["run", *words])


@pytest.mark.parametrize("dashes", [(), ("--",)])
def test_what_follows_the_command_is_its_own(dashes):
    args = parse(
        "--allow", "a.example", "--allow", "b.example:8443", *dashes, "pytest", "-q", "--json", "--", "x"
    )
    wishes = run.wishes_of(args)
    assert wishes.command == ("pytest", "-q", "--json", "--", "x")
    assert wishes.allow == ("a.example", "b.example:8443")
    assert (args.quiet, args.json) == (False, False)


def test_options_before_the_command_are_ours():
    args = parse(
        "-q", "--json", "--learn", "--timeout", "1.5", "--env", "A", "--write", "w", "--read", "r", "--", "x"
    )
    wishes = run.wishes_of(args)
    assert (args.quiet, args.json, wishes.learn, wishes.seconds) == (True, True, True, 1.5)
    assert (wishes.keep, wishes.write, wishes.read) == (("A",), ("w",), ("r",))


@pytest.mark.parametrize("words", [(), ("--",), ("-q", "--"), ("--", "")])
def test_without_a_command_nothing_is_run(words):
    with pytest.raises(UsageError, match="there is no command to run"):
        run.wishes_of(parse(*words))


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan", "inf"])
def test_a_time_is_longer_than_nothing(seconds):
    with pytest.raises(UsageError, match="--timeout"):
        parse("--timeout", seconds, "--", "true")


def test_a_variable_is_named_not_set():
    with pytest.raises(UsageError, match="--env takes a name") as error:
        run.wishes_of(parse("--env", "TOKEN=hunter2", "--", "true"))
    assert "hunter2" not in str(error.value)
    with pytest.raises(UsageError, match="--env takes a name"):
        run.wishes_of(parse("--env", "", "--", "true"))


def test_an_allowed_host_needs_the_gate_and_nothing_else_does(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "h11", None)  # as if it were not installed
    told = Console("run")
    with pytest.raises(UsageError, match="h11 is not installed") as error:
        run.run_on(Rung.NAMESPACES, Wishes(("true",), allow=("a.example",)), Policy(), told)
    assert "pip install 'veln-hook[gate]'" in error.value.advice
    allowing = Policy(sandbox=SandboxPolicy(allow_hosts=("a.example",)))
    with pytest.raises(UsageError, match="h11 is not installed"):
        run.run_on(Rung.NAMESPACES, Wishes(("true",)), allowing, told)


def test_the_probe_of_the_gate(home, monkeypatch):
    assert sandbox_probes.gate(Machine(os.environ)).ok is True
    monkeypatch.setitem(sys.modules, "h11", None)
    optional = sandbox_probes.gate(Machine(os.environ))
    assert (optional.ok, optional.error) == (None, None)
    assert "-m pip install 'veln-hook[gate]'" in optional.remedy
    policy = home / ".config" / "veln-hook" / "policy.toml"
    policy.parent.mkdir(parents=True)
    policy.write_text('[sandbox]\nallow_hosts = ["a.example"]\n')
    needed = sandbox_probes.gate(Machine(os.environ))
    assert needed.ok is False
    assert needed.error is not None
    assert "a.example" in needed.summary


# --- places ------------------------------------------------------------------------------------------------


def test_the_working_directory_is_written(project):
    assert worked_out(project).confinement.write == (str(project),)


def test_a_home_is_not_run_from_unless_it_is_named(home):
    with pytest.raises(UsageError, match="is your home"):
        worked_out(home)
    (home / ".netrc").write_text("secret")
    named = worked_out(home, write=(".",) if os.getcwd() == str(home) else (str(home),))
    assert str(home) in named.confinement.write
    assert str(home / ".netrc") in hidden(named)


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm", "/root", "/run"])
def test_a_private_place_is_not_run_from(home, place):
    with pytest.raises(UsageError, match=r"is your home|holds the files of many programs"):
        worked_out(place)


@pytest.mark.parametrize("place", ["/", "/usr", "/etc"])
def test_a_system_directory_is_run_from_and_not_written(home, place):
    assert worked_out(place).confinement.write == ()


def test_a_place_of_secrets_is_not_run_from(home):
    (home / ".aws" / "deeper").mkdir(parents=True)
    with pytest.raises(UsageError, match="kept from confined commands"):
        worked_out(home / ".aws" / "deeper")


@pytest.mark.parametrize(
    "option, place", [("write", "/"), ("write", "/etc"), ("write", "/tmp"), ("read", "/")]
)
def test_an_option_opens_no_whole_system(project, option, place):
    with pytest.raises(UsageError, match="far more than a command needs"):
        worked_out(project, **{option: (place,)})


@pytest.mark.parametrize("option", ["read", "write"])
def test_no_place_at_all_is_not_the_working_directory(project, option):
    with pytest.raises(UsageError, match=f"--{option} names nothing"):
        worked_out(project, **{option: ("",)})


@pytest.mark.parametrize("option", ["read", "write"])
def test_a_place_that_is_missing_is_told(project, option):
    with pytest.raises(UsageError, match=f"--{option} absent: no such file"):
        worked_out(project, **{option: ("absent",)})


def test_what_others_run_unasked_is_only_read(project):
    for name in (".git/hooks", ".vscode", "venv", "src"):
        (project / name).mkdir(parents=True)
    (project / "venv" / "pyvenv.cfg").write_text("")
    (project / ".envrc").write_text("")
    guarded = {str(project / name) for name in (".git", ".vscode", "venv", ".envrc")}
    found = worked_out(project)
    assert set(found.guarded) == guarded
    assert guarded <= set(found.confinement.read)
    opened = worked_out(project, write=(".git", "venv"))
    assert set(opened.guarded) == {str(project / name) for name in (".vscode", ".envrc")}
    assert set(opened.confinement.write) == {str(project), str(project / ".git"), str(project / "venv")}


def test_the_rest_of_a_repository_is_read(project):
    (project / ".git").mkdir()
    (project / "package").mkdir()
    read = worked_out(project / "package").confinement.read
    assert {str(project), str(project / ".git")} <= set(read)


def test_a_repository_that_is_a_home_is_not(home, project):
    (home / ".git").mkdir()
    assert not {str(home), str(home / ".git")} & set(worked_out(project).confinement.read)


@pytest.mark.parametrize("rung, hides", [(Rung.NAMESPACES, True), (Rung.SUPERVISOR, False)])
def test_a_password_in_gits_settings(project, rung, hides):
    (project / ".git").mkdir()
    config = project / ".git" / "config"
    config.write_text('[remote "origin"]\n\turl = https://me:hunter2hunter2@example.org/r.git\n')
    assert (str(config) in hidden(worked_out(project, rung=rung))) is hides
    assert str(config) not in hidden(worked_out(project, rung=rung, read=(".git/config",)))


def test_a_secret_place_is_opened_by_its_own_name_or_a_more_exact_one(home, project):
    aws = home / ".aws"
    (aws / "sso").mkdir(parents=True)
    for name in ("config", "credentials"):
        (aws / name).write_text("x")
    assert str(aws) in hidden(worked_out(project))
    assert str(aws) in hidden(worked_out(project, read=(str(home),)))
    assert not [path for path in hidden(worked_out(project, read=(str(aws),))) if path.startswith(str(aws))]
    partly = hidden(worked_out(project, read=(str(aws / "config"),)))
    assert {str(aws / "credentials"), str(aws / "sso")} <= partly
    assert not {str(aws), str(aws / "config")} & partly


def test_the_program_is_read_with_its_environment(home, project):
    program = home / "envs" / "tool" / "bin" / "tool"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (home / "envs" / "tool" / "pyvenv.cfg").write_text("")
    read = worked_out(project, str(program)).confinement.read
    assert {str(program), str(home / "envs" / "tool")} <= set(read)
    assert str(home / "envs") not in read


CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "content, is_read", [(CERTIFICATE, True), (CERTIFICATE + KEY, False), ("password", False), ("", False)]
)
def test_trusted_certificates_are_read_where_they_lie(project, monkeypatch, content, is_read):
    bundle = project.parent / "company.pem"
    bundle.write_text(content)
    for name in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(bundle))
        found = worked_out(project)
        assert found.confinement.environment[name] == str(bundle)
        assert (str(bundle) in found.confinement.read) is is_read
        monkeypatch.delenv(name)


def test_certificates_that_are_no_file_open_nothing(home, project, monkeypatch):
    (home / "certificates").mkdir()
    for name, value in (
        ("SSL_CERT_DIR", str(home / "certificates")),
        ("SSL_CERT_FILE", str(home / "absent")),
        ("NODE_EXTRA_CA_CERTS", "relative.pem"),
        ("GIT_SSL_CAINFO", "/dev/zero"),
    ):
        monkeypatch.setenv(name, value)
    (project / "relative.pem").write_text(CERTIFICATE)
    read = worked_out(project).confinement.read
    assert not {str(home / "certificates"), str(home / "absent"), "relative.pem", "/dev/zero"} & set(read)


# --- the environment ---------------------------------------------------------------------------------------


def test_credentials_go_and_come_back_by_name(project, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_16C7e42F292c6912E7710c838347Ae178B4a")
    monkeypatch.setenv("PLAIN", "plain")
    found = worked_out(project)
    assert "GITHUB_TOKEN" in found.removed
    assert "GITHUB_TOKEN" not in found.confinement.environment
    assert found.confinement.environment["PLAIN"] == "plain"
    assert "GITHUB_TOKEN" in worked_out(project, keep=("GITHUB_TOKEN",)).confinement.environment


def test_a_command_of_any_kind_has_no_limit_that_only_builds_need(project):
    limits = worked_out(project, seconds=3).confinement.limits
    assert (limits.file_size, limits.memory, limits.seconds) == (None, None, 3)
