"""What the words of a command line tell: what it fetches, installs, opens or gives away."""

from __future__ import annotations

import re

DOWNLOAD = re.compile(
    r"\b(?:curl|wget|iwr|Invoke-WebRequest|Invoke-RestMethod|Invoke-Expression|iex|DownloadString|"
    r"DownloadFile|Start-BitsTransfer|bitsadmin|certutil)\b|/dev/tcp/|\bnc(?:at)?\s+-\w*e|\bmshta\b|"
    r"-enc(?:odedcommand)?\b|-w(?:indowstyle)?\s+h(?:idden)?\b|-ex(?:ecutionpolicy)?\s+bypass",
    re.IGNORECASE,
)
_POWERSHELL = re.compile(r"\bpowershell(?:\.exe)?\b|\bpwsh\b", re.IGNORECASE)
_INSTALLS = re.compile(
    r"\bpip[0-9.]*['\", ]+install\b|-m['\", ]+pip['\", ]+install|\beasy_install\b"
    r"|\buv (?:add|tool (?:install|run))\b|\buvx |\bpipx (?:run|install)\b"
    r"|\b(?:conda|mamba|micromamba) install\b|\b(?:poetry|pdm) add\b"
    r"|\bnpx (?:-y|--yes|-p|--package)\b|\bbunx |\bpnpm dlx\b|\byarn dlx\b"
    r"|\bgo run \S+@|\bdeno run\b[^;|&]*https?:",
    re.IGNORECASE,
)
"""What installs Python packages, or runs packages of any kind that it fetches."""
_URL = re.compile(r"\b(?:https?|ftp)://(?!localhost\b|127\.|\[::1\])[^\s'\"]", re.IGNORECASE)
_FETCHES = re.compile(
    r"\b(?:scp|rsync|sftp)\b[^;|&]*[\w.]:|\bopenssl s_client\b|\b(?:aria2c|axel|lftp|lynx -(?:dump|source))\b"
    r"|\baws s3 (?:cp|sync)\b|\bgsutil (?:cp|rsync)\b|\bgh gist create\b|\bssh\b[^;|&]* -R\b"
    r"|\b(?:mail|sendmail|mutt)\b[^;|&]*<|\bngrok |\bcloudflared tunnel\b|\b(?:telnet|tftp|smbclient) \S"
    r"|(?:^|[|;&]\s*)nc(?:at)? (?:-\S+ )*[\w-]+\.[\w.-]+ \d|\bsocat\b[^;|&]*\btcp|\bnet use \\\\"
    r"|\b(?:nslookup|dig|host|ping)\b[^;|&]*(?:\$\(|`)|\bdig\b[^;&]*\|\s*(?:ba|z|da)?sh\b",
    re.IGNORECASE,
)
"""What carries files to or from other machines."""
_STAYS = {
    "a Run key": (r"\breg(?:\.exe)? add\b.*\\currentversion\\run",),
    "a scheduled task": (r"\bschtasks\b.*/create\b",),
    "a service": (r"\bsc(?:\.exe)? create\b", r"\bNew-Service\b"),
    "a systemd unit": (r"\bsystemctl\b.* (?:enable|link)\b", r"\bupdate-rc\.d\b", r"\bchkconfig\b.* on\b"),
    "launchd": (r"\blaunchctl (?:load|bootstrap|enable|submit)\b", r"\bdefaults write\b.*\bLoginHook\b"),
    "cron": (
        r"\|\s*crontab\b",
        r"\bcrontab (?!-[lr]\b)\S",
        r"\|\s*(?:at|batch)\b",
        r"(?:^|[;&]\s*)at (?:now|-f)\b",
    ),
    "accounts": (
        r"\bnet1? (?:user|localgroup)\b.*/add\b",
        r"\b(?:useradd|adduser|usermod)\b",
        r"\bdscl\b.*-create\b",
    ),
    "rights": (
        r"/etc/sudoers",
        r"\bchmod\b[^;|&]*\bu?\+s\b",
        r"\bchmod\b[^;|&]* [246][0-7]{3}\b",
        r"\bssh-copy-id\b",
    ),
}
"""Commands that arrange to be run again, or to be let in again, by what that is."""
_BY_WHAT = {what: re.compile("|".join(patterns), re.IGNORECASE) for what, patterns in _STAYS.items()}
_WEAKENS = re.compile(
    r"\b(?:Set|Add|Remove)-MpPreference\b|\bDisableAnti(?:Spyware|Virus)\b|\badvfirewall\b.*\boff\b"
    r"|\bsetenforce 0\b|\biptables (?:-F|--flush)\b|\bufw disable\b|\bspctl --(?:master|global)-disable\b"
    r"|\bcsrutil disable\b|\b(?:insmod|modprobe) \S|\bxattr\b.*com\.apple\.quarantine|\bUnblock-File\b"
    r"|\b(?:systemctl|service)\b.*\bstop\b.*(?:falco|clam|audit|osquery|crowdstrike|falcon)",
    re.IGNORECASE,
)
_SPIES = re.compile(
    r"\bmimikatz\b|\blazagne\b|\bsecurity dump-keychain\b|\bscreencapture\b|\bimport -window root\b"
    r"|\bscrot\b|\b(?:gnome-screenshot|spectacle|grim)\b|\bp?arecord\b|\bxinput test\b|\bpbpaste\b"
    r"|\bxclip\b.* -o\b|\bxsel\b.* -o\b|\bwl-paste\b|\bGet-Clipboard\b|\bcmdkey /list\b|\bvaultcmd /list"
    r"|\bffmpeg\b.* -f (?:x11grab|avfoundation|gdigrab|dshow|v4l2|alsa|pulse)\b",
    re.IGNORECASE,
)
_SHOWS = frozenset((
    "open", "xdg-open", "start", "explorer", "explorer.exe", "firefox", "google-chrome", "chromium", "echo",
    "printf", "sensible-browser", "chrome", "msedge", "safari",
))  # fmt: skip
"""Programs that show somebody a page."""
_REMOTE_SHELL = re.compile(
    r"/dev/tcp/|\bnc(?:at)?\b[^|;&]*\s-\w*e\b|\bmkfifo\b.*\bnc(?:at)?\b|\bsocat\b.*\bexec:|"
    r"\bsocket\b.*(?:\bdup2\b|\bpty\.spawn\b|/bin/(?:ba|z|da)?sh\b|\bcmd\.exe\b)|"
    r"\bTCPClient\b.*(?:\biex\b|\bInvoke-Expression\b|\bcmd\.exe\b)",
    re.IGNORECASE | re.DOTALL,
)
"""A shell whose input and output are somebody else's."""
_DEVELOPER = re.compile(
    r"(?:sys\.executable|python[0-9.]*)?\s*(?:-m\s+)?(?:\./)?"
    r"(?:setup\.py\s+(?:-\w+\s+)?(?:sdist|bdist|register|upload|test|check|clean)|twine\s+(?:upload|check))\b"
)
"""What an author's own setup.py runs to publish or to test: itself, or what uploads."""
_ENVIRONMENT = re.compile(
    r"(?:/usr/bin/)?(?:env|printenv)(?: -0)?|set|export -p|declare -x|cmd(?:\.exe)? /c set"
)
_CREDENTIALS = re.compile(
    r"\b(?:(git) credential(?:-\w+)? (?:fill|get)|(gh) auth token"
    r"|(gcloud) auth .*print-(?:access|identity)-token|(aws) configure (?:get aws_\w+|export-credentials)"
    r"|(az) account get-access-token|(security) find-\w+-password|(kubectl) get secrets?|(pass) show)\b"
)
_OPENERS = ("startfile", "ShellExecute")
_BROWSER = "webbrowser."


