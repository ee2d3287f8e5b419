"""Which files need no parsing, told from their bytes.

A plain ``in`` per token is several times faster than a regular expression and
far faster than a parser. A file without any token can't do anything that a
signal holds for by itself; its part in a call chain is covered by ``CALLS_ALONE``.
"""

from __future__ import annotations

import re

TOKENS = tuple(
    token.encode()
    for token in (
        # what executes or hides
        "exec(", "exec (", "= exec", "eval(", "marshal", "__import__", "import_module", "b64decode", "b85decode", "a85decode", "b32decode",
        "unhexlify", "fromhex", "decompress(", "rot13", "rot_13", "Fernet", "__builtins__", "globals()[", "chr(",
        "spec_from_file_location", "SourceFileLoader", "load_source", "load_dynamic", "runpy", "FunctionType(",
        "decrypt(", "pickle.loads", "getattr(os", "getattr(sub", "builtins", "getattr(httpx", "getattr(requests", "getattr(socket",
        # what starts processes
        "subprocess", "os.system", "popen", "Popen", "startfile", "os.spawn", "os.posix_spawn", "ShellExecute", "WinExec",
        "pty.spawn", "pexpect", "create_subprocess", "pip.main", "import system", "commands.getoutput",
        # what reaches the network
        "urlopen", "urlretrieve", "requests.", "import requests", "from requests", "httpx.get", "httpx.post", "httpx.put", "httpx.request", "httpx.stream", "httpx.Client", "httpx.AsyncClient",
        "from httpx", "httpx as", "aiohttp.", "from aiohttp", "http.client",
        "httplib", "urllib3.", "from urllib3", "socket.", "from socket", "smtplib", "ftplib", "telnetlib", "paramiko", "websocket",
        "xmlrpc", "pycurl", "wget", "import discord", "discord_webhook", "dhooks", "telebot", "telegram", "gethostbyname", "getaddrinfo", "dns.resolver",
        "discord.com/api/webhooks",
        # what loads native code, spies or stays
        "ctypes.", "from ctypes", "ctypes as", "cffi", "winreg", "pynput", "ImageGrab", "pyperclip", "CryptUnprotectData", "browser_cookie",
        "sitecustomize", "usercustomize", ".pth", "crontab", "LaunchAgents", "schtasks", ".bashrc", "authorized_keys",
        "id_rsa", ".aws/credentials", "wallet.dat", "leveldb", "Login Data",
    )
)  # fmt: skip
"""Literals, each of them in the source of something that a signal wants to see."""

CALLS_ALONE = re.compile(rb"^[A-Za-z_][\w.]*\([^\n]*\)[ \t]*$", re.MULTILINE)
"""A call that stands alone at the left margin: what a module does when it is imported, perhaps elsewhere's code."""


def is_interesting(data: bytes) -> bool:
    """Tell whether a file of Python source needs parsing."""
    return any(token in data for token in TOKENS) or CALLS_ALONE.search(data) is not None
