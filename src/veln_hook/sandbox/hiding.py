"""Where secrets lie on this machine, and which places a build needs although they lie among them.

The launcher hides every home directory, ``/run``, the temporary directories and the devices without being
told. `secrets` names what has to stay hidden even where more is opened: below a toolchain, below a project
that lies in the home, in a home of its own kind (``/srv/home``), in ``/etc`` and ``/var`` for root.
`toolchains` names what is opened again below a home.

Both resolve symbolic links: a link neither moves a secret into sight nor opens more than what it points at.
"""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
import tempfile
from typing import TYPE_CHECKING

from veln_hook import paths
from veln_hook.sandbox import environment
from veln_hook.sandbox.layout import covers, is_within, outermost
from veln_hook.sandbox.surroundings import homes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    _Table = tuple[tuple[str, str], ...]

# --- where secrets lie ------------------------------------------------------------------------------------
# Tables of (directory, names in it, separated by spaces), in the notation of `glob`. The first directory of
# `_HOME` and `_TOOLS` is the home; those in `_XDG` are looked up in the variable as well.

_XDG = {
    ".config": "XDG_CONFIG_HOME", ".local/share": "XDG_DATA_HOME",
    ".local/state": "XDG_STATE_HOME", ".cache": "XDG_CACHE_HOME",
}  # fmt: skip
_HOME = (
    # Keys and passwords of people: SSH, GnuPG, age, netrc, X and Kerberos, password managers, keyrings.
    ("", ".ssh .gnupg .age .putty .netrc _netrc .authinfo* .Xauthority .ICEauthority .k5login .krb5"),
    ("", ".password-store .op .gnome2/keyrings .kde*/share/apps/kwallet .pki .google_authenticator"),
    (".config", "age sops op 1Password Bitwarden* keepassxc lpass rbw"),
    # Version control and its hosts.
    ("", ".git-credentials .git-credential-cache .gitcookies .gcm .hgrc .subversion/auth .cvspass"),
    (".config", "git/credentials git-credential-oauth gh glab-cli hub tea jj jira* lab"),
    # Package indexes and registries.
    ("", ".pypirc .pip .condarc .conda/.condarc .mambarc .continuum .anaconda .npmrc .yarnrc* .bunfig.toml"),
    ("", ".cargo/credentials* .gem/credentials .bundle/config .composer/auth.json .nuget/NuGet"),
    ("", ".dotnet/corefx .m2/settings*.xml .gradle/gradle.properties .sbt/*.credentials .sbt/.credentials"),
    ("", ".ivy2/.credentials .hex .pub-cache/credentials.json .cabal/config .luarocks .Renviron"),
    (".config", "pip pypoetry uv pdm hatch twine conda anaconda yarn/config pnpm composer/auth.json NuGet"),
    # Clouds, clusters, infrastructure, synchronised files.
    ("", ".aws .azure .gsutil .boto .s3cfg .mc .rclone.conf .oci .aliyun .tccli .bluemix .linode-cli"),
    ("", ".civo.json .exoscale .fly/config.yml .netlify .wrangler .cloudflared .railway .render .kube"),
    ("", ".docker .dockercfg .minikube .k3d .rancher .terraform.d .terraformrc .vault-token .pulumi .chef"),
    ("", ".puppetlabs .ansible .consul* .nomad* .databrickscfg .snowsql .snowflake .dbt .modal.toml .sky"),
    ("", ".lambda_cloud .runpod .vast_api_key .serverlessrc .circleci .travis .ngrok2 .dropbox*"),
    ("", ".erlang.cookie .sentryclirc"),
    (".config", "gcloud s3cmd rclone doctl hcloud linode-cli scw openstack heroku netlify configstore"),
    (".config", ".wrangler railway helm argocd containers opentofu snowflake sky vastai ngrok tailscale"),
    (".config", "Nextcloud syncthing stripe vercel sentry*"),
    # Databases and mail.
    ("", ".pgpass .pg_service.conf .my.cnf .mylogin.cnf .mongorc.js .mongodb .redisclirc .dbeaver* .msmtprc"),
    ("", ".mbsyncrc .offlineimaprc .fetchmailrc .getmail .mutt .muttrc .thunderbird Maildir"),
    (".config", "psql* msmtp mutt neomutt aerc evolution"),
    # Assistants and services of models.
    ("", ".claude .claude.json* .codex .gemini .openai .copilot .cursor .codeium .continue .aider* .qwen"),
    ("", ".ollama/id_* .huggingface .kaggle .streamlit/secrets.toml .jupyter"),
    (".config", "claude* Claude anthropic openai github-copilot Cursor goose amp opencode io.datasette.llm"),
    (".config", "litellm zed kaggle wandb replicate"),
    # Browsers. Flatpaks and snaps keep the profiles of all they run in one place each, Windows in AppData.
    ("", ".mozilla .librewolf .waterfox .zen .floorp .tor-browser .var/app snap AppData NTUSER.DAT*"),
    (".config", "mozilla google-chrome* chromium* BraveSoftware microsoft-edge* vivaldi* opera* Arc"),
    (".config", "qutebrowser"),
    # Chat and meetings.
    ("", ".zoom .purple .weechat .irssi"),
    (".config", "Slack discord* Signal* Element* Microsoft teams* Mattermost Rocket.Chat skypeforlinux"),
    (".config", "zoom* hexchat weechat WhatsApp* Keybase keybase"),
    # Wallets.
    ("", ".bitcoin .litecoin .dogecoin .dash* .zcash .bitmonero .ethereum .electrum* .armory"),
    ("", ".near-credentials .sui .aptos .foundry/keystores .brownie/accounts .ape/accounts .polkadot .lnd"),
    ("", ".sparrow"),
    (".config", "Exodus exodus atomic Ledger* @trezor solana Daedalus* Sparrow"),
    # Editors, remote desktops, players: they keep the tokens of whoever is signed in.
    ("", ".vscode-server/data .filezilla .vnc .anydesk .x2goclient .steam/steam/config"),
    (".config", "Code*/User/globalStorage VSCodium/User/globalStorage JetBrains filezilla remmina freerdp"),
    (".config", "rustdesk TeamViewer pulse/cookie sunshine spotify*"),
    # What was typed, passwords too, and start-up files, which export them.
    ("", ".*_history* .*history .histfile .zsh_sessions .bash_sessions .lesshst .viminfo .vim/undo*"),
    ("", ".wget-hsts .z .ipython/profile_*/history* .julia/logs .bashrc .bash_profile .bash_login"),
    ("", ".bash_aliases .profile .zshrc .zshenv .zprofile .zlogin .kshrc .cshrc .tcshrc .env .envrc"),
    ("", ".secrets .tokens .pam_environment"),
    (".config", "fish/config.fish fish/conf.d fish/fish_variables atuin nushell/history* powershell"),
    (".config", "environment.d systemd/user"),
    # The same in the other places where they are kept.
    (".local/share", "password-store lpass rbw keyrings kwalletd python_keyring pki uv/credentials"),
    (".local/share", "gem/credentials heroku com.vercel.cli containers DBeaverData evolution goose amp"),
    (".local/share", "opencode zed jupyter/runtime torbrowser epiphany falkon qutebrowser TelegramDesktop"),
    (".local/share", "element* weechat Daedalus JetBrains remmina Steam/config fish/fish_history* atuin"),
    (".local/share", "nvim/shada powershell recently-used.xbel direnv"),
    (".cache", "git huggingface/token huggingface/stored_tokens mozilla google-chrome* chromium*"),
    (".cache", "BraveSoftware"),
    (".local/state", "syncthing nvim bash/history python/history"),
    ("Library", "Keychains Mail Messages Jupyter/runtime Safari Cookies HTTPStorages Containers"),
    ("Library", "Group?Containers"),
    ("Library/Application Support", "pip pypoetry Claude Cursor Firefox Google Chromium BraveSoftware"),
    ("Library/Application Support", "Microsoft?Edge* Arc Vivaldi com.operasoftware* Slack discord* Signal"),
    ("Library/Application Support", "Telegram* Bitcoin Ethereum Exodus Ledger?Live"),
)  # fmt: skip
# Of the machine: what root could read, and what a careless mode or a group opens to others.
_SYSTEM = (
    ("/etc", "shadow* gshadow* security/opasswd ssh/ssh_host_*_key ssl/private pki/tls/private pki/consumer"),
    ("/etc", "pki/entitlement letsencrypt krb5.keytab ipa sssd apt/auth.conf* docker containers/auth.json"),
    ("/etc", "kubernetes rancher cni wireguard openvpn ipsec.* swanctl ppp/*secrets"),
    ("/etc", "NetworkManager/system-connections wpa_supplicant iwd credstore* cloudflared rclone msmtprc"),
    ("/etc", "exim4/passwd.client postfix/sasl* gitlab* vault* mysql/debian.cnf boto.cfg netrc"),
    ("/var/lib", "sss/secrets iwd systemd/credential.secret cloud waagent docker containerd containers"),
    ("/var/lib", "kubelet etcd rancher lxc* libvirt tailscale vault postgresql pgsql mysql redis mongodb"),
    ("/var/lib", "jenkins/secrets jenkins/credentials.xml AccountsService bluetooth NetworkManager"),
    ("/var", "backups mail spool/mail spool/cron log/installer run/secrets"),
    ("/run", "secrets credentials"),
    ("/", "kaniko/.docker vault/secrets secrets Library/Keychains"),
    ("/private", "var/db/dslocal etc/master.passwd etc/krb5.keytab"),
)  # fmt: skip
# Files that many builds read and that hold a password in some: hidden where they do.
_INSPECTED = (
    ("/etc", "pip.conf xdg/pip/pip.conf uv/uv.toml npmrc gitconfig environment wgetrc conda/.condarc"),
    ("/", "usr/etc/npmrc usr/local/etc/npmrc usr/local/etc/gitconfig opt/conda/.condarc"),
)  # fmt: skip
_INSPECTED_AT_HOME = (("", ".gitconfig *conda*/.condarc *forge*/.condarc"), (".config", "git/config"))
_INSPECTED_IN_INSTALLATION = "pip.conf .condarc etc/npmrc etc/gitconfig"

