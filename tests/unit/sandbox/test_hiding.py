"""veln_hook.sandbox.hiding: what stays hidden, and what is opened again for builds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


def put(path, text="x\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def covered(path, places):
    return any(str(path) == place or str(path).startswith(place + "/") for place in places)


def hidden(home, **environ):
    return secrets(str(home), environ)


def opened(home, **environ):
    return toolchains(str(home), environ)


# --- what stays hidden ------------------------------------------------------------------------------------


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


# --- what is opened ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        ".cargo/bin/rustc", ".rustup/toolchains/stable/bin/rustc", ".pyenv/versions/3.12/bin/python3", ".local/bin/x",
        ".local/lib/python3.12/site-packages/x.py", ".local/share/uv/python/cpython-3.12/bin/python3.12",
        ".nvm/versions/node/v20/bin/node", "miniconda3/bin/python", ".config/git/ignore", ".sdkman/candidates/java/x",
    ],
)  # fmt: skip
def test_known_installations_are_opened(home, place):
    assert not covered(home / place, opened(home))
    assert covered(put(home / place), opened(home))


def test_directories_on_path_and_what_is_beside_them(home):
    made = [
        put(home / name)
        for name in ("opt/llvm/bin/clang", "opt/llvm/lib/libx.so", "opt/llvm/share/y", "bin/mine")
    ]
    private = [
        put(home / name)
        for name in ("opt/notes", "opt/llvm/notes", "lib.txt", "share.txt", "work/bin/x", "work/x")
    ]
    places = opened(home, PATH=f"/usr/bin:{home}/opt/llvm/bin:{home}/bin:~/other::.:work/bin")
    assert all(covered(name, places) for name in made)
    assert not any(covered(name, places) for name in private)


@pytest.mark.parametrize("mark", ["conda-meta/history", "pyvenv.cfg", "release", "VERSION"])
def test_an_installation_is_opened_as_a_whole(home, mark):
    tool, other = put(home / "opt/tool/bin/x"), put(home / "opt/tool/x86_64-linux-gnu/sysroot/crt1.o")
    assert not covered(other, opened(home, PATH=os.path.dirname(tool)))
    put(home / "opt/tool" / mark)
    assert covered(other, opened(home, PATH=os.path.dirname(tool)))


@pytest.mark.parametrize(
    "name, value, inside",
    [
        ("CC", "{}/gcc/bin/gcc -m64", "gcc/bin/gcc"), ("CC", "{}/gcc/bin/gcc", "gcc/lib/cc1"), ("JAVA_HOME", "{}/jdk", "jdk/lib/x"),
        ("PKG_CONFIG_PATH", "/usr/lib:{}/pc", "pc/x.pc"), ("LD_LIBRARY_PATH", "{}/a:{}/b", "b/libx.so"),
        ("PYTHONPATH", "{}/code", "code/m.py"), ("RUSTUP_HOME", "{}/rust", "rust/toolchains/x"), ("VIRTUAL_ENV", "~/venv", "venv/x"),
    ],
)  # fmt: skip
def test_what_variables_name_is_opened(home, name, value, inside):
    place = put(home / inside)
    assert not covered(place, opened(home))
    assert covered(place, opened(home, **{name: value.replace("{}", str(home))}))


def test_a_link_is_opened_with_its_target(home, tmp_path):
    tool = put(tmp_path / "real/bin/tool")
    (home / "named").symlink_to(tmp_path / "real")
    places = opened(home, PATH=f"{home}/named/bin")
    assert str(home / "named/bin") in places
    assert covered(tool, places)


def test_a_way_back_through_a_link_opens_what_it_leads_to(home):
    diary, tool = put(home / "mine/diary"), put(home / "opt/tool/x")
    put(home / "opt/tool/deep/x")
    (home / "mine/link").symlink_to(home / "opt/tool/deep")
    places = opened(home, PATH=f"{home}/mine/link/..")
    assert covered(tool, places)
    assert not covered(diary, places)


@pytest.mark.parametrize(
    "value",
    [
        "/", "//", "~", "~/", "{}", "{}/", "{}/.", "{}/..", "{}/x/..", "/tmp", "/run", "/dev", "/proc/self/root", "/home",
        "/root", "/proc", "{}/.ssh", "{}/.ssh/bin", "{}/.config", "{}/.local", "{}/Documents", "{}/toroot", "{}/tohome",
        "{}/tohome/.ssh/bin", "{}/tossh", "{}/tossh/bin", "{}/tossh/..", "{}/toroot/{}", "{}/.docker/bin", "{}/.mozilla",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["PATH", "PYTHONPATH", "JAVA_HOME", "CC", "VIRTUAL_ENV"])
def test_no_variable_opens_a_home_or_a_secret(home, name, value):
    guarded = [
        put(home / name)
        for name in (".ssh/bin/id", ".docker/bin/x", "Documents/x", ".config/x", ".mozilla/x", "x/y", "z")
    ]
    for link, target in (("toroot", "/"), ("tohome", home), ("tossh", ".ssh")):
        (home / link).symlink_to(target)
    environ = {name: value.replace("{}", str(home))}
    if value == "{}/x/..":
        guarded.remove(str(home / "x/y"))
    real = [os.path.realpath(place) for place in opened(home, **environ)]
    assert [name for name in guarded if covered(name, real)] == []


NAMES = [
    "bin",
    "lib",
    ".ssh",
    ".config",
    "gh",
    "tool",
    "..",
    ".",
    "out",
    "in",
    "Documents",
    ".netrc",
    ".local",
    "share",
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.sampled_from(NAMES), max_size=4), min_size=1, max_size=4),
    st.sampled_from(["PATH", "PYTHONPATH", "CONDA_PREFIX"]),
)
def test_nothing_that_is_opened_shows_a_secret(tmp_path, places, name):
    home = tmp_path / "home"
    canaries = [
        home / canary
        for canary in (".ssh/bin/key", ".config/gh/bin/hosts", ".netrc", "Documents/diary", "diary")
    ]
    if not home.exists():
        for canary in (
            *canaries,
            home / "tool/bin/x",
            home / "tool/lib/.ssh/x",
            home / ".local/share/keyrings/k",
        ):
            put(canary)
        (home / "out").symlink_to("..")
        (home / "tool/in").symlink_to("../.ssh")
        (home / "tool/out").symlink_to(home)
    environ = {name: os.pathsep.join(os.path.join(home, *place) for place in places)}
    closed, real = (
        secrets(str(home), environ),
        [os.path.realpath(place) for place in toolchains(str(home), environ)],
    )
    for place in real:
        assert not covered(home, [place])  # neither the home nor what is above it
        assert not covered(place, closed)
    readable = [
        canary
        for canary in (*canaries, home / ".local/share/keyrings/k")
        if covered(canary, real) and not covered(canary, closed)
    ]
    # A file that lies directly in a directory on PATH counts as a program.
    assert (
        readable in ([], [home / "Documents/diary"])
        if any("Documents" in place for place in places)
        else readable == []
    )


# --- the running interpreter ------------------------------------------------------------------------------

ASK = """
import json, os, sys
from veln_hook.sandbox.hiding import secrets, toolchains
home = os.environ["HOME"]
print(json.dumps([toolchains(home, os.environ), secrets(home, os.environ), sys.path, sys.executable, sys.prefix]))
"""


def ask(python, home, cwd, *run):
    """Ask another interpreter what it would open and hide."""
    here = [str(paths.PACKAGE_DIR.parent), *(entry for entry in sys.path if "site-packages" in entry)]
    environ = {"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(here)}
    command = [str(python), *(run or ("-c", ASK))]
    told = subprocess.run(command, env=environ, cwd=cwd, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(told)


@pytest.fixture
def venv(home):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "env")], check=True)
    return home / "env"


def test_the_interpreter_can_be_started_and_imports(home, venv, tmp_path):
    conf = put(venv / "pip.conf", "[global]\nindex-url = https://me:hunter2@pypi.example/simple\n")
    diary = put(home / "diary")
    places, closed, path, executable, prefix = ask(venv / "bin/python", home, tmp_path)
    in_home = [entry for entry in (*path, executable, prefix) if covered(entry, [str(home)])]
    assert len(in_home) > 2
    assert all(covered(entry, places) for entry in in_home)
    assert not covered(diary, places)
    assert covered(conf, places)  # opened with the environment,
    assert conf in closed  # and hidden in it


def test_every_link_to_the_interpreter_is_opened_and_nothing_beside_it(home, venv, tmp_path):
    beside = put(home / "shortcuts/other")
    (home / "shortcuts/py").symlink_to(home / "env/bin/python")
    places, *_ = ask(home / "shortcuts/py", home, tmp_path)
    assert covered(home / "shortcuts/py", places)
    assert covered(home / "env/bin/python", places)
    assert not covered(beside, places)


def test_the_working_directory_is_not_opened_because_modules_are_run_there(home, venv):
    # `python -m pip` puts the working directory at the front of sys.path.
    work = home / "letters"
    put(work / "asking.py", ASK)
    places, _, path, *_ = ask(venv / "bin/python", home, work, "-m", "asking")
    assert path[0] == str(work)
    assert not covered(work / "asking.py", places)


def test_a_project_that_is_imported_from_keeps_its_env_file(home, tmp_path, monkeypatch):
    code, password = put(home / "project/m.py"), put(home / "project/.env.local", "A=b\n")
    monkeypatch.syspath_prepend(str(home / "project"))
    monkeypatch.chdir(tmp_path)
    assert covered(code, opened(home))
    assert password in hidden(home)


@pytest.mark.parametrize("name", [None, ""])
def test_an_interpreter_that_does_not_know_itself_opens_nothing_more(home, monkeypatch, tmp_path, name):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(sys, "executable", name)
    assert not covered(Path.cwd(), opened(home))
