"""veln_hook.sandbox.hiding.secrets: what stays hidden from builds."""

from __future__ import annotations

import os
import sys

import pytest
from hiding_homes import covered, hidden, opened, put

from veln_hook import paths
from veln_hook.sandbox.hiding import secrets, toolchains

DIRECTORIES = """
.aws .ssh .config/gh .docker .kube .gnupg .azure .config/gcloud .oci .terraform.d .mozilla .config/google-chrome
.config/google-chrome-beta .config/chromium .config/BraveSoftware .config/microsoft-edge .thunderbird snap
.var/app .local/share/keyrings .local/share/kwalletd .password-store .bitcoin .electrum .config/solana
.config/Exodus .config/Slack .config/discord .config/discordcanary .config/Signal .local/share/TelegramDesktop
.claude .codex .gemini .config/github-copilot .cursor .local/share/opencode .config/pypoetry .local/share/uv/credentials
.config/doctl .config/hcloud .config/helm .vscode-server/data .local/share/atuin .jupyter .local/share/containers
Library/Keychains Library/Safari
""".split()  # noqa: SIM905 - a list of these would be a page
FILES = """
.netrc .pypirc .git-credentials .config/git/credentials .npmrc .yarnrc.yml .cargo/credentials.toml .cargo/credentials
.gem/credentials .config/pip/pip.conf .pip/pip.conf .condarc .m2/settings.xml .gradle/gradle.properties .pgpass
.my.cnf .vault-token .databrickscfg .bash_history .zsh_history .python_history .python_history-0815.tmp
.node_repl_history .psql_history .sqlite_history .lesshst .viminfo .local/share/fish/fish_history
.ipython/profile_default/history.sqlite .bashrc .zshrc .profile .config/fish/config.fish .env .claude.json
.cache/huggingface/token .kaggle/kaggle.json .Xauthority .erlang.cookie .fly/config.yml .streamlit/secrets.toml
.local/state/python/history .dotnet/corefx/x509stores/my/1.pfx
""".split()  # noqa: SIM905
HARMLESS = """
src/x/setup.py .vimrc .config/user-dirs.dirs .local/bin/black .cargo/bin/cargo .cargo/registry/x .rustup/settings.toml
.pyenv/version .cache/pip/x .config/git/ignore .fly/bin/fly .docs/x .gitignore_global .config/Code/User/settings.json
""".split()  # noqa: SIM905


@pytest.fixture
def home(tmp_path):
    place = tmp_path / "home"
    place.mkdir()
    return place


@pytest.mark.parametrize("name", DIRECTORIES)
def test_a_directory_of_secrets_is_hidden(home, name):
    assert not covered(home / name, hidden(home))
    put(home / name / "inside")
    assert covered(home / name / "inside", hidden(home))


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_secrets_is_hidden(home, name):
    assert not covered(home / name, hidden(home))
    put(home / name)
    assert covered(home / name, hidden(home))


def test_the_rest_of_a_home_is_not_named(home):
    made = [put(home / name) for name in HARMLESS]
    assert [name for name in made if covered(name, hidden(home))] == []


def test_what_is_named_exists_and_none_lies_below_another(home):
    for name in (*DIRECTORIES, *FILES):
        put(home / name / "inside" if name in DIRECTORIES else home / name)
    places = hidden(home)
    assert len(places) > 70
    assert all(os.path.lexists(place) and os.path.realpath(place) == place for place in places)
    assert [a for a in places for b in places if a != b and covered(a, [b])] == []
    assert list(places) == sorted(places)


def test_variables_of_xdg_move_what_is_hidden(home, tmp_path):
    moved = {name: tmp_path / name for name in ("config", "data", "state", "cache")}
    made = [
        put(moved["config"] / "gh/hosts.yml"),
        put(moved["data"] / "keyrings/login.keyring"),
        put(moved["state"] / "python/history"),
        put(moved["cache"] / "huggingface/token"),
    ]
    places = hidden(home, **{f"XDG_{name.upper()}_HOME": str(place) for name, place in moved.items()})
    assert all(covered(name, places) for name in made)
    assert not covered(moved["config"], places)
    assert not any(
        covered(name, hidden(home, XDG_CONFIG_HOME="config")) for name in made
    )  # relative: ignored


def test_a_link_does_not_move_a_secret_into_sight(home, tmp_path):
    put(tmp_path / "elsewhere/credentials")
    put(tmp_path / "rc")
    (home / ".aws").symlink_to(tmp_path / "elsewhere")
    (home / ".netrc").symlink_to("../rc")
    places = hidden(home)
    assert str(tmp_path / "elsewhere") in places
    assert str(tmp_path / "rc") in places


@pytest.mark.parametrize("target", ["/", "/usr", "/etc", ".", "..", "/dev/null", "nowhere", ".aws"])
def test_a_link_does_not_hide_the_machine(home, target):
    before = hidden(home)
    (home / ".aws").symlink_to(target)
    assert hidden(home) == before


