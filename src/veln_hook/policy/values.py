"""Readers of single values: from what TOML or a text holds to what the policy means, or an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from packaging.utils import canonicalize_name

from veln_hook.model import Decision, Severity
from veln_hook.policy.durations import parse_duration
from veln_hook.policy.matching import UrlKey, parse_exemption, url_key

if TYPE_CHECKING:
    from collections.abc import Sequence

_Item = TypeVar("_Item")

_MAX_PEOPLE = 20
_MAX_COUNT = 1_000_000
_MAX_SHOWN = 80
_MAX_TIMEOUT = timedelta(minutes=1)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HOST = re.compile(
    r"(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::[0-9]{1,5})?"
    r"|\[[0-9a-f:.]+\](?::[0-9]{1,5})?",
    re.ASCII,
)
_PATTERN = re.compile(r"[A-Za-z0-9*?](?:[A-Za-z0-9._*?-]*[A-Za-z0-9*?])?", re.ASCII)
_PLUGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)


class InvalidValueError(ValueError):
    """A value that can't stand where it stands.

    Attributes:
        parts: Where inside the value the fault lies: the number of a list item, the key of a table.
    """

    def __init__(self, message: str, parts: tuple[str | int, ...] = ()) -> None:
        self.parts = parts
        super().__init__(message)


def shown(value: object) -> str:
    """Return a value fit for one line of a terminal, whoever wrote it."""
    text = value if isinstance(value, str) else repr(value)
    if not text.isprintable():
        text = ascii(text)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def text_value(value: object) -> str:
    """Read a text.

    Raises:
        InvalidValueError: It is none, or has control characters.
    """
    if not isinstance(value, str):
        raise InvalidValueError(f"must be a text in quotes, not {shown(value)}")
    if any(ord(char) < ord(" ") or char == "\x7f" for char in value):
        raise InvalidValueError("must not contain control characters")
    return value


def filled(value: object) -> str:
    """Read a text that says something.

    Raises:
        InvalidValueError: It is none, or is empty.
    """
    text = text_value(value).strip()
    if not text:
        raise InvalidValueError("must not be empty")
    return text


def absolute_path(value: object) -> str:
    """Read the path of a file, which must not depend on where a command is started; or nothing.

    Raises:
        InvalidValueError: It is no text, or not absolute.
    """
    text = text_value(value)
    if text and not text.startswith("/"):
        raise InvalidValueError("must be an absolute path")
    return text


def boolean(value: object) -> bool:
    """Read ``true`` or ``false``.

    Raises:
        InvalidValueError: It is neither.
    """
    if not isinstance(value, bool):
        raise InvalidValueError(f"must be true or false without quotes, not {shown(value)}")
    return value


def count(value: object) -> int:
    """Read a number of things.

    Raises:
        InvalidValueError: It is no whole number from zero to a million.
    """
    return _whole(value, 0, _MAX_COUNT)


def people(value: object) -> int:
    """Read a number of people, which is never nobody.

    Raises:
        InvalidValueError: It is no whole number from one to twenty.
    """
    return _whole(value, 1, _MAX_PEOPLE)


def _whole(value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidValueError(f"must be a whole number from {least} to {most}")
    return value


def choice(*words: str) -> Callable[[object], str]:
    """Return a reader that accepts exactly these words."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            allowed = ", ".join(f'"{word}"' for word in words)
            raise InvalidValueError(f"must be one of {allowed}, not {shown(value)}")
        return value

    return read


def decision(value: object) -> Decision:
    """Read a decision's word.

    Raises:
        InvalidValueError: It is none.
    """
    return Decision[choice(*(item.word for item in Decision))(value).upper()]


def severity(value: object) -> Severity:
    """Read a severity's word.

    Raises:
        InvalidValueError: It is none.
    """
    return Severity[choice(*(item.word for item in Severity))(value).upper()]


def exemption(value: object) -> str:
    """Read one entry of ``cooling.exempt`` and return its one spelling.

    Raises:
        InvalidValueError: It is no glob of project names with an optional version specifier.
    """
    text = filled(value)
    try:
        return parse_exemption(text).text
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


def project_pattern(value: object) -> str:
    """Read a glob over normalized project names, such as ``acme-*``.

    Raises:
        InvalidValueError: It is none.
    """
    text = text_value(value).strip()
    if not _PATTERN.fullmatch(text):
        raise InvalidValueError(f'must be a project\'s name or a pattern such as "acme-*", not {shown(text)}')
    return canonicalize_name(text)


def host(value: object) -> str:
    """Read a host, ``*.`` before it or ``:port`` behind it allowed.

    Raises:
        InvalidValueError: It is no host, or a URL.
    """
    text = filled(value).lower()
    if _HOST.fullmatch(text) is None:
        raise InvalidValueError('must be a host such as "files.example.org" or "*.example.org:8443", no URL')
    return text