def flags(command: str, program: str) -> list[str]:
    """Return what is special about a process.

    Args:
        command: Its words as far as they are known, ``sys.executable`` for this Python.
        program: Dotted name of the function that starts it.

    Returns:
        Some of ``pip`` (installs packages, or runs those that it fetches), ``download``, ``powershell``,
        ``python`` (an interpreter), ``remote-shell`` and ``opens`` (as a double click does).
    """
    found = []
    if _INSTALLS.search(command) or program.startswith("pip."):
        found.append("pip")
    elif _downloads(command):
        found.append("download")
    if _POWERSHELL.search(command):
        found.append("powershell")
    if runs_python(command) and not _DEVELOPER.match(command.strip()):
        found.append("python")
    if _REMOTE_SHELL.search(command):
        found.append("remote-shell")
    if opens(program) or command.split()[:1] == ["start"]:
        found.append("opens")
    return found


def _downloads(command: str) -> bool:
    """Tell whether a command fetches something or carries something off."""
    if DOWNLOAD.search(command) or _FETCHES.search(command):
        return True
    return _URL.search(command) is not None and program_of(command).lower() not in _SHOWS


def tells(command: str) -> str:
    """Return what a command prints that is nobody's: the ``environment``, or whose credentials; else nothing.

    Args:
        command: Its words as far as they are known.
    """
    command = " ".join(command.split())
    if _ENVIRONMENT.fullmatch(command):
        return "environment"
    found = _CREDENTIALS.search(command)
    return f"{found[found.lastindex or 0]} credentials" if found else ""


def stays_by(command: str) -> str:
    """Return by what a command has something run again, or let in again; empty if by nothing known."""
    return next((what for what, pattern in _BY_WHAT.items() if pattern.search(command)), "")


def weakens(command: str) -> bool:
    """Tell whether a command switches off, or gets around, what protects a machine."""
    return _WEAKENS.search(command) is not None


def spies_by(command: str) -> str:
    """Return the program by which a command watches whoever sits there; empty if it does not."""
    found = _SPIES.search(command)
    return found.group().split(maxsplit=1)[0] if found else ""


def opens(program: str) -> bool:
    """Tell whether a function opens a file or a page the way a double click does."""
    return program.rpartition(".")[2].startswith(_OPENERS) or program.startswith(_BROWSER)


def runs_python(command: str) -> bool:
    """Tell whether a command names an interpreter."""
    return "sys.executable" in command or "python" in command.lower()


def has_no_window(command: str) -> bool:
    """Tell whether a command is run by the Python that shows nothing on Windows."""
    return program_of(command).lower().startswith("pythonw")


def inline_code(command: str) -> str:
    """Return the code that ``python -c`` is given, without the quotes of a shell; empty if there is none."""
    code = command.partition(" -c ")[2].strip()
    quote = code[:1]
    if quote in ("'", '"') and code.find(quote, 1) > 0:
        return code[1 : code.rfind(quote)]
    return code


def program_of(command: str) -> str:
    """Return the name of the program that a command runs; empty if it is not known."""
    words = command.split()
    return words[0].replace("\\", "/").rpartition("/")[2] if words else ""
