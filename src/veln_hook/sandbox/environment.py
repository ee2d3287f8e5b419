"""What a confined command's environment keeps: what a build needs, nothing that opens a door elsewhere.

A variable goes by its name (`is_credential_name`) or by the shape of its value (`holds_secret`). Names are
judged like ``source.variables.is_credential_name`` judges them when it reads code, and more strictly: there
a name too many is a false finding, here it is a variable less, which ``keep`` brings back.

What can't be told is a secret of hexadecimal digits under a name that says nothing: it looks like a hash.
``LD_PRELOAD`` and its like stay: they are no secrets, and what they load runs inside, confined too.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Scrubbed:
    """An environment without its secrets."""

    environment: dict[str, str]
    removed: tuple[str, ...]
    """Names of what was taken out, sorted; never a value."""


def scrub(environ: Mapping[str, str], keep: Iterable[str] = ()) -> Scrubbed:
    """Take out of an environment what a confined command must not know.

    Args:
        environ: Names and values; not changed.
        keep: Exact names that stay, whatever they hold: the user's own word.
    """
    kept = frozenset(keep)
    removed = {name for name in environ if name not in kept and _goes(name, environ[name])}
    # The same secret may stand under a second name that doesn't show it.
    secrets = [environ[name] for name in removed if is_credential_name(name) and _can_be_found(environ[name])]
    removed.update(
        name
        for name, value in environ.items()
        if name not in kept and any(secret in value for secret in secrets)
    )
    stays = {name: value for name, value in environ.items() if name not in removed}
    return Scrubbed(stays, tuple(sorted(removed)))


def _goes(name: str, value: str) -> bool:
    if os.path.isabs(value) and names_certificates(name):
        return holds_secret(value)
    return is_credential_name(name) or bool(_DOORS.match(_plain(name))) or holds_secret(value)


def _can_be_found(value: str) -> bool:
    """Tell whether a secret is so long, and so little a path or a sentence, that none holds it by chance."""
    return (
        len(value) >= _FINDABLE
        and not value.startswith(("/", "~", "."))
        and not re.search(r"\s", value)
        and bool(re.search(r"[0-9]", value))
        and bool(re.search(r"[A-Za-z]", value))
    )


_FINDABLE = 16
"""Characters; shorter ones (``test123``) occur in paths and flags that have nothing to do with them."""

# --- names ------------------------------------------------------------------------------------------------

_CREDENTIAL = re.compile(
    # Anywhere in a name: PGPASSWORD, clientSecret, GIT_ASKPASS, SLACK_WEBHOOK_URL.
    r"SECRET|PASSW(?:OR)?D|PASS_?PHRASE|PASSCODE|ASKPASS|SSHPASS|CREDENTIAL|CONN(?:ECTION)?_?STR|WEBHOOK|"
    r"MNEMONIC|SEED_?PHRASE|(?:ACCESS|ACCOUNT|API|AUTH|DEPLOY|ENCRYPTION|MASTER|PRIV|PRIVATE|SIGNING|SSH)KEY|"
    # At the end of a word: SYSTEM_ACCESSTOKEN, _authToken, but not TOKENIZERS_PARALLELISM.
    r"TOKENS?(?:_|$|[0-9])|"
    # A word of its own: NPM_CONFIG__AUTH, GITHUB_PAT, MYSQL_PWD, SENTRY_DSN, but not PATH, GIT_AUTHOR_NAME.
    r"(?:^|_)(?:O?AUTH[0-9]?|AUTHORIZATION|BEARER|COOKIES?|CREDS?|DSN|JWT|KEYS?|PASS|PAT|PWD|SESSION|TOTP)(?:_|$)|"
    # Addresses of stores of data are written with the password in them.
    r"(?:DATABASE|DB|POSTGRES(?:QL)?|PG|MYSQL|MARIADB|MONGO(?:DB)?|REDIS|AMQP|RABBITMQ|BROKER|KAFKA|CLICKHOUSE|"
    r"ELASTIC(?:SEARCH)?|SQLALCHEMY|JDBC)_(?:URL|URI)S?(?:_|$)|"
    # Publishing: whoever holds these becomes the next supply-chain attack.
    r"^(?:TWINE|UV_PUBLISH|FLIT|PDM_PUBLISH|POETRY_PYPI|POETRY_HTTP_BASIC|HATCH_INDEX)_|"
    # Bundler keeps "user:password" under the host's name: BUNDLE_GEMS__EXAMPLE__ORG.
    r"^BUNDLE_[A-Z0-9_]*__"
)
_NO_CREDENTIAL = re.compile(
    r"PWD|XDG_SESSION_(?:ID|TYPE|CLASS|DESKTOP)|DESKTOP_SESSION|"
    # These end in a project's name, and projects are called django-auth and api-key.
    r"(?:\w+_)?PRETEND_VERSION(?:_FOR_\w+)?|SETUPTOOLS_SCM_\w+|"
    # The Rust crate aws-lc-sys, which has nothing to do with the cloud.
    r"AWS_LC_\w+"
)

_DOORS = re.compile(
    # Clouds and clusters: keys, but also role, profile, metadata address and file names that lead to keys.
    r"(?:AWS(?!_LC_)|AZURE|GOOGLE|CLOUDSDK|ALICLOUD|ALIBABA_CLOUD|OCI_CLI|VAULT|CONSUL|NOMAD|TF_VAR|TF_TOKEN|"
    r"OP|ECS_CONTAINER_METADATA|IDENTITY|MSI|KUBE\w*)_|KUBECONFIG$|BOTO_CONFIG$|"
    # Files of secrets by name; `hiding.secrets` hides them, and nobody inside needs to know where they are.
    r"(?:NETRC|PGPASSFILE|PGSERVICEFILE|KRB5CCNAME|KRB5_KTNAME|KRB5_CLIENT_KTNAME|PIP_CLIENT_CERT|"
    r"SSLKEYLOGFILE|HISTFILE|GNUPGHOME|PASSWORD_STORE_DIR|XAUTHORITY|ICEAUTHORITY)$|"
    # Agents, buses, containers, displays, editors, terminals: sockets whose other end acts for the user.
    r"SSH_|GPG_AGENT_INFO$|DBUS_|XDG_RUNTIME_DIR$|GNOME_KEYRING_|SESSION_MANAGER$|DISPLAY$|WAYLAND_|PULSE_|"
    r"DOCKER_(?:HOST|CONFIG|CERT_PATH|CONTEXT)$|CONTAINER_(?:HOST|CONNECTION)$|BUILDKIT_HOST$|NOTIFY_SOCKET$|"
    r"LISTEN_(?:FDS|PID|FDNAMES)$|TMUX|STY$|VSCODE_|NVIM|KITTY_|WEZTERM_|ALACRITTY_|I3SOCK$|SWAYSOCK$|"
    r"HYPRLAND_|"
    # The way out of WSL: Windows programs are started through a socket that this names.
    r"WSL_INTEROP$|WSLENV$|"
    # Git: CI puts "extraheader: Authorization" into configuration by variables. Count, keys and values go
    # together because git stops at a count without its keys. GIT_SSH and GIT_SSH_COMMAND name keys.
    r"GIT_CONFIG_(?:COUNT|PARAMETERS|KEY_\d+|VALUE_\d+)$|GIT_SSH|GOAUTH$|"
    # CI: tokens of the job, and files whose lines the runner obeys in later steps.
    r"GH_|ACTIONS_|CI_JOB_TOKEN|CI_REGISTRY_|CI_DEPENDENCY_PROXY_|"
    r"GITHUB_(?:ENV|PATH|OUTPUT|STATE|STEP_SUMMARY)$|"
    # Our own settings: an installer inside doesn't get to know how it is judged.
    r"VELN_HOOK_"
)


def _plain(name: str) -> str:
    """Return a name in capitals, with an underscore for each character that is neither letter nor digit."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def is_credential_name(name: str) -> bool:
    """Tell whether a variable of this name usually holds a secret; capitals don't matter.

    What a build reads is none although it looks alike: ``SETUPTOOLS_SCM_PRETEND_VERSION_FOR_DJANGO_AUTH``.
    """
    plain = _plain(name)
    return bool(_CREDENTIAL.search(plain)) and not _NO_CREDENTIAL.fullmatch(plain)