def plugin(value: object) -> str:
    """Read the name of a plugin.

    Raises:
        InvalidValueError: It is none.
    """
    text = filled(value)
    if _PLUGIN.fullmatch(text) is None:
        raise InvalidValueError("must be the name of a plugin: letters, digits, '.', '_' and '-'")
    return text


def sha256(value: object) -> str:
    """Read a SHA-256 digest and return it in lower case.

    Raises:
        InvalidValueError: It is not 64 hexadecimal digits.
    """
    text = filled(value).lower()
    if _SHA256.fullmatch(text) is None:
        raise InvalidValueError("must be the 64 hexadecimal digits of a SHA-256")
    return text


def index_url(value: object) -> str:
    """Read the URL of an index.

    Raises:
        InvalidValueError: It is none.
    """
    text = filled(value)
    place = _place(text)
    if not _is_web(place) and (place is None or place.scheme != "file"):
        raise InvalidValueError('must be the URL of an index, such as "https://pypi.org/simple/"')
    return text


def upstream_url(value: object) -> str:
    """Read the URL of an index, or nothing.

    Raises:
        InvalidValueError: It is neither.
    """
    return index_url(value) if text_value(value).strip() else ""


def web_url(value: object) -> str:
    """Read the URL of a file on a web server.

    Raises:
        InvalidValueError: It is none.
    """
    text = filled(value)
    if not _is_web(_place(text)):
        raise InvalidValueError('must be a URL, such as "https://mirror.example/PyPI/all.zip"')
    return text


def _place(text: str) -> UrlKey | None:
    try:
        return url_key(text)
    except ValueError:
        return None


def _is_web(place: UrlKey | None) -> bool:
    return place is not None and place.scheme in ("http", "https") and place.host != ""


def store_url(value: object) -> str:
    """Read where the store lies; its value, which may hold a password, is in no message.

    Raises:
        InvalidValueError: It is neither empty nor a PostgreSQL URL.
    """
    if not isinstance(value, str) or not value.isprintable():
        raise InvalidValueError("must be a text in quotes")
    text = value.strip()
    if text and not text.startswith(("postgresql://", "postgres://")):
        raise InvalidValueError('must be empty (SQLite in the user\'s state directory) or "postgresql://..."')
    return text


def timeout(value: object) -> timedelta:
    """Read how long something is waited for.

    Raises:
        InvalidValueError: It is no duration, or not between nothing and a minute.
        ValueError: See ``parse_duration``.
    """
    duration = parse_duration(value)
    if not timedelta() < duration <= _MAX_TIMEOUT:
        raise InvalidValueError("must be longer than nothing and at most a minute")
    return duration


def expiry(value: object) -> datetime:
    """Read when an exception ends: a date (the start of that day in UTC), or a date and time with its offset.

    Raises:
        InvalidValueError: It is none, or lacks the offset.
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidValueError("lacks the offset; write 2027-01-01T12:00:00Z, or a date alone")
        try:
            return value.astimezone(timezone.utc)
        except OverflowError:
            raise InvalidValueError("lies outside the calendar") from None
    if isinstance(value, date):
        return datetime.combine(value, time(), timezone.utc)
    raise InvalidValueError(f"must be a date without quotes, such as 2027-01-01, not {shown(value)}")


def list_of(
    read: Callable[[object], _Item], form: str = 'texts, such as ["..."]'
) -> Callable[[object], tuple[_Item, ...]]:
    """Return a reader of lists of what ``read`` reads; an item that stands there twice counts once."""

    def read_list(value: object) -> tuple[_Item, ...]:
        if not isinstance(value, (list, tuple)):
            raise InvalidValueError(f"must be a list of {form}, not {shown(value)}")
        return tuple(dict.fromkeys(_at(number, read, item) for number, item in enumerate(value)))

    return read_list


def table_of(
    fields: Mapping[str, Callable[[object], Any]],
    required: Sequence[str],
    make: Callable[..., _Item],
    near_miss: Callable[[str, Sequence[str]], str],
) -> Callable[[object], _Item]:
    """Return a reader of tables with exactly these fields."""

    def read_table(value: object) -> _Item:
        if not isinstance(value, Mapping):
            raise InvalidValueError(f"must be a table, not {shown(value)}")
        arguments = {}
        for name, item in value.items():
            if name not in fields:
                raise InvalidValueError(f"unknown key{near_miss(name, list(fields))}", (name,))
            arguments[name] = _at(name, fields[name], item)
        for name in required:
            if name not in arguments:
                raise InvalidValueError(f"'{name}' is missing")
        return make(**arguments)

    return read_table


def _at(place: str | int, read: Callable[[object], _Item], value: object) -> _Item:
    try:
        return read(value)
    except ValueError as error:
        inner = error.parts if isinstance(error, InvalidValueError) else ()
        raise InvalidValueError(str(error), (place, *inner)) from None
