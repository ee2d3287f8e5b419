"""veln_hook.sandbox.environment: what is taken out of an environment, and what a build keeps."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from veln_hook.sandbox.environment import holds_secret, is_credential_name, names_certificates, scrub
from veln_hook.source.variables import is_credential_name as is_credential_name_in_code

BUILD = {
    "PATH": "/home/me/.cargo/bin:/home/me/.pyenv/shims:/usr/local/bin:/usr/bin:/bin",
    "HOME": "/home/me", "PWD": "/home/me/src", "OLDPWD": "/home/me", "TMPDIR": "/tmp", "SHELL": "/bin/bash",
    "LANG": "de_DE.UTF-8", "LC_ALL": "C.UTF-8", "LC_TIME": "de_DE.UTF-8", "TERM": "xterm-256color",
    "COLUMNS": "120", "LINES": "40", "TZ": "Europe/Berlin", "USER": "me", "LOGNAME": "me", "HOSTNAME": "box",
    "CC": "ccache gcc", "CXX": "g++-12", "FC": "gfortran", "AR": "gcc-ar", "LD": "ld.lld", "NM": "gcc-nm",
    "CFLAGS": "-O2 -fstack-protector-strong -DNDEBUG -ffile-prefix-map=/build/x=.", "CXXFLAGS": "-std=c++17",
    "CPPFLAGS": "-I/opt/include -DUSE_SECRET=1", "LDFLAGS": "-Wl,-rpath,/opt/lib -L/opt/lib", "LIBS": "-lm",
    "PKG_CONFIG": "pkgconf", "PKG_CONFIG_PATH": "/opt/lib/pkgconfig:/usr/share/pkgconfig",
    "MAKEFLAGS": " -j8 --jobserver-auth=fifo:/tmp/GMfifo3141592", "CARGO_MAKEFLAGS": "--jobserver-auth=8,9 -j",
    "ARCHFLAGS": "-arch arm64 -arch x86_64", "MACOSX_DEPLOYMENT_TARGET": "11.0", "SDKROOT": "/Library/SDK",
    "SOURCE_DATE_EPOCH": "1704067200", "SETUPTOOLS_USE_DISTUTILS": "local", "DISTUTILS_USE_SDK": "1",
    "SETUPTOOLS_SCM_PRETEND_VERSION": "1.2.3", "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_DJANGO_AUTH": "4.0",
    "PDM_BUILD_SCM_VERSION": "1.0", "PBR_VERSION": "6.0.0", "POETRY_DYNAMIC_VERSIONING_BYPASS": "1.0",
    "HATCH_BUILD_HOOKS_ENABLE": "1", "HATCH_VCS_PRETEND_VERSION": "2.0", "SKBUILD_CMAKE_ARGS": "-DX=ON",
    "SKBUILD_CONFIGURE_OPTIONS": "-DPASS_THROUGH=ON", "CMAKE_ARGS": "-DGGML_CUDA=on -DWITH_TOKENIZER=ON",
    "CMAKE_PREFIX_PATH": "/opt/llvm;/opt/qt", "CMAKE_BUILD_PARALLEL_LEVEL": "8", "CMAKE_GENERATOR": "Ninja",
    "PYTHONPATH": "/tmp/pip-build-env-abc/site", "PYTHONNOUSERSITE": "1", "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    "PEP517_BUILD_BACKEND": "setuptools.build_meta", "PEP517_BACKEND_PATH": ".",
    "_PYPROJECT_HOOKS_BUILD_BACKEND": "mesonpy", "_PYPROJECT_HOOKS_BACKEND_PATH": "",
    "PIP_INDEX_URL": "https://pypi.org/simple", "PIP_NO_INPUT": "1", "PIP_CERT": "/etc/ssl/cert.pem",
    "PIP_KEYRING_PROVIDER": "disabled", "UV_INDEX": "https://download.pytorch.org/whl/cpu",
    "RUSTFLAGS": "-C target-cpu=native", "RUSTUP_TOOLCHAIN": "stable", "CARGO_BUILD_TARGET": "x86_64-unknown-linux-gnu",
    "CARGO_NET_OFFLINE": "true", "AWS_LC_SYS_NO_ASM": "1", "OPENSSL_DIR": "/opt/openssl", "MATURIN_PEP517_ARGS": "--locked",
    "GOFLAGS": "-mod=vendor", "JAVA_HOME": "/usr/lib/jvm/17", "CUDA_HOME": "/usr/local/cuda-12.4",
    "TORCH_CUDA_ARCH_LIST": "8.0;8.6+PTX", "NPY_NUM_BUILD_JOBS": "4", "BLAS": "openblas", "F77": "gfortran",
    "VIRTUAL_ENV": "/home/me/.venv", "CONDA_PREFIX": "/opt/conda/envs/x", "LD_LIBRARY_PATH": "/opt/lib",
    "LD_PRELOAD": "/usr/lib/libeatmydata.so", "GIT_CEILING_DIRECTORIES": "/home", "GIT_AUTHOR_NAME": "Ann Uthor",
    "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z", "GIT_DIR": ".git",
    "SSL_CERT_FILE": "/etc/ssl/cert.pem", "REQUESTS_CA_BUNDLE": "/etc/ssl/cert.pem", "no_proxy": "localhost,127.0.0.1",
    "http_proxy": "http://proxy.example:3128", "HTTPS_PROXY": "http://proxy.example:3128/", "CI": "true",
    "GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/tags/v1.0", "GITHUB_SHA": "9f2c1e5a77b04c6d8e3f1a2b4c5d6e7f80912a3b",
    "TOKENIZERS_PARALLELISM": "false", "CFLAGS_PATH": "/x", "_": "/usr/bin/env", "SHLVL": "2",
}  # fmt: skip

# name: value; as public logs and manuals show them, with values of our own.
SURROUNDINGS = {
    "desktop": {
        "LS_COLORS": "rs=0:di=01;34:ln=01;36:mh=00:pi=40;33:so=01;35:*.tar=01;31:*.7z=01;31:*.key=00;33",
        "XDG_DATA_DIRS": "/home/me/.local/share/flatpak/exports/share:/usr/local/share/:/usr/share/",
        "XDG_CONFIG_DIRS": "/etc/xdg", "XDG_CURRENT_DESKTOP": "ubuntu:GNOME", "XDG_SESSION_TYPE": "wayland",
        "XDG_SESSION_DESKTOP": "gnome", "XDG_SESSION_CLASS": "user", "XDG_MENU_PREFIX": "gnome-", "XDG_SEAT": "seat0",
        "DESKTOP_SESSION": "gnome", "GDMSESSION": "gnome", "GDM_LANG": "en_US.UTF-8", "GTK_MODULES": "canberra-gtk-module",
        "QT_IM_MODULE": "ibus", "XMODIFIERS": "@im=ibus", "LESSOPEN": "||/usr/bin/lesspipe.sh %s", "PAGER": "less",
        "EDITOR": "vim", "HISTCONTROL": "ignoredups", "HISTSIZE": "1000", "INVOCATION_ID": "033d5174bb9447efbe28c075c9325135",
        "JOURNAL_STREAM": "8:43721", "MANAGERPID": "2203", "SYSTEMD_EXEC_PID": "2450", "COLORTERM": "truecolor",
        "VTE_VERSION": "7402", "GNOME_TERMINAL_SCREEN": "/org/gnome/Terminal/screen/6b1d6a77_35c5_4f6b_9a0c_c1a8b2d6a7c4",
        "MAIL": "/var/spool/mail/me", "WINDOWPATH": "2", "MOTD_SHOWN": "pam", "DEBUGINFOD_URLS": "https://debuginfod.fedoraproject.org/ ",
        "PS1": "[\\u@\\h \\W]\\$ ", "PROMPT_COMMAND": 'printf "\\033]0;%s@%s:%s\\007" "${USER}" "${HOSTNAME%%.*}" "${PWD}"',
        "SUDO_PROMPT": "[sudo] password for %p: ", "FZF_DEFAULT_OPTS": "--height 40% --preview 'bat --color=always {}'",
    },
    "github": {
        "AGENT_TOOLSDIRECTORY": "/opt/hostedtoolcache", "ANDROID_HOME": "/usr/local/lib/android/sdk", "ANT_HOME": "/usr/share/ant",
        "BOOTSTRAP_HASKELL_NONINTERACTIVE": "1", "CHROMEWEBDRIVER": "/usr/local/share/chromedriver-linux64", "CONDA": "/usr/share/miniconda",
        "DEPLOYMENT_BASEPATH": "/opt/runner", "DOTNET_MULTILEVEL_LOOKUP": "0", "EDGEWEBDRIVER": "/usr/local/share/edge_driver",
        "GHCUP_INSTALL_BASE_PREFIX": "/usr/local", "GITHUB_ACTION": "__run_2", "GITHUB_ACTOR": "me", "GITHUB_ACTOR_ID": "105511",
        "GITHUB_API_URL": "https://api.github.com", "GITHUB_EVENT_NAME": "push", "GITHUB_HEAD_REF": "feature/JIRA-1234-Add-New-Thing-for-users-Now",
        "GITHUB_JOB": "build", "GITHUB_REF_NAME": "main", "GITHUB_REPOSITORY": "me/thing", "GITHUB_RETENTION_DAYS": "90",
        "GITHUB_RUN_ATTEMPT": "1", "GITHUB_RUN_ID": "9876543210", "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_TRIGGERING_ACTOR": "me", "GITHUB_WORKFLOW": "Build And Publish", "GITHUB_WORKFLOW_SHA": "9f2c1e5a77b04c6d8e3f1a2b4c5d6e7f80912a3b",
        "GITHUB_WORKSPACE": "/home/runner/work/thing/thing", "GOROOT_1_22_X64": "/opt/hostedtoolcache/go/1.22.5/x64", "ImageOS": "ubuntu24",
        "ImageVersion": "20240804.1.0", "JAVA_HOME_17_X64": "/usr/lib/jvm/temurin-17-jdk-amd64", "LEIN_JAR": "/usr/local/lib/lein/leiningen-2.jar",
        "NVM_DIR": "/home/runner/.nvm", "PIPX_HOME": "/opt/pipx", "POWERSHELL_DISTRIBUTION_CHANNEL": "GitHub-Actions-ubuntu24",
        "RUNNER_ARCH": "X64", "RUNNER_NAME": "GitHub Actions 12", "RUNNER_OS": "Linux", "RUNNER_TEMP": "/home/runner/work/_temp",
        "RUNNER_TRACKING_ID": "github_069548eb-c4f3-4542-baac-43ed0d140801", "SELENIUM_JAR_PATH": "/usr/share/java/selenium-server.jar",
        "SGX_AESM_ADDR": "1", "SWIFT_PATH": "/usr/share/swift/usr/bin", "VCPKG_INSTALLATION_ROOT": "/usr/local/share/vcpkg",
        "INPUT_JAVA-VERSION": "17", "CIBW_BUILD": "cp39-* cp313-*", "MATRIX_OS": "ubuntu-latest",
    },
    "gitlab": {
        "CI_API_V4_URL": "https://gitlab.com/api/v4", "CI_BUILDS_DIR": "/builds", "CI_COMMIT_AUTHOR": "Me <me@example.org>",
        "CI_COMMIT_BEFORE_SHA": "e055cf696c33d8d8bcd3a4dd4802f6e6f24d4bdb", "CI_COMMIT_BRANCH": "feat", "CI_COMMIT_MESSAGE": "Fix it",
        "CI_COMMIT_REF_SLUG": "feat", "CI_COMMIT_TIMESTAMP": "2024-10-08T11:45:21+08:00", "CI_CONCURRENT_ID": "47",
        "CI_CONFIG_PATH": ".gitlab-ci.yml", "CI_DEFAULT_BRANCH": "main", "CI_JOB_ID": "8017348778", "CI_JOB_IMAGE": "python:3.12",
        "CI_JOB_URL": "https://gitlab.com/me/x/-/jobs/8017348778", "CI_PAGES_URL": "https://me.gitlab.io/x", "CI_PIPELINE_IID": "10",
        "CI_PROJECT_NAMESPACE": "me", "CI_PROJECT_URL": "https://gitlab.com/me/x", "CI_RUNNER_DESCRIPTION": "3-blue.shared.runners-manager.gitlab.com",
        "CI_RUNNER_SHORT_TOKEN_ID": "x", "CI_RUNNER_TAGS": '["docker", "linux"]', "CI_SERVER_HOST": "gitlab.com", "CI_TEMPLATE_REGISTRY_HOST": "registry.gitlab.com",
        "GITLAB_FEATURES": "audit_events,blocked_issues,code_owners,ssh_key_expiration_policy,group_saml,service_accounts",
        "GITLAB_USER_LOGIN": "me", "FF_USE_FASTZIP": "false", "RUNNER_TEMP_PROJECT_DIR": "/builds/me/x.tmp",
    },
    "macos": {
        "__CFBundleIdentifier": "com.googlecode.iterm2", "__CF_USER_TEXT_ENCODING": "0x1F5:0x0:0x0", "COMMAND_MODE": "unix2003",
        "HOMEBREW_PREFIX": "/opt/homebrew", "HOMEBREW_CELLAR": "/opt/homebrew/Cellar", "INFOPATH": "/opt/homebrew/share/info:",
        "ITERM_PROFILE": "Default", "LC_TERMINAL": "iTerm2", "LaunchInstanceID": "7B9D6B0E-9A0F-4F5C-9C68-6D8E3B2C7A11",
        "SECURITYSESSIONID": "186ab", "TERM_PROGRAM": "iTerm.app", "TERMINFO_DIRS": "/Applications/iTerm.app/Contents/Resources/terminfo",
        "XPC_FLAGS": "0x0", "XPC_SERVICE_NAME": "0", "MallocNanoZone": "0", "TERM_FEATURES": "T3CwLrMSc7UUw9Ts3BFGsSyHNoSxF",
    },
    "conda and nix": {
        "CONDA_EXE": "/opt/conda/bin/conda", "_CE_M": "", "CONDA_SHLVL": "2", "CONDA_PROMPT_MODIFIER": "(base) ",
        "DEBUG_CFLAGS": "-march=nocona -mtune=haswell -Og -g -Wall -isystem /opt/conda/include", "HOST": "x86_64-conda-linux-gnu",
        "_CONDA_PYTHON_SYSCONFIGDATA_NAME": "_sysconfigdata_x86_64_conda_cos6_linux_gnu",
        "BUILD_PREFIX": "/opt/conda/conda-bld/x_1501435754387/_build_env" + "_placehold" * 16,
        "NIX_STORE": "/nix/store", "NIX_CC": "/nix/store/fkmshbhw5kq1zdxbc5dkdqf6q3dcsarp-clang-wrapper-21.1.2",
        "NIX_LDFLAGS": "-rpath /nix/store/lwj2wdb738d65gmjs5mka1mmfqc3vwdv-shell/lib -L/nix/store/1r6vcq7mr4h7-openssl/lib",
        "NIX_BINTOOLS_WRAPPER_TARGET_HOST_x86_64_unknown_linux_gnu": "1", "buildInputs": "/nix/store/0565md25r4nbrwav7x5gzad8528j90nn-gzip-1.12",
        "out": "/home/me/outputs/out", "stdenv": "/nix/store/xyff06pkhki3qy1ls77w10s0v79c9il0-stdenv-linux", "shellHook": "export FOO=bar",
    },
    "container": {
        "PYTHON_VERSION": "3.12.4", "PYTHON_SHA256": "f6d419a6d8743ab26700801b4908d26d97e8b986e14f95de31b32de2b0e79554",
        "NVIDIA_REQUIRE_CUDA": "cuda>=12.4 brand=tesla,driver>=470,driver<471", "NV_CUDNN_VERSION": "9.1.0.70-1",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility", "LIBRARY_PATH": "/usr/local/cuda/lib64/stubs", "NCCL_VERSION": "2.21.5-1",
        "REDIS_PORT": "tcp://10.96.11.5:6379", "REDIS_SERVICE_HOST": "10.96.11.5", "REDIS_PORT_6379_TCP_ADDR": "10.96.11.5",
        "POSTGRES_SERVICE_PORT": "5432", "HOSTNAME": "api-7c9f8d6b5d-x2x7k", "DEBIAN_FRONTEND": "noninteractive",
        "WSL_DISTRO_NAME": "Ubuntu", "HOSTTYPE": "x86_64", "NAME": "DESKTOP-7A", "IS_SANDBOX": "yes",
    },
}  # fmt: skip

BY_NAME = """
AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE AWS_CONTAINER_CREDENTIALS_FULL_URI
AWS_WEB_IDENTITY_TOKEN_FILE AZURE_CLIENT_SECRET AZURE_TENANT_ID GOOGLE_APPLICATION_CREDENTIALS CLOUDSDK_CONFIG
IDENTITY_HEADER MSI_ENDPOINT KUBECONFIG KUBERNETES_SERVICE_HOST VAULT_TOKEN VAULT_ADDR TF_VAR_db OP_SESSION_my
GITHUB_TOKEN GH_TOKEN GH_ENTERPRISE_TOKEN GITHUB_PAT INPUT_GITHUB-TOKEN INPUT_SSH-KEY ACTIONS_RUNTIME_TOKEN
ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_CACHE_URL GITHUB_ENV GITHUB_PATH GITHUB_OUTPUT CI_JOB_TOKEN CI_JOB_JWT_V2
CI_REGISTRY_PASSWORD CI_DEPENDENCY_PROXY_PASSWORD SYSTEM_ACCESSTOKEN CIRCLE_OIDC_TOKEN_V2 BITBUCKET_STEP_OIDC_TOKEN
TWINE_USERNAME TWINE_PASSWORD UV_PUBLISH_TOKEN UV_INDEX_CORP_PASSWORD FLIT_PASSWORD POETRY_PYPI_TOKEN_PYPI
POETRY_HTTP_BASIC_CORP_USERNAME HATCH_INDEX_AUTH PDM_PUBLISH_PASSWORD NPM_TOKEN NODE_AUTH_TOKEN NPM_CONFIG__AUTH
npm_config__authToken npm_config_//registry.npmjs.org/:_authToken YARN_NPM_AUTH_TOKEN CARGO_REGISTRY_TOKEN
CARGO_REGISTRIES_CORP_TOKEN GEM_HOST_API_KEY BUNDLE_GEMS__EXAMPLE__ORG COMPOSER_AUTH DOCKER_AUTH_CONFIG DOCKER_HOST
DATABASE_URL SQLALCHEMY_DATABASE_URI REDIS_URL MONGODB_URI PGPASSWORD PGPASSFILE MYSQL_PWD DB_PASS SENTRY_DSN
AZURE_STORAGE_CONNECTION_STRING OPENAI_API_KEY ANTHROPIC_AUTH_TOKEN HF_TOKEN WANDB_API_KEY LANGFUSE_SECRET_KEY
SLACK_WEBHOOK_URL TWILIO_AUTH_TOKEN STRIPE_SECRET_KEY SSHPASS SSH_AUTH_SOCK SSH_AGENT_PID SSH_ASKPASS GIT_ASKPASS
GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0 GIT_CONFIG_PARAMETERS GIT_SSH_COMMAND GPG_AGENT_INFO GNUPGHOME
DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR DISPLAY WAYLAND_DISPLAY XAUTHORITY WSL_INTEROP WSLENV TMUX TMUX_PANE STY
VSCODE_IPC_HOOK_CLI VSCODE_GIT_IPC_HANDLE NVIM KITTY_LISTEN_ON SWAYSOCK NOTIFY_SOCKET KRB5CCNAME SSLKEYLOGFILE
VELN_HOOK_COOLING_MIN_AGE VELN_HOOK_STORE_URL MY_PASSPHRASE clientSecret apiKey privateKey PRIVATE-KEY SECRET
token Password wallet_mnemonic JWT SESSION_COOKIE DJANGO_SECRET_KEY RAILS_MASTER_KEY SERVICE_CREDS XSRFTOKEN
""".split()  # noqa: SIM905 - a list of these would be a page

LETTERS = "aB3dE5fG7hJ9kL2mN4pQ6rS8tV0wX1yZ" * 8
"""No run of it is anybody's key."""