# Variables that name files of secrets and directories of nothing else.
_NAMED = (
    "AWS_CONFIG_FILE AZURE_CONFIG_DIR BOTO_CONFIG CLAUDE_CONFIG_DIR CLOUDSDK_CONFIG CODEX_HOME "
    "DOCKER_CERT_PATH DOCKER_CONFIG GH_CONFIG_DIR GLAB_CONFIG_DIR GNUPGHOME HF_TOKEN_PATH HISTFILE "
    "ICEAUTHORITY KAGGLE_CONFIG_DIR KRB5CCNAME KUBECONFIG KRB5_KTNAME KRB5_CLIENT_KTNAME LESSHISTFILE "
    "MYSQL_HISTFILE NETRC NODE_REPL_HISTORY NPM_CONFIG_USERCONFIG npm_config_userconfig PASSWORD_STORE_DIR "
    "PGPASSFILE PGSERVICEFILE PIP_CLIENT_CERT POETRY_CONFIG_DIR PSQL_HISTORY PYTHON_HISTORY "
    "REGISTRY_AUTH_FILE RCLONE_CONFIG SQLITE_HISTORY SSLKEYLOGFILE TF_CLI_CONFIG_FILE UV_CREDENTIALS_DIR "
    "WGETRC XAUTHORITY"
)
_NAMED_AND_INSPECTED = (
    "PIP_CONFIG_FILE UV_CONFIG_FILE CONDARC GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM NPM_CONFIG_GLOBALCONFIG "
    "npm_config_globalconfig BASH_ENV ENV"
)
_NAMED_ABOVE = (("CARGO_HOME", "credentials*"), ("COMPOSER_HOME", "auth.json"), ("HF_HOME", "*token*"))

