"""Names of places: where programs keep secrets, where tools are installed, what holds far more than either.

Tables of names only; `hiding` says what is made of them.
"""

from __future__ import annotations

from veln_hook.sandbox.layout import PRIVATE_PLACES

# --- where secrets lie ------------------------------------------------------------------------------------
# Tables of (directory, names in it, separated by spaces), in the notation of `glob`. The first directory of
# `HOME` and `TOOLS` is the home; those in `XDG` are looked up in the variable as well.

XDG = {
    ".config": "XDG_CONFIG_HOME", ".local/share": "XDG_DATA_HOME",
    ".local/state": "XDG_STATE_HOME", ".cache": "XDG_CACHE_HOME",
}  # fmt: skip
HOME = (
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
    ("", ".pgpass .pg_service.conf .my.cnf .mylogin.cnf .mongorc.js .mongodb .redisclirc .dbeaver* Maildir"),
    ("", ".postgresql .msmtprc .mbsyncrc .offlineimaprc .fetchmailrc .getmail .mutt .muttrc .thunderbird"),
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
SYSTEM = (
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
INSPECTED = (
    ("/etc", "pip.conf xdg/pip/pip.conf uv/uv.toml npmrc gitconfig environment wgetrc conda/.condarc"),
    ("/", "usr/etc/npmrc usr/local/etc/npmrc usr/local/etc/gitconfig opt/conda/.condarc"),
)  # fmt: skip
INSPECTED_AT_HOME = (("", ".gitconfig *conda*/.condarc *forge*/.condarc"), (".config", "git/config"))
INSPECTED_IN_INSTALLATION = "pip.conf .condarc etc/npmrc etc/gitconfig"

# Variables that name files of secrets and directories of nothing else.
NAMED = (
    "AWS_CONFIG_FILE AZURE_CONFIG_DIR BOTO_CONFIG CLAUDE_CONFIG_DIR CLOUDSDK_CONFIG CODEX_HOME "
    "DOCKER_CERT_PATH DOCKER_CONFIG GH_CONFIG_DIR GLAB_CONFIG_DIR GNUPGHOME HF_TOKEN_PATH HISTFILE "
    "ICEAUTHORITY KAGGLE_CONFIG_DIR KRB5CCNAME KUBECONFIG KRB5_KTNAME KRB5_CLIENT_KTNAME LESSHISTFILE "
    "MYSQL_HISTFILE NETRC NODE_REPL_HISTORY NPM_CONFIG_USERCONFIG npm_config_userconfig PASSWORD_STORE_DIR "
    "PGPASSFILE PGSERVICEFILE PIP_CLIENT_CERT POETRY_CONFIG_DIR PSQL_HISTORY PYTHON_HISTORY "
    "REGISTRY_AUTH_FILE RCLONE_CONFIG SQLITE_HISTORY SSLKEYLOGFILE TF_CLI_CONFIG_FILE UV_CREDENTIALS_DIR "
    "WGETRC XAUTHORITY"
)
NAMED_AND_INSPECTED = (
    "PIP_CONFIG_FILE UV_CONFIG_FILE CONDARC GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM NPM_CONFIG_GLOBALCONFIG "
    "npm_config_globalconfig BASH_ENV ENV"
)
NAMED_ABOVE = (("CARGO_HOME", "credentials*"), ("COMPOSER_HOME", "auth.json"), ("HF_HOME", "*token*"))

# --- what builds need -------------------------------------------------------------------------------------

# Installations of tools, opened where they exist. ``.gitconfig`` (what is a safe directory, who commits) is
# opened only if no password was found in it.
TOOLS = (
    ("", ".cargo/bin .rustup .pyenv .rye .pixi .asdf .nvm .fnm .volta .bun/bin .deno/bin .sdkman/candidates"),
    ("", ".jenv .rbenv .goenv .nodenv .ghcup .elan .juliaup .julia/juliaup .swiftly .nix-profile"),
    ("", ".nix-defexpr .guix-profile .linuxbrew .dotnet .virtualenvs .conda/envs miniconda3 anaconda3"),
    ("", "miniforge3 mambaforge micromamba go/bin Library/Python .gitconfig"),
    (".local", "bin lib lib64 include libexec pipx"),
    (".local/share", "uv/python uv/tools pipx hatch/env mise fnm pnpm mamba rustup cargo/bin virtualenvs"),
    (".local/state", "nix"),
    (".config", "git/config git/ignore git/attributes"),
)  # fmt: skip
INTERPRETER = ("prefix", "base_prefix", "exec_prefix", "base_exec_prefix")
# Variables that name an installation, a list of directories, a program.
ROOT_VARIABLES = (
    "VIRTUAL_ENV CONDA_PREFIX CONDA_ROOT MAMBA_ROOT_PREFIX PYENV_ROOT RUSTUP_HOME NVM_DIR "
    "UV_PYTHON_INSTALL_DIR UV_TOOL_DIR PIPX_HOME VOLTA_HOME ASDF_DIR MISE_DATA_DIR JAVA_HOME GOROOT "
    "CUDA_HOME CUDA_PATH CUDNN_HOME ROCM_PATH LLVM_DIR EMSDK ANDROID_HOME ANDROID_NDK_HOME VCPKG_ROOT "
    "OPENSSL_DIR BOOST_ROOT HDF5_DIR GDAL_HOME HOMEBREW_PREFIX PYTHONHOME PYTHONUSERBASE SDKROOT"
)
LIST_VARIABLES = (
    "PYTHONPATH LD_LIBRARY_PATH DYLD_LIBRARY_PATH LIBRARY_PATH CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH "
    "PKG_CONFIG_PATH PKG_CONFIG_LIBDIR CMAKE_PREFIX_PATH ACLOCAL_PATH"
)
PROGRAM_VARIABLES = "CC CXX FC LD AR RUSTC CARGO PYTHON CMAKE PKG_CONFIG"

BINARIES = ("bin", "sbin", "condabin", "shims", "Scripts")
WHOLE = ("conda-meta", "pyvenv.cfg", "release", "VERSION")
"""Beside ``bin``, these say that the directory is one installation: conda, a virtualenv, a JDK, Go."""
PARTS = ("lib", "lib32", "lib64", "libexec", "include", "share")

# Places that hold far more than tools and secrets: never opened, never hidden, as a whole.
WIDE = (
    "/ /bin /boot /dev /dev/shm /etc /home /lib /lib64 /media /mnt /opt /private /private/etc /private/tmp "
    "/private/var /private/var/folders /proc /root /run /run/user /sbin /srv /sys /tmp /usr /usr/bin "
    "/usr/lib /usr/lib64 /usr/local /usr/sbin /usr/share /var /var/home /var/lib /var/tmp /Applications "
    "/Library /System /Users /Volumes"
)
WIDE_AT_HOME = (
    ".cache .config .local .local/share .local/state Desktop Documents Downloads Dropbox Library Movies "
    "Music OneDrive Pictures Public Videos Library/Caches"
)
HOMES = ("/home", "/var/home", "/Users")
HIDDEN = (
    *PRIVATE_PLACES,
    *("/var/home", "/Users", "/private/var/root", "/private/tmp", "/private/var/folders"),
)
"""What a launcher hides without being told, on any system."""