def mixed(length: int) -> str:
    return LETTERS[:length]


SHAPES = {
    "AWS key": "AKIA" + "Q3EGXAMPLEABCDE7", "AWS temporary key": "ASIA" + "Q3EGXAMPLEABCDE7",
    "AWS secret key": "aQ3/vR9kLx0TzW7+pB2n" + "Yc5HsU1mEd8JgF4oVi6t",
    "GitHub": "ghp_" + mixed(36), "GitHub OAuth": "gho_" + mixed(36), "GitHub fine": "github_pat_11" + mixed(20) + "_" + mixed(59),
    "GitLab": "glpat-" + mixed(20), "OpenAI": "sk-proj-" + mixed(48), "OpenAI old": "sk-" + mixed(48), "Anthropic": "sk-ant-api03-" + mixed(93),
    "Slack": "xoxb-123456789012-" + mixed(24), "Slack hook": "https://hooks.slack.com/services/T000/B000/" + mixed(24),
    "npm": "npm_" + mixed(36), "PyPI": "pypi-AgEIcHlwaS5vcmc" + mixed(100), "Docker": "dckr_pat_" + mixed(27),
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0." + mixed(43), "service account in base 64": "eyJ0eXBlIjogInNlcnZpY2VfYWNjb3VudCIsICJwcm9qZWN0",
    "PEM": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "OpenSSH": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "service account": '{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\\nMII"}',
    "PEM in base 64": "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo=",
    "Google": "AIza" + mixed(35), "Google access": "ya29." + mixed(60), "Stripe": "sk_live_" + mixed(24), "SendGrid": "SG." + mixed(22) + "." + mixed(43),
    "Hugging Face": "hf_" + mixed(34), "Vault": "hvs." + mixed(24), "DigitalOcean": "dop_v1_" + "0a1b2c3d" * 8, "Telegram": "123456789:AA" + mixed(33),
    "index": "https://me:hunter2@pypi.example/simple", "index with token": "https://abcdefgh@pypi.example/simple/",
    "two indexes": "https://pypi.org/simple https://__token__:hunter2@x.example/simple", "proxy": "http://user:p%40ss@proxy.example:3128",
    "clone": "https://gitlab-ci-token:64_x9@gitlab.example/me/x.git", "database": "postgres://u:p@db.example/x", "redis": "redis://:pw@cache:6379/0",
    "numbers only": "amqp://guest:12345@mq/", "slash in password": "mysql://u:a/b@db/x", "libpq": "host=db user=u password=hunter22",
    "ODBC": "Driver=x;Server=y;Uid=u;Pwd=hunter22;", "storage": "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=" + mixed(40),
    "docker": '{"auths": {"x.example": {"auth": "dXNlcjpwYXNzd29yZA=="}}}', "header": "Authorization: Basic dXNlcg==", "bearer": "X: Bearer " + mixed(20),
    "JVM": "-Xmx2g -Dgradle.password=hunter22", "signed": "https://x.example/y?sv=2024&sig=" + mixed(43), "generated": mixed(40),
    "base 64": "q83vEjRWeJq7zd4BI0VniavN7wEjRWeJq7zd4A==",
}  # fmt: skip