# --- what builds need -------------------------------------------------------------------------------------

# Installations of tools, opened where they exist. ``.gitconfig`` (what is a safe directory, who commits) is
# opened only if no password was found in it.
_TOOLS = (
    ("", ".cargo/bin .rustup .pyenv .rye .pixi .asdf .nvm .fnm .volta .bun/bin .deno/bin .sdkman/candidates"),
    ("", ".jenv .rbenv .goenv .nodenv .ghcup .elan .juliaup .julia/juliaup .swiftly .nix-profile"),
    ("", ".nix-defexpr .guix-profile .linuxbrew .dotnet .virtualenvs .conda/envs miniconda3 anaconda3"),
    ("", "miniforge3 mambaforge micromamba go/bin Library/Python .gitconfig"),
    (".local", "bin lib lib64 include libexec pipx"),
    (".local/share", "uv/python uv/tools pipx hatch/env mise fnm pnpm mamba rustup cargo/bin virtualenvs"),
    (".local/state", "nix"),
    (".config", "git/config git/ignore git/attributes"),
)  # fmt: skip
_INTERPRETER = ("prefix", "base_prefix", "exec_prefix", "base_exec_prefix")
# Variables that name an installation, a list of directories, a program.
_ROOT_VARIABLES = (
    "VIRTUAL_ENV CONDA_PREFIX CONDA_ROOT MAMBA_ROOT_PREFIX PYENV_ROOT RUSTUP_HOME NVM_DIR "
    "UV_PYTHON_INSTALL_DIR UV_TOOL_DIR PIPX_HOME VOLTA_HOME ASDF_DIR MISE_DATA_DIR JAVA_HOME GOROOT "
    "CUDA_HOME CUDA_PATH CUDNN_HOME ROCM_PATH LLVM_DIR EMSDK ANDROID_HOME ANDROID_NDK_HOME VCPKG_ROOT "
    "OPENSSL_DIR BOOST_ROOT HDF5_DIR GDAL_HOME HOMEBREW_PREFIX PYTHONHOME PYTHONUSERBASE SDKROOT"
)
_LIST_VARIABLES = (
    "PYTHONPATH LD_LIBRARY_PATH DYLD_LIBRARY_PATH LIBRARY_PATH CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH "
    "PKG_CONFIG_PATH PKG_CONFIG_LIBDIR CMAKE_PREFIX_PATH ACLOCAL_PATH"
)
_PROGRAM_VARIABLES = "CC CXX FC LD AR RUSTC CARGO PYTHON CMAKE PKG_CONFIG"

