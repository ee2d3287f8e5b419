"""The Simple API (PEP 503, 691, 700) as data. No network here: whoever has a session fetches."""

from __future__ import annotations

from veln_hook.index.project_api import parse_project_api, project_api_url
from veln_hook.index.simple import (
    ACCEPT_JSON,
    FileEntry,
    base_url,
    parse_json_page,
    parse_upload_time,
    strip_credentials,
)

__all__ = [
    "ACCEPT_JSON",
    "FileEntry",
    "base_url",
    "parse_json_page",
    "parse_project_api",
    "parse_upload_time",
    "project_api_url",
    "strip_credentials",
]