WHOLE = {"AWS secret key", "generated", "base 64"}
"""Of those, what has no mark of its own and is known only where it is the whole value."""


def test_a_build_loses_none_of_its_own():
    scrubbed = scrub(BUILD)
    assert scrubbed.removed == ()
    assert scrubbed.environment == BUILD


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_ordinary_surroundings_are_left_alone(surroundings):
    # A variable that holds no secret goes only where this list says so.
    known = {"gitlab": ("CI_RUNNER_SHORT_TOKEN_ID",)}
    assert scrub(SURROUNDINGS[surroundings]).removed == known.get(surroundings, ())


@pytest.mark.parametrize("name", BY_NAME)
def test_a_name_is_enough(name):
    for spelled in {name, name.lower(), name.upper()}:
        scrubbed = scrub({spelled: "x", "PATH": "/bin"})
        assert scrubbed.removed == (spelled,)
        assert scrubbed.environment == {"PATH": "/bin"}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_value_is_enough(shape):
    assert holds_secret(SHAPES[shape])
    assert scrub({"INNOCENT": SHAPES[shape]}).environment == {}
    assert scrub({"CFLAGS": SHAPES[shape]}).environment == {}  # not even a build's own stays with it


@given(
    st.sampled_from(sorted(SHAPES.keys() - WHOLE)),
    st.text("abc /:.,;", max_size=12),
    st.sampled_from([" ", "\n", "'", '"', "=", ",", ";"]),
)
def test_what_stands_around_a_secret_does_not_hide_it(shape, before, edge):
    assert scrub({"X": before + edge + SHAPES[shape] + edge}).environment == {}