_BINARIES = ("bin", "sbin", "condabin", "shims", "Scripts")
_WHOLE = ("conda-meta", "pyvenv.cfg", "release", "VERSION")
"""Beside ``bin``, these say that the directory is one installation: conda, a virtualenv, a JDK, Go."""
_PARTS = ("lib", "lib32", "lib64", "libexec", "include", "share")

# Places that hold far more than tools and secrets: never opened, never hidden, as a whole.
_WIDE = (
    "/ /bin /boot /dev /dev/shm /etc /home /lib /lib64 /media /mnt /opt /private /private/etc /private/tmp "
    "/private/var /private/var/folders /proc /root /run /run/user /sbin /srv /sys /tmp /usr /usr/bin "
    "/usr/lib /usr/lib64 /usr/local /usr/sbin /usr/share /var /var/home /var/lib /var/tmp /Applications "
    "/Library /System /Users /Volumes"
)
_WIDE_AT_HOME = (
    ".cache .config .local .local/share .local/state Desktop Documents Downloads Dropbox Library Movies "
    "Music OneDrive Pictures Public Videos Library/Caches"
)
_HOMES = ("/home", "/var/home", "/Users")
_HIDDEN = (
    "/home /var/home /Users /root /private/var/root /run /var/run /tmp /var/tmp /dev/shm /private/tmp "
    "/private/var/folders"
)