@pytest.mark.parametrize(
    "name",
    [
        "GOOGLE_APPLICATION_CREDENTIALS", "KUBECONFIG", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "NETRC",
        "AWS_WEB_IDENTITY_TOKEN_FILE", "PGPASSFILE", "HISTFILE", "PIP_CLIENT_CERT", "DB_PASSWORD_FILE", "XAUTHORITY",
        "SOPS_AGE_KEY_FILE", "MY_TOKEN_PATH", "npm_config_userconfig", "TF_CLI_CONFIG_FILE",
    ],
)  # fmt: skip
def test_a_file_that_a_variable_names_is_hidden(home, tmp_path, name):
    place = put(tmp_path / "project/some.file")
    assert place in hidden(home, **{name: place})
    assert place not in hidden(home, **{name: "some.file"})
    assert hidden(home, **{name: "/dev/null"}) == hidden(home)
    assert hidden(home, **{name: place + ".absent"}) == hidden(home)


def test_several_files_in_one_variable(home, tmp_path):
    both = [put(tmp_path / "one"), put(tmp_path / "two")]
    assert set(both) <= set(hidden(home, KUBECONFIG=os.pathsep.join(both)))
    assert both[0] in hidden(home, KRB5CCNAME="FILE:" + both[0])
    assert put(home / "three") in hidden(home, KUBECONFIG="~/three")


@pytest.mark.parametrize(
    "name", ["DOCKER_CONFIG", "GNUPGHOME", "CLOUDSDK_CONFIG", "GH_CONFIG_DIR", "AZURE_CONFIG_DIR"]
)
def test_a_directory_that_a_variable_names_is_hidden(home, tmp_path, name):
    place = tmp_path / "moved"
    place.mkdir()
    assert str(place) in hidden(home, **{name: str(place)})
    for wide in (
        "/",
        "/usr",
        "/etc",
        "/tmp",
        str(home),
        str(tmp_path),
        sys.base_prefix,
        os.path.dirname(sys.prefix),
    ):
        assert hidden(home, **{name: wide}) == hidden(home)


def test_only_the_credentials_of_a_tool_that_was_moved(home, tmp_path):
    key, tool = put(tmp_path / "cargo/credentials.toml"), put(tmp_path / "cargo/bin/cargo")
    places = hidden(home, CARGO_HOME=str(tmp_path / "cargo"))
    assert key in places
    assert not covered(tool, places)


@pytest.mark.parametrize(
    "text, holds",
    [
        ("[global]\nindex-url = https://pypi.org/simple\n", False),
        ("[global]\nindex-url = https://me:hunter2@pypi.example/simple\n", True),
        ("[http]\n\textraheader = AUTHORIZATION: basic eDp5\n", True),
        ('[url "https://ghp_aB3dE5fG7hJ9kL2mN4pQ6rS8@github.com/"]\n\tinsteadOf = git@github.com:\n', True),
        (
            "[user]\n\tname = Ann\n\temail = a@example.org\n[safe]\n\tdirectory = *\n[credential]\n\thelper = store\n",
            False,
        ),
        ("[sendemail]\n\tsmtpPass = hunter22\n", True),
        ("//registry.npmjs.org/:_authToken=npm_aB3dE5fG7hJ9kL2mN4pQ6rS8aB3dE5fG7hJ9\n", True),
        ("channels:\n  - https://conda.anaconda.org/t/ab-12345678/corp\n", True),
        ("# long\n" * 200_000, True),
    ],
)
def test_settings_are_hidden_where_they_hold_a_password(home, tmp_path, text, holds):
    place, git = put(tmp_path / "pip.conf", text), put(home / ".gitconfig", text)
    assert (place in hidden(home, PIP_CONFIG_FILE=place)) is holds
    assert (git in hidden(home)) is holds
    assert (git in opened(home)) is not holds


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_settings_that_can_not_be_read_are_hidden(home):
    place = put(home / ".gitconfig", "[user]\n")
    os.chmod(place, 0)
    assert place in hidden(home)


def test_a_pipe_in_place_of_settings_is_not_waited_for(home, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert str(tmp_path / "fifo") not in hidden(home, PIP_CONFIG_FILE=str(tmp_path / "fifo"))


@pytest.mark.parametrize(
    "place", ["/etc/shadow", "/etc/gshadow", "/etc/ssl/private", "/var/lib/docker", "/run/secrets"]
)
def test_secrets_of_the_machine(home, place):
    assert (place in hidden(home)) is os.path.lexists(place)


def test_the_store_is_hidden(home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    put(paths.store_file())
    assert covered(paths.store_file(), hidden(home))


def test_a_home_that_does_not_exist(tmp_path):
    assert secrets(str(tmp_path / "absent"), {}) == secrets(str(tmp_path / "other"), {})
    assert toolchains(str(tmp_path / "absent"), {}) == toolchains(str(tmp_path / "other"), {})