@given(st.text(string.ascii_letters + string.digits, min_size=16, max_size=64), st.sampled_from(BY_NAME))
def test_no_secret_survives_under_a_second_name(secret, name):
    assume(is_credential_name(name) and not secret.isalpha() and not secret.isdigit())
    environ = {name: secret, "DEPLOY_WITH": f"run --with {secret} now", "COPY": secret, "PATH": "/bin"}
    assert scrub(environ).environment == {"PATH": "/bin"}


def test_short_words_and_paths_are_not_looked_for_elsewhere():
    environ = {
        "DB_PASSWORD": "test",
        "MY_KEY_FILE": "/home/me/key1234567890",
        "A": "/src/test/x",
        "B": "see /home/me/key1234567890",
    }
    assert scrub(environ).removed == ("DB_PASSWORD", "MY_KEY_FILE")


def test_the_user_has_the_last_word():
    environ = {
        "HF_TOKEN": "hf_" + mixed(34),
        "SSH_AUTH_SOCK": "/run/x",
        "DATABASE_URL": "postgres://u:p@h/x",
        "hf_token": "y",
    }
    scrubbed = scrub(environ, keep=["HF_TOKEN", "DATABASE_URL", "ABSENT"])
    assert scrubbed.environment == {"HF_TOKEN": environ["HF_TOKEN"], "DATABASE_URL": environ["DATABASE_URL"]}
    assert scrubbed.removed == ("SSH_AUTH_SOCK", "hf_token")


