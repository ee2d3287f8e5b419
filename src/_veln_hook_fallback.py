"""Stands in where veln-hook's own files are missing or damaged: pip's installing commands refuse, and uv.

Beside the package rather than in it, because the package is what can be gone.
Rules: it imports what every Python has loaded already, stays silent, and stops
nothing but the modules of pip's installing commands, and the one that finds uv's
program. The one command that repairs, and uninstalling, always go through.
"""

import os
import sys

_COMMANDS = ("download", "install", "lock", "wheel")
_UV = "uv._find_uv"
_REPAIR = ["install", "--force-reinstall", "veln-hook"]
# Words that may stand anywhere in the repair command; veln_hook._startup has the same.
_EXTRAS = ("-q", "-v", "-U", "--upgrade", "--user", "--no-cache-dir", "--break-system-packages")
_POLICY = "/etc/xdg/veln-hook/policy.toml"
REPAIR = ""
"""Where veln-hook isn't installed but led to: the command that repairs."""


def find_spec(fullname, path=None, target=None):
    """Find nothing; end the process where uv is looked for, or a command of pip's that installs is loaded."""
    head, found, command = fullname.partition("pip._internal.commands.")
    if fullname != _UV and (not found or command not in _COMMANDS or (head and head[-1] != ".")):
        return
    if [word for word in sys.argv[1:] if word not in _EXTRAS] == _REPAIR:
        return
    off = os.environ.get("VELN_HOOK", "").strip().lower() in ("off", "0", "no", "false")
    # The policy can't be read without what is damaged: where there is one, it may have locked the switch.
    if off and not os.path.lexists(_POLICY):
        return
    repair = REPAIR or f"{sys.executable} -m pip {' '.join(_REPAIR)}"
    beside = "" if REPAIR else os.path.dirname(os.path.abspath(__file__))
    if fullname == _UV and beside and not os.path.isdir(os.path.join(beside, "pip")):
        uv = os.path.join(sys.prefix, "bin", "uv")  # it makes environments without pip
        repair = f"{uv} pip install --python {sys.executable} --reinstall veln-hook"
    sys.stderr.write(
        f"ERROR: veln-hook's files are missing or damaged, so nothing is installed. Repair: {repair}\n"
    )
    raise SystemExit(78)


def install():
    """Put this module itself in front of the finders, once per process."""
    this = sys.modules[__name__]
    if this not in sys.meta_path:
        sys.meta_path.insert(0, this)