def secrets(home: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a confined command must not read, sorted: real paths of files and directories.

    Args:
        home: The user's home directory; need not exist.
        environ: The user's whole environment, before it is scrubbed: it names further files.
    """
    machine = _Machine(home, environ)
    found = {os.path.realpath(place) for place in _secret_places(machine)}
    return tuple(outermost(place for place in found if _can_be_hidden(place) and not machine.needs(place)))


def secrets_by_home(environ: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return what `secrets` tells of each of the user's homes, which differ where HOME isn't the system's.

    Args:
        environ: The user's whole environment.
    """
    return {home: secrets(home, environ) for home in homes(environ)}


def toolchains(
    home: str, environ: Mapping[str, str], closed: Collection[str] | None = None
) -> tuple[str, ...]:
    """Return what a build reads in hidden places, sorted: absolute paths, as they are named and resolved.

    The running interpreter with all it imports from, what PATH and its like name, and known installations of
    tools. None of them is the home, a directory above it, one that holds everything a user has, or a secret.
    What is on PATH counts as code: a password written into a script there can be read.

    Args:
        home: The user's home directory; need not exist.
        environ: The user's environment.
        closed: What `secrets` tells of both, if that is known already: it takes as long as all the rest.
    """
    machine = _Machine(home, environ)
    if closed is None:
        closed = secrets(home, environ)
    found: set[str] = set()
    for place in filter(os.path.isabs, set(_tool_places(machine))):
        named, real = os.path.normpath(place), os.path.realpath(place)
        if os.path.realpath(named) != real:  # "link/.." isn't what it looks like
            named = real
        refused = machine.is_wide(named) or machine.is_wide(real)
        if os.path.exists(real) and not refused and not covers(closed, real):
            found.update(path for path in (named, real) if machine.is_hidden(path))
    return tuple(outermost(found))


class _Machine:
    """What both questions need to know of a home, an environment and the running interpreter."""

    def __init__(self, home: str, environ: Mapping[str, str]) -> None:
        self.home = os.path.abspath(home)
        self.homes = {self.home, os.path.realpath(home)}
        self.environ = environ
        self.interpreter = [os.path.realpath(getattr(sys, name)) for name in _INTERPRETER]
        self.interpreter.append(os.path.realpath(paths.PACKAGE_DIR))
        temporary = [tempfile.gettempdir(), *self.directories("TMPDIR")]
        temporary += map(os.path.realpath, tuple(temporary))
        self._hidden = (*_HIDDEN.split(), *self.homes, *temporary)
        self._wide = {*_WIDE.split(), *temporary}
        self._wide.update(os.path.join(at, name) for at in self.homes for name in _WIDE_AT_HOME.split())

    def below_home(self, table: _Table) -> Iterator[str]:
        """Yield what there is of a table in the home, and where the variables of XDG have moved it."""
        for directory, names in table:
            yield from _matches(os.path.join(self.home, directory), names)
            for moved in self.directories(_XDG.get(directory, "")):
                yield from _matches(moved, names)

    def directories(self, variable: str) -> list[str]:
        """Return the absolute paths in a variable; what is relative depends on where it is looked at."""
        entries = self.environ.get(variable, "").split(os.pathsep)
        entries = [re.sub("^~(?=/)", lambda _: self.home, entry) for entry in entries]
        return [entry for entry in entries if os.path.isabs(entry)]

    def needs(self, place: str) -> bool:
        """Tell whether hiding a place would hide the home's own root or the interpreter that is to run."""
        needed = (*self.homes, *self.interpreter)
        return place in _WIDE.split() or any(is_within(path, place) for path in needed)

    def is_wide(self, place: str) -> bool:
        """Tell whether a place is a home, lies above one, or holds everything of a kind."""
        return (
            place in self._wide
            or os.path.dirname(place) in (*_HOMES, "/run/user")
            or any(is_within(home, place) for home in self.homes)
            or (is_within(place, "/dev") and not is_within(place, "/dev/shm"))  # noqa: S108 - a name
        )

    def is_hidden(self, place: str) -> bool:
        """Tell whether the launcher hides a place that isn't opened."""
        return covers(self._hidden, place)


def _secret_places(machine: _Machine) -> Iterator[str]:
    yield from machine.below_home(_HOME)
    for directory, names in _SYSTEM:
        yield from _matches(directory, names)
    for windows in glob.glob("/mnt/?/Users/*"):  # the homes of Windows, seen from WSL
        for directory, names in _HOME:
            yield from _matches(os.path.join(windows, directory), names)
    yield str(paths.state_dir())
    for directory in _imported_from():
        yield from _matches(directory, ".env*")
    yield from _named_secrets(machine)
    yield from filter(environment.file_holds_secret, _inspected(machine))


def _named_secrets(machine: _Machine) -> Iterator[str]:
    for variable in _NAMED.split():
        yield from machine.directories(variable)
    for variable, names in _NAMED_ABOVE:
        for directory in machine.directories(variable):
            yield from _matches(directory, names)
    for variable, value in machine.environ.items():
        if environment.is_credential_name(variable):  # DB_PASSWORD_FILE, GOOGLE_APPLICATION_CREDENTIALS ...
            yield from filter(os.path.isfile, machine.directories(variable))
        if variable == "KRB5CCNAME":  # "FILE:/tmp/krb5cc_1000"
            yield value.partition(":")[2]


def _inspected(machine: _Machine) -> Iterator[str]:
    yield from machine.below_home(_INSPECTED_AT_HOME)
    for directory, names in _INSPECTED:
        yield from _matches(directory, names)
    for variable in _NAMED_AND_INSPECTED.split():
        yield from machine.directories(variable)
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        for directory in machine.directories(variable):
            yield from _matches(directory, _INSPECTED_IN_INSTALLATION)
    for directory in machine.interpreter:
        yield from _matches(directory, _INSPECTED_IN_INSTALLATION)


def _tool_places(machine: _Machine) -> Iterator[str]:
    for name in _INTERPRETER:
        yield getattr(sys, name)
        yield from _installation(os.path.join(getattr(sys, name), "bin"))  # the prefix may be too wide
    yield from _links(sys.executable or "")  # an embedded interpreter has none
    yield from _imported_from()
    yield from (str(paths.PACKAGE_DIR), str(paths.carried_dir()))
    yield from machine.below_home(_TOOLS)
    for directory in machine.directories("PATH"):
        yield from _installation(directory)
    for variable in _ROOT_VARIABLES.split():
        yield from machine.directories(variable)[:1]
    for variable in _LIST_VARIABLES.split():
        yield from machine.directories(variable)
    for variable in _PROGRAM_VARIABLES.split():
        program = machine.environ.get(variable, "").split(" ")[0]
        if os.path.isabs(program):
            yield program
            yield from _installation(os.path.dirname(program))


def _imported_from() -> list[str]:
    """Return ``sys.path`` without the working directory, which ``python -m pip`` adds wherever that is."""
    here = os.path.realpath(os.curdir)
    return [entry for entry in sys.path if os.path.isabs(entry) and os.path.realpath(entry) != here]


def _installation(directory: str) -> Iterator[str]:
    """Yield a directory of programs and what is installed beside it."""
    yield directory
    root, name = os.path.split(directory)
    if name in _BINARIES:
        if any(os.path.lexists(os.path.join(root, mark)) for mark in _WHOLE):
            yield root
        else:
            yield from (os.path.join(root, part) for part in _PARTS)


def _links(path: str) -> Iterator[str]:
    """Yield a program and every link between it and the file, each of which is read when it is started."""
    for _ in range(40):  # as many as the kernel follows (path_resolution(7))
        yield path
        if not os.path.islink(path):
            return
        path = os.path.join(os.path.dirname(path), os.readlink(path))


def _matches(directory: str, names: str) -> Iterator[str]:
    """Yield what there is in a directory of names in the notation of `glob`, separated by spaces."""
    for name in names.split() if os.path.isdir(directory) else ():
        if any(mark in name for mark in "*?["):
            yield from glob.glob(os.path.join(glob.escape(directory), name))
        elif os.path.lexists(os.path.join(directory, name)):
            yield os.path.join(directory, name)


def _can_be_hidden(place: str) -> bool:
    """Tell whether there is a file, directory or socket; ``/dev/null`` in a variable hides no device."""
    try:
        mode = os.lstat(place).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)