CERTIFICATES = """
AWS_CA_BUNDLE CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE VAULT_CACERT CONSUL_CAPATH NOMAD_CACERT REQUESTS_CA_BUNDLE
CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR NIX_SSL_CERT_FILE NODE_EXTRA_CA_CERTS GIT_SSL_CAINFO CARGO_HTTP_CAINFO
npm_config_cafile PIP_CERT HTTPLIB2_CA_CERTS CI_SERVER_TLS_CA_FILE OAUTH_CA_BUNDLE
""".split()  # noqa: SIM905 - as above


@pytest.mark.parametrize("name", CERTIFICATES)
def test_where_trusted_certificates_lie_is_no_secret(name):
    environ = {name: "/home/me/corporate-ca.pem"}
    assert names_certificates(name)
    assert scrub(environ).environment == environ


@pytest.mark.parametrize(
    "name", ["PIP_CLIENT_CERT", "AWS_CA_BUNDLE_TOKEN", "AWS_PROFILE", "VAULT_CLIENT_KEY", "MOCA_BUNDLE_KEY"]
)
def test_other_names_are_not_taken_for_one_of_those(name):
    assert not names_certificates(name)
    assert scrub({name: "/home/me/file.pem"}).removed == (name,)


@pytest.mark.parametrize(
    "value", ["x", "AKIA" + "Q3EGXAMPLEABCDE7", "relative/ca.pem", "/x?sig=" + mixed(43)]
)
def test_what_is_no_path_is_judged_like_everything_else(value):
    assert scrub({"AWS_CA_BUNDLE": value}).removed == ("AWS_CA_BUNDLE",)


