"""Durations as people write them in a policy file, and as messages show them."""

from __future__ import annotations

import re
from datetime import timedelta

MAX_DURATION = timedelta(days=36_525)
"""About a hundred years; anything longer is a slip of the keyboard."""

_FORMS = (
    'write a number with its unit, such as "90 min", "2h", "3 days", "1d 12h", "1w", "PT2H", "P3D" or "0"'
)
_MAX_TEXT = 100

_SECOND = 1_000_000
_UNITS = {
    "s": _SECOND,
    "min": 60 * _SECOND,
    "h": 3_600 * _SECOND,
    "d": 86_400 * _SECOND,
    "w": 604_800 * _SECOND,
}
"""Microseconds: whole numbers, so that nothing is lost to floats."""
_SPELLINGS = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "min": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
    "w": ("w", "wk", "wks", "week", "weeks"),
}
_WORDS = {word: unit for unit, words in _SPELLINGS.items() for word in words}

_NUMBER = r"([0-9]+)(?:\.([0-9]+))?"
_PART = re.compile(rf"\s*{_NUMBER}\s*([a-z]+)\s*(?:,\s*)?", re.ASCII)
_PLAIN_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_ISO = re.compile(
    rf"p(?:{_NUMBER}w)?(?:{_NUMBER}d)?(?:t(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?)?", re.ASCII
)
_ISO_UNITS = ("w", "d", "h", "min", "s")


def parse_duration(text: object) -> timedelta:
    """Read a duration: ``"2h"``, ``"90 min"``, ``"1d 12h"``, ``"PT2H"``, ``"P3D"``, ``"0"`` or the number 0.

    A fraction of a microsecond is rounded up, so that only a zero is zero.

    Args:
        text: What the policy file, the variable or the command line says.

    Returns:
        The duration, from zero to ``MAX_DURATION``.

    Raises:
        ValueError: It is no duration, has no unit, is negative or is longer than a hundred years.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        if text == 0:
            return timedelta()
        raise ValueError(f"negative: {_FORMS}" if text < 0 else f"the unit is missing: {_FORMS}")
    if not isinstance(text, str):
        raise ValueError(f"not a duration; {_FORMS}")  # noqa: TRY004 - the caller names file and key for a ValueError
    words = text.strip().lower()
    if not words or len(words) > _MAX_TEXT:
        raise ValueError(f"{'too long' if words else 'empty'}; {_FORMS}")
    if words.startswith(("-", "\u2212")):
        raise ValueError(f"negative; {_FORMS}")
    if _PLAIN_NUMBER.fullmatch(words):
        if not words.strip("0."):
            return timedelta()
        raise ValueError(f"the unit is missing; {_FORMS}")
    parts = _iso_parts(words) if words.startswith("p") else _word_parts(words)
    micros = sum(_micros(whole, fraction, unit) for whole, fraction, unit in parts)
    if micros > MAX_DURATION // timedelta(microseconds=1):
        raise ValueError(f"longer than a hundred years; {_FORMS}")
    return timedelta(microseconds=micros)


def _micros(whole: str, fraction: str, unit: str) -> int:
    micros = int(whole) * _UNITS[unit]
    if fraction:
        micros -= -int(fraction) * _UNITS[unit] // 10 ** len(fraction)
    return micros


def _iso_parts(words: str) -> list[tuple[str, str, str]]:
    match = _ISO.fullmatch(words)
    if match is None or words.endswith(("p", "t")):
        raise ValueError(f"not an ISO 8601 duration of weeks, days, hours, minutes, seconds; {_FORMS}")
    groups = match.groups(default="")
    pairs = zip(groups[0::2], groups[1::2], _ISO_UNITS)
    return [(whole, fraction, unit) for whole, fraction, unit in pairs if whole]


def _word_parts(words: str) -> list[tuple[str, str, str]]:
    parts: list[tuple[str, str, str]] = []
    position = 0
    while position < len(words):
        match = _PART.match(words, position)
        unit = _WORDS.get(match.group(3)) if match else None
        if match is None or unit is None or words.endswith(","):
            raise ValueError(f"not a duration; {_FORMS}")
        if any(unit == earlier for _, _, earlier in parts):
            raise ValueError(f"names the same unit twice; {_FORMS}")
        parts.append((match.group(1), match.group(2) or "", unit))
        position = match.end()
    return parts


def format_duration(duration: timedelta) -> str:
    """Show a duration to a person: ``2 h``, ``1 h 48 min``, ``3 days 4 h``; two neighbouring units at most.

    A started second counts as a whole one, so that a wait is never told shorter
    than a second of what it is. Nothing left, or less than nothing, is ``0 s``.
    """
    seconds = max(0, -(-duration // timedelta(seconds=1)))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    units = [
        (days, "day" if days == 1 else "days"),
        (hours, "h"),
        (minutes, "min"),
        (seconds, "s"),
    ]
    first = next((place for place, (count, _) in enumerate(units) if count), len(units) - 1)
    shown = [f"{count} {unit}" for count, unit in units[first : first + 2] if count]
    return " ".join(shown) or "0 s"


def iso_duration(duration: timedelta) -> str:
    """Write a duration for a program to read, exactly: ``PT2H``, ``P3D``, ``P1DT12H``, ``PT0S``.

    Raises:
        ValueError: The duration is negative.
    """
    if duration < timedelta():
        raise ValueError(f"negative duration: {duration}")
    hours, rest = divmod(duration.seconds, 3_600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{duration.microseconds:06d}".rstrip("0") if duration.microseconds else ""
    clock = f"{hours}H" if hours else ""
    clock += f"{minutes}M" if minutes else ""
    clock += f"{seconds}{fraction}S" if seconds or fraction else ""
    days = f"{duration.days}D" if duration.days else ""
    return f"P{days}{'T' + clock if clock else ''}" if days or clock else "PT0S"