_CERTIFICATES = re.compile(
    # AWS_CA_BUNDLE, CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE, NODE_EXTRA_CA_CERTS, VAULT_CACERT, npm_config_cafile,
    # CARGO_HTTP_CAINFO, NIX_SSL_CERT_FILE: but not PIP_CLIENT_CERT, which has its key beside it.
    r"(?:\w+_)?(?:CA_?BUNDLE|CA_?CERTS?(?:_FILE|_PATH)?|CA_?(?:FILE|INFO|PATH)|SSL_CERT_(?:FILE|DIR))|PIP_CERT"
)


def names_certificates(name: str) -> bool:
    """Tell whether a variable of this name says where the certificates of trusted authorities lie.

    They are public, and behind a proxy that opens TLS nothing is reached without them.
    """
    return bool(_CERTIFICATES.fullmatch(_plain(name)))


# --- values -----------------------------------------------------------------------------------------------

_TOKENS = (
    # AWS, unique identifiers of IAM: access keys, temporary ones, bearer tokens, certificates.
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    # GitHub, token formats; GitLab, token prefixes; Atlassian; CircleCI.
    r"gh[oprsu]_[A-Za-z0-9_]{20}", r"github_pat_[A-Za-z0-9_]{20}",
    r"gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct|wt)-[A-Za-z0-9_-]{16}",
    r"GR1348941[A-Za-z0-9_-]{20}",
    r"ATATT3[A-Za-z0-9_=-]{20}", r"ATBB[A-Za-z0-9]{24}", r"CCIP(?:AT|RJ)_[A-Za-z0-9_]{20}",
    # Services of models: OpenAI, Anthropic and the many that copied the form; Groq, xAI, Hugging Face ...
    r"sk-[A-Za-z0-9_-]{20}", r"gsk_[A-Za-z0-9]{20}", r"xai-[A-Za-z0-9]{20}", r"pplx-[A-Za-z0-9]{20}",
    r"hf_[A-Za-z0-9]{20}", r"r8_[A-Za-z0-9]{20}", r"dapi[0-9a-f]{32}",
    # Registries of packages and images.
    r"npm_[A-Za-z0-9]{30}", r"pypi-Ag[A-Za-z0-9_-]{16}", r"rubygems_[0-9a-f]{32}",
    r"cio[A-Za-z0-9]{32}(?![A-Za-z0-9])", r"dckr_[a-z]{3}_[A-Za-z0-9_-]{16}", r"AKCp[A-Za-z0-9]{20}",
    # Slack; bots of Telegram and Discord.
    r"xox[a-z]-[A-Za-z0-9-]{10}", r"xox[a-z]\.xox", r"xapp-[0-9]-[A-Za-z0-9-]{10}",
    r"[0-9]{8,10}:AA[A-Za-z0-9_-]{30}", r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27}",
    # Stripe; Google: API keys, access, client and refresh tokens.
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10}", r"whsec_[A-Za-z0-9+/]{20}",
    r"AIza[A-Za-z0-9_-]{35}", r"ya29\.[A-Za-z0-9_-]{20}", r"GOCSPX-[A-Za-z0-9_-]{20}",
    r"1//0[A-Za-z0-9_-]{30}",
    # DigitalOcean, SendGrid, Shopify, Vault, Terraform, Doppler, Grafana, New Relic, Sentry, Fly, Linear ...
    r"do[a-z]_v1_[0-9a-f]{40}", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16}",
    r"shp[a-z]{2}_[0-9a-fA-F]{32}",
    r"hv[sbr]\.[A-Za-z0-9_-]{20}", r"[A-Za-z0-9]{14}\.atlasv1\.", r"dp\.[a-z]{2,5}\.[A-Za-z0-9]{20}",
    r"gl(?:sa|c)_[A-Za-z0-9+/=_]{20}", r"NRAK-[A-Z0-9]{20}", r"sntry[a-z]_[A-Za-z0-9+/=_]{20}",
    r"fm[12]_[A-Za-z0-9+/=]{20}", r"FlyV1 ", r"lin_api_[A-Za-z0-9]{20}", r"sbp_[0-9a-f]{32}",
    r"pul-[0-9a-f]{32}", r"SK[0-9a-f]{32}",
    # age, 1Password.
    r"AGE-SECRET-KEY-1", r"A3-[A-Z0-9]{6}-[A-Z0-9]{6}", r"ops_eyJ",
    # JWT (RFC 7519), and any JSON in base 64.
    r"eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8}", r"eyJ[A-Za-z0-9+/_-]{40}",
)  # fmt: skip
"""How tokens begin, as their issuers document it, and enough of what follows."""
_SHAPES = re.compile(
    # Not inside a word or a path: "task-", "sphinx_npm_".
    r"(?<![A-Za-z0-9_-])(?:" + "|".join(_TOKENS) + ")|"
    # Private keys: PEM (RFC 7468), PEM in base 64 once more, PuTTY.
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|LS0tLS1CRUdJTi[A-Za-z0-9+/]{20}|PuTTY-User-Key-File"
)
_PAIRS = re.compile(
    # A name and its value inside a value: "host=db password=...", {"auth": "..."}, -Dtoken=... But not a
    # reference ($TOKEN), and not make's --jobserver-auth=fifo:...
    r"(?:passw(?:or)?d|smtp_?pass|secret|token|(?:api|access|account|private)[_-]?key|[\"'_]auth|;\s?pwd)"
    r"[\"']?\s{0,3}[=:]\s{0,3}[\"']?[^\s\"'$<{(]{6}|"
    # Headers (RFC 9110, 11.6.2), signed addresses, addresses that are a secret themselves.
    r"\bauthorization\b[\"']?\s{0,3}[=:]|\bbearer\s+[A-Za-z0-9._~+/-]{12}|\bbasic\s+[A-Za-z0-9+/]{12,}={0,2}|"
    r"[?&](?:sig|x-amz-signature|x-goog-signature)=[A-Za-z0-9%+/]{16}|"
    r"anaconda\.(?:org|com)/t/|hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/",
    re.IGNORECASE,
)
_USERINFO = re.compile(
    # RFC 3986, 3.2.1. A password in any scheme; a name alone counts where HTTP sends it as a token.
    r"[a-z][a-z0-9+.-]{1,30}://[^/\s?#@:]{0,256}:(?!\d+(?:[/?#,;\s]|$))[^\s@]{1,1024}@|"
    r"https?://[^/\s?#@]{1,1024}@",
    re.IGNORECASE,
)
_RANDOM = re.compile(r"[A-Za-z0-9+][A-Za-z0-9+/]{30,510}={0,2}")
_RANDOM_CHANGES = 0.45
"""Share of neighbours that differ in kind (small, capital, digit): 0.62 in random base 62, 0.3 in words."""


def holds_secret(text: str) -> bool:
    """Tell whether a value, or the text of a small file, has the shape of a secret anywhere in it."""
    found = _SHAPES.search(text) or _USERINFO.search(text) or _PAIRS.search(text)
    return bool(found) or _looks_random(text.strip())


def file_holds_secret(path: str) -> bool:
    """Tell whether a file of settings holds a secret; one that can't be read, or is too long, may."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(_MAX_SETTINGS + 1)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return len(text) > _MAX_SETTINGS or holds_secret(text)


_MAX_SETTINGS = 1 << 20
"""Characters; files of settings have a thousand."""


def _looks_random(value: str) -> bool:
    """Tell whether a whole value is one long run of mixed letters and digits, as generated keys are."""
    if not _RANDOM.fullmatch(value):
        return False
    kinds = ["a" if char.islower() else "A" if char.isupper() else "0" for char in value if char.isalnum()]
    changes = sum(first != second for first, second in zip(kinds, kinds[1:]))
    return len(set(kinds)) == 3 and changes >= _RANDOM_CHANGES * len(kinds)  # noqa: PLR2004 - all kinds