def test_names_to_keep_are_no_patterns():
    assert scrub({"A_TOKEN": "x", "B_TOKEN": "x"}, keep=["*_TOKEN", ".*"]).removed == ("A_TOKEN", "B_TOKEN")


@given(
    st.dictionaries(st.text(min_size=1, max_size=30), st.text(max_size=60), max_size=8),
    st.sets(st.text(max_size=5), max_size=3),
)
def test_every_variable_is_either_kept_or_told(environ, keep):
    before = dict(environ)
    scrubbed = scrub(environ, keep)
    assert environ == before
    assert scrubbed.environment.keys() | set(scrubbed.removed) == environ.keys()
    assert not scrubbed.environment.keys() & set(scrubbed.removed)
    assert all(environ[name] == value for name, value in scrubbed.environment.items())
    assert keep & environ.keys() <= scrubbed.environment.keys()
    assert scrub(scrubbed.environment, keep).removed == ()


@pytest.mark.parametrize(
    "name", [*BY_NAME, *BUILD, *(name for group in SURROUNDINGS.values() for name in group)]
)
def test_what_code_is_blamed_for_reading_is_not_there_to_read(name):
    if is_credential_name_in_code(name) and name != "XDG_SESSION_TYPE":
        assert name in scrub({name: "x"}).removed or name.startswith("SETUPTOOLS_SCM_PRETEND_VERSION")


def test_a_child_sees_what_stays_byte_for_byte():
    environ = {**BUILD, "ODD": "\udcff\udcfe bytes", "NEWLINE": "a\nb", "EMPTY": "", "GITHUB_TOKEN": "x"}
    environ = scrub({**environ, "LANG": "C.UTF-8", "PATH": os.environ["PATH"], "LD_PRELOAD": ""}).environment
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], env=environ, stdout=subprocess.PIPE, check=True
    ).stdout
    seen = json.loads(told)
    assert {name: seen.get(name) for name in environ} == environ
    assert "GITHUB_TOKEN" not in seen


@pytest.mark.parametrize(
    "text",
    [
        "://" * 20000,
        "a://b:" * 10000,
        "A" * 100000,
        "eyJ" * 30000,
        "https://" + "a" * 100000,
        "token=" * 20000,
        "-----BEGIN " * 9000,
    ],
)
def test_a_long_value_is_judged_too(text):
    assert scrub({"LONG": text}).removed in ((), ("LONG",))
