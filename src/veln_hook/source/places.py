"""What paths mean: where secrets lie, and what is run or obeyed again."""

from __future__ import annotations

MACHINES = "the machine's credentials"
CREDENTIAL_PATHS: tuple[tuple[str, str], ...] = (
    (".ssh/", "ssh keys"), ("id_rsa", "ssh keys"), ("id_ed25519", "ssh keys"),
    (".aws/credentials", "cloud credentials"), (".aws/config", "cloud credentials"),
    (".aws", "cloud credentials"), (".config/gcloud", "cloud credentials"),
    ("application_default_credentials", "cloud credentials"), (".azure/", "cloud credentials"),
    (".kube/config", "cluster credentials"), (".docker/config.json", "registry credentials"),
    ("serviceaccount/token", "cluster credentials"), ("kubernetes.io/serviceaccount", "cluster credentials"),
    (".netrc", "passwords"), (".pypirc", "index credentials"), (".npmrc", "index credentials"),
    (".git-credentials", "passwords"), (".gnupg", "gpg keys"), ("/etc/shadow", "passwords"),
    ("/etc/passwd", "accounts"), (".bash_history", "shell history"), (".zsh_history", "shell history"),
    (".config/gh/", "github token"), ("login data", "browser passwords"), ("local state", "browser keys"),
    ("web data", "browser passwords"), ("local storage/leveldb", "browser storage"),
    ("local storage\\leveldb", "browser storage"), ("leveldb", "browser storage"),
    ("user data\\default", "browser profile"), ("user data/default", "browser profile"),
    ("google/chrome/user data", "browser profile"), ("google\\chrome\\user data", "browser profile"),
    ("mozilla/firefox/profiles", "browser profile"), ("mozilla\\firefox\\profiles", "browser profile"),
    ("cookies.sqlite", "browser cookies"), ("network/cookies", "browser cookies"),
    ("network\\cookies", "browser cookies"), ("discordcanary", "chat tokens"), ("discordptb", "chat tokens"),
    ("\\discord", "chat tokens"), ("/discord/", "chat tokens"), ("telegram desktop", "chat tokens"),
    ("tdata", "chat tokens"), ("wallet.dat", "wallets"), ("exodus.wallet", "wallets"),
    ("electrum/wallets", "wallets"), ("electrum\\wallets", "wallets"),
    ("nkbihfbeogaeaoehlefnkodbefgpgknn", "wallets"), (".config/solana", "wallets"), (".bitcoin", "wallets"),
    ("/proc/self/environ", "the environment"), ("/proc/{}/environ", "the environment"),
    ("/proc/1/environ", "the environment"), (".env", "settings"), ("169.254.169.254", MACHINES),
    ("169.254.170.2/", MACHINES), ("metadata.google.internal", MACHINES), ("100.100.100.200/", MACHINES),
    ("/.ssh", "ssh keys"), (".vault-token", "passwords"), (".terraform.d/credentials", "cloud credentials"),
    ("huggingface/token", "model credentials"), (".claude/.credentials", "model credentials"),
    (".codex/auth.json", "model credentials"), (".gemini/oauth_creds", "model credentials"),
    ("pypoetry/auth.toml", "index credentials"), ("/pip/pip.conf", "index credentials"),
    (".cargo/credentials", "registry credentials"), (".pgpass", "passwords"), (".my.cnf", "passwords"),
    (".python_history", "shell history"), (".psql_history", "shell history"), (".kdbx", "passwords"),
    (".mysql_history", "shell history"), (".password-store", "passwords"), ("/run/secrets/", "passwords"),
    (".config/op/", "passwords"), (".config/rclone", "cloud credentials"), (".s3cfg", "cloud credentials"),
    (".ethereum", "wallets"), ("keystore/", "wallets"), ("key4.db", "browser passwords"),
    ("logins.json", "browser passwords"), (".roblosecurity", "cookies"),
)  # fmt: skip
"""Parts of paths and of URLs, in lower case, where secrets lie, and what lies there."""
NO_SECRET = ("settings", MACHINES)
"""What lies in places whose names are given to many that read no secret there."""

INTERPRETER = "an interpreter start-up file"
STARTUP_PATHS: tuple[tuple[str, str], ...] = (
    ("sitecustomize", INTERPRETER), ("usercustomize", INTERPRETER), (".pth", INTERPRETER),
    (".bashrc", "a shell start-up file"),
    (".zshrc", "a shell start-up file"), (".bash_profile", "a shell start-up file"),
    (".profile", "a shell start-up file"), ("start menu\\programs\\startup", "the Startup folder"),
    ("start menu/programs/startup", "the Startup folder"), ("programs\\startup", "the Startup folder"),
    ("\\startup\\", "the Startup folder"), ("currentversion\\run", "a Run key"), ("launchagents", "launchd"),
    ("launchdaemons", "launchd"), ("systemd/user", "a systemd unit"), ("/etc/systemd", "a systemd unit"),
    ("crontab", "cron"), ("/etc/cron", "cron"), ("schtasks", "a scheduled task"),
    (".config/autostart", "autostart"), ("/etc/rc.local", "rc.local"),
    ("authorized_keys", "ssh authorized_keys"), ("/etc/ld.so.preload", "ld.so.preload"),
)  # fmt: skip
"""Parts of paths and commands, in lower case, by which something comes to run again."""
RUN_AGAIN = tuple(row for row in STARTUP_PATHS if row[1] != INTERPRETER)
"""Of those, what shells and systems start."""
_MORE: dict[str, tuple[str, ...]] = {
    "a shell start-up file": (
        ".zshenv", ".zprofile", ".zlogin", ".bash_aliases", ".bash_login", ".bash_logout", ".xprofile",
        ".xinitrc", ".xsessionrc", "config.fish", "fish/conf.d/", "/etc/profile", "profile.d/", ".inputrc",
        ".envrc", "environment.d/", ".pam_environment", ".tmux.conf", ".screenrc",
    ),
    "an editor's configuration": (
        ".vimrc", "init.vim", "nvim/init.lua", ".emacs", ".vscode/", "code/user/settings.json", ".idea/",
    ),
    "an installer's configuration": (
        "pip/pip.conf", ".pip/pip.conf", "pip\\pip.ini", "pip/pip.ini", "uv/uv.toml", ".pydistutils.cfg",
        ".condarc", ".npmrc", ".yarnrc", ".cargo/config", ".m2/settings.xml", ".gradle/init",
    ),
    "an assistant's configuration": (
        ".claude/", "claude_desktop_config.json", ".cursor/", ".codeium/", ".windsurf/", ".gemini/",
        ".codex/",
    ),
    "git's configuration": (
        ".gitconfig", "git/config", ".git/hooks/", ".git/config",
    ),
    "what ssh starts": (
        ".ssh/config", ".ssh/rc", ".ssh/environment",
    ),
    "what a debugger starts": (
        ".pdbrc", ".gdbinit", ".pythonrc", ".pythonstartup",
    ),
    "start-up files of IPython or Jupyter": (
        "profile_default/startup", "ipython_config.py", "jupyter_notebook_config", "jupyter_server_config",
    ),
    "a directory of commands": (
        ".local/bin/", "/usr/local/bin/",
    ),
}  # fmt: skip
OBEYED = (*RUN_AGAIN, *((part, what) for what, parts in _MORE.items() for part in parts))
"""Parts of paths, in lower case, of what is run or obeyed again, and what that is."""
