"""One table of every key a policy knows: how it is read, which way is stricter, where it may stand."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Optional

from veln_hook.model import Confidence, Severity
from veln_hook.policy import values
from veln_hook.policy.durations import format_duration, parse_duration
from veln_hook.policy.matching import project_name
from veln_hook.policy.order import differs, fewer, higher, longer_or_none, lower, lower_in, lower_severity
from veln_hook.policy.settings import COVERAGE, DecisionTable, IndexPolicy, Policy, PolicyException

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULTS = Policy()

SYSTEM, USER, ENVIRONMENT, PROJECT = "system", "user", "environment", "project"
VARIABLE, COMMAND_LINE = "variable", "command line"
LAYERS = (SYSTEM, USER, ENVIRONMENT, PROJECT, VARIABLE, COMMAND_LINE)
"""From the top down; under all of them lie the defaults."""
GUEST_LAYERS = frozenset({ENVIRONMENT, PROJECT})
"""Files that arrive with other people's code: they can only tighten."""

_ANYWHERE = frozenset({SYSTEM, USER, ENVIRONMENT, PROJECT, COMMAND_LINE})
_HOSTS = frozenset({SYSTEM, USER, COMMAND_LINE})
_HOST_FILES = frozenset({SYSTEM, USER})
_NOWHERE: frozenset[str] = frozenset()
_SHARED = ("store.url", "store.unreachable")
"""What says whose word counts: another store, or this machine's copy of one, could hold anybody's."""
_WHERE = {
    _ANYWHERE: "every file, command line",
    _HOSTS: "system, user, command line",
    _HOST_FILES: "system, user",
    _NOWHERE: "no file",
}


@dataclass(frozen=True)
class Key:
    """One key, or one family of keys with ``<...>`` in its name."""

    name: str
    kind: str
    read: Callable[[object], Any]
    default: str
    stricter: str
    is_loosening: Callable[[Any, Any], bool]
    """Tells whether going from the first value to the second lets more through."""
    where: frozenset[str]
    doc: str
    from_text: Optional[Callable[[str], object]] = None
    """How a variable or the command line writes it; ``None``: it can stand in files only."""
    variable: str = ""
    also_locks: tuple[str, ...] = ()
    """Other keys that would be a way around a lock of this one."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The name, split."""
        return tuple(self.name.split("."))


def _same(text: str) -> object:
    return text


def _number(text: str) -> object:
    return int(text) if len(text) < 10 and text.isascii() and text.isdigit() else text  # noqa: PLR2004


def _switch(text: str) -> object:
    return {"true": True, "false": False}.get(text.strip().lower(), text)


def _comma_list(text: str) -> object:
    return [item.strip() for item in text.split(",") if item.strip()]


def near_miss_exact(name: str, known: Sequence[str]) -> str:
    """Return a hint like ``near_miss``, for names whose case counts."""
    close = difflib.get_close_matches(name[:64], known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def near_miss(name: str, known: Sequence[str]) -> str:
    """Return ``; did you mean "min_age"?``, or nothing if nothing is close."""
    close = difflib.get_close_matches(name[:64].lower().replace("-", "_"), known, n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def _lock(value: object) -> str:
    return lock_name(values.filled(value))


_MISSING_TIME = ("allow", "first-seen", "hold")

_INDEX_KEYS = (
    Key("indexes.url", "URL", values.index_url, "required", "no order", differs, _HOST_FILES,
        "The index; the entry holds for every page below it, the longest match wins."),
    Key("indexes.min_age", "duration", parse_duration, "`cooling.min_age`", "longer", lower, _HOST_FILES,
        "Cooling for what this index serves."),
    Key("indexes.missing_upload_time", "word", values.choice(*_MISSING_TIME), "`cooling.missing_upload_time`",
        "`allow` < `first-seen` < `hold`", lower_in(*_MISSING_TIME), _HOST_FILES,
        "What happens where this index tells no upload time."),
    Key("indexes.upstream", "URL", values.upstream_url, '`""`', "no order", differs, _HOST_FILES,
        "The index this one mirrors: upload times it does not tell are looked up there."),
    Key("indexes.private", "list of patterns", values.list_of(values.project_pattern), "`[]`", "more",
        differs, _HOST_FILES,
        "Projects (a glob over normalized names) that come from this index alone: anything else is blocked."),
)  # fmt: skip
_EXCEPTION_KEYS = (
    Key("exceptions.sha256", "SHA-256", values.sha256, "required", "no order", differs, _HOST_FILES,
        "The one file that may pass."),
    Key("exceptions.reason", "text", values.filled, "required", "no order", differs, _HOST_FILES,
        "Why; it is shown with the verdict."),
    Key("exceptions.expires", "date", values.expiry, "required", "earlier", differs, _HOST_FILES,
        "When it ends: a date (its start in UTC) or a time with its offset."),
)  # fmt: skip


def _array(keys: tuple[Key, ...], make: Callable[..., Any]) -> Callable[[object], Any]:
    fields = {key.parts[1]: key.read for key in keys}
    required = [key.parts[1] for key in keys if key.default == "required"]
    section = keys[0].parts[0]
    return values.list_of(
        values.table_of(fields, required, make, near_miss), f"tables, each under [[{section}]]"
    )


KEYS: tuple[Key, ...] = (
    Key("cooling.min_age", "duration", parse_duration, f'`"{format_duration(DEFAULTS.cooling.min_age)}"`',
        "longer", lower, _ANYWHERE, 'How long a release waits; `"0"` switches cooling off.', _same,
        "VELN_HOOK_COOLING_MIN_AGE",
        ("cooling.exempt", "cooling.missing_upload_time", "cooling.projects", "indexes.min_age",
         "indexes.missing_upload_time", "indexes.upstream", "cooling.security_fixes")),
    Key("cooling.min_observations", "number", values.count, f"`{DEFAULTS.cooling.min_observations}`", "more",
        lower, _ANYWHERE, "Distinct machines of the shared store that must have seen the file.", _number,
        "VELN_HOOK_COOLING_MIN_OBSERVATIONS", _SHARED),
    Key("cooling.on_hold", "word", values.choice("fallback", "refuse"), f'`"{DEFAULTS.cooling.on_hold}"`',
        "`fallback` < `refuse`", lower_in("fallback", "refuse"), _ANYWHERE,
        "Take the newest release that is not held, or refuse.", _same, "VELN_HOOK_COOLING_ON_HOLD"),
    Key("cooling.missing_upload_time", "word", values.choice(*_MISSING_TIME),
        f'`"{DEFAULTS.cooling.missing_upload_time}"`', "`allow` < `first-seen` < `hold`",
        lower_in(*_MISSING_TIME), _ANYWHERE,
        "What happens where an index tells no upload time: let pass, count from the first sight, or hold.",
        _same, "VELN_HOOK_COOLING_MISSING_UPLOAD_TIME", ("indexes.missing_upload_time", "indexes.upstream")),
    Key("cooling.exempt", "list of patterns", values.list_of(values.exemption), "`[]`", "fewer", higher,
        _ANYWHERE, "Releases that are not cooled: a glob over normalized names, then versions if wanted.",
        _comma_list, "VELN_HOOK_COOLING_EXEMPT"),
    Key("cooling.security_fixes", "word", values.choice("warn", "hold"),
        f'`"{DEFAULTS.cooling.security_fixes}"`', "`warn` < `hold`", lower_in("warn", "hold"), _ANYWHERE,
        "What becomes of a release that is too young, where an advisory of the feed says that just this one "
        "repairs the installed one.", _same, "VELN_HOOK_COOLING_SECURITY_FIXES"),
    Key("cooling.projects.<project>", "duration", parse_duration, "`cooling.min_age`", "longer", lower,
        _ANYWHERE, "Cooling for one project.", _same, "", ("cooling.exempt",)),
    Key("decisions.<severity>", "decision", values.decision,
        "`critical` `block`, `high` `hold`, `medium` `warn`, `low` `allow`",
        "`allow` < `warn` < `hold` < `block`", lower, _ANYWHERE,
        "What findings of this severity lead to, whatever their confidence.", _same),
    Key("decisions.<severity>.<confidence>", "decision", values.decision,
        "as above; `high.low` `warn`", "`allow` < `warn` < `hold` < `block`", lower, _ANYWHERE,
        "The same for one confidence.", _same, "", ("signals",)),
    Key("signals.<signal>.enabled", "true or false", values.boolean, "`true`", "`false` < `true`", lower,
        _ANYWHERE, "`false`: its findings don't count, unless they are critical.", _switch),
    Key("signals.<signal>.severity", "severity", values.severity, "the finding's own",
        "`low` < `medium` < `high` < `critical`", lower_severity, _ANYWHERE,
        "Counts instead of the finding's own severity; never lowers a critical one.", _same),
    Key("approvals.accept", "word", values.choice("local", "shared", "none"),
        f'`"{DEFAULTS.approvals_accept}"`', "`local` < `shared` < `none`",
        lower_in("local", "shared", "none"), _HOSTS,
        "Whose approvals lift a hold: this machine's and the shared store's, the latter's only, nobody's.",
        _same, "", _SHARED),
    Key("approvals.people", "number", values.people, f"`{DEFAULTS.approvals_people}`", "more", lower, _HOSTS,
        "So many people have to approve a file before that lifts a hold.", _number, "",
        ("approvals.accept", *_SHARED)),
    Key("indexes", "list of tables", _array(_INDEX_KEYS, IndexPolicy), "`[]`", "no order", differs,
        _HOST_FILES, "What differs for one index; entries of several layers add up by URL."),
    *_INDEX_KEYS,
    Key("exceptions", "list of tables", _array(_EXCEPTION_KEYS, PolicyException), "`[]`", "fewer", higher,
        _HOST_FILES, "The only way past a block; entries of several layers add up by SHA-256."),
    *_EXCEPTION_KEYS,
    Key("sandbox.builds", "word", values.choice("off", "auto", "require"), f'`"{DEFAULTS.sandbox.builds}"`',
        "`off` < `auto` < `require`", lower_in("off", "auto", "require"), _ANYWHERE,
        "Whether builds are confined: never, where the machine can, or always.", _same,
        "VELN_HOOK_SANDBOX_BUILDS"),
    Key("sandbox.allow_hosts", "list of hosts", values.list_of(values.host), "`[]`", "fewer", higher, _HOSTS,
        "The only hosts that builds and `veln-hook run` may reach; never a package index.", _comma_list),
    Key("store.url", "URL", values.store_url, '`""`', "no order", differs, _HOSTS,
        "Where observations and approvals lie: empty for SQLite, or `postgresql://...`.", _same,
        "VELN_HOOK_STORE_URL", ("store.timeout", "store.unreachable")),
    Key("store.timeout", "duration", values.timeout, f'`"{format_duration(DEFAULTS.sharing.timeout)}"`',
        "no order", differs, _HOSTS, "How long a process waits for a shared store in all, at most a minute.",
        _same, "VELN_HOOK_STORE_TIMEOUT"),
    Key("store.unreachable", "word", values.choice("local", "hold"), f'`"{DEFAULTS.sharing.unreachable}"`',
        "`local` < `hold`", lower_in("local", "hold"), _HOSTS,
        "What a shared store that does not answer means: go on with what this machine knows, or hold.", _same,
        "VELN_HOOK_STORE_UNREACHABLE"),
    Key("plugins.enable", "list of names", values.list_of(values.plugin), "`[]`", "no order", differs,
        _HOSTS, "Third-party signals to load.", _comma_list),
    Key("names.popular_file", "path", values.absolute_path, '`""`', "no order", differs, _HOST_FILES,
        "A list of popular names for `similar-name`; empty for the shipped one."),
    Key("audit.file", "path", values.absolute_path, '`""`', "no order", differs, _HOST_FILES,
        "The audit log; empty for `audit.jsonl` among the user's own state."),
    Key("audit.syslog", "true or false", values.boolean, "`false`", "`false` < `true`", lower, _HOST_FILES,
        "Whether the system's log (syslog, journald) is told the same."),
    Key("feed.url", "URL", values.web_url, f'`"{DEFAULTS.feed.url}"`', "no order", differs, _HOSTS,
        "Where `veln-hook feed update` gets the feed of known malware; OSV's zip of PyPI, or a mirror of it.",
        _same, "VELN_HOOK_FEED_URL"),
    Key("feed.required", "true or false", values.boolean, "`false`", "`false` < `true`", lower, _ANYWHERE,
        "Whether a missing feed is judged; see `feed.on_stale`.", _switch, "", ("feed.on_stale",)),
    Key("feed.max_age", "duration", parse_duration, '`"0"`', 'shorter; `"0"` is the loosest', longer_or_none,
        _ANYWHERE, 'How old the feed may be; `"0"`: its age is not judged. Anything else requires one, too.',
        _same, "VELN_HOOK_FEED_MAX_AGE", ("feed.on_stale",)),
    Key("feed.on_stale", "word", values.choice("warn", "hold"), f'`"{DEFAULTS.feed.on_stale}"`',
        "`warn` < `hold`", lower_in("warn", "hold"), _ANYWHERE,
        "What a feed that is missing or too old leads to, where that is judged."),
    Key("feed.exempt", "list of patterns", values.list_of(values.exemption), "`[]`", "fewer", higher, _HOSTS,
        "Releases of one's own that the feed takes for malware of the same name; as `cooling.exempt`.",
        _comma_list),
    Key("coverage.required", "list of words", values.list_of(values.choice(*COVERAGE)), "`[]`", "more",
        fewer, _HOST_FILES,
        "Of what `veln-hook doctor` may find no gap: `interpreters`, `environments`, `installers`, "
        "`configuration`."),
    Key("lock.keys", "list of keys", values.list_of(_lock), "`[]`", "more", differs, _HOST_FILES,
        'Keys or sections that no layer below may loosen; `"*"` for all.'),
    Key("switch", "none", values.text_value, "on", "on", differs, _NOWHERE,
        "Stands for `VELN_HOOK=off`, so that a lock can forbid it."),
)  # fmt: skip

BY_NAME = {key.name: key for key in KEYS}
BY_VARIABLE = {key.variable: key for key in KEYS if key.variable}
SECTIONS = tuple(dict.fromkeys(key.parts[0] for key in KEYS if key.where))
_ARRAYS = ("indexes", "exceptions")
_FAMILIES: dict[str, tuple[str, ...]] = {
    "<severity>": tuple(severity.word for severity in Severity),
    "<confidence>": tuple(confidence.word for confidence in Confidence),
}


class UnknownKeyError(ValueError):
    """No key has this name; the text says what may have been meant."""


def _fits(pattern: str, part: str) -> bool:
    if pattern in _FAMILIES:
        return part in _FAMILIES[pattern]
    return pattern.startswith("<") or pattern == part


def _candidates(parts: Sequence[str]) -> list[Key]:
    return [
        key
        for key in KEYS
        if key.where
        and len(key.parts) >= len(parts)
        and all(_fits(pattern, part) for pattern, part in zip(key.parts, parts))
        and (len(parts) == 1 or key.parts[0] not in _ARRAYS)
    ]


def find(parts: Sequence[str]) -> tuple[Optional[Key], bool]:
    """Find what a place in a policy file is.

    Args:
        parts: The keys that lead there, from the top.

    Returns:
        The key of a value that may stand there, if one may, and whether a table may stand there.

    Raises:
        UnknownKeyError: Nothing may stand there.
    """
    fitting = _candidates(parts)
    if not fitting:
        siblings: list[str] = []
        for key in _candidates(parts[:-1]) if len(parts) > 1 else [key for key in KEYS if key.where]:
            pattern = key.parts[len(parts) - 1] if len(key.parts) >= len(parts) else ""
            siblings += _FAMILIES.get(pattern, () if pattern.startswith("<") else (pattern,))
        raise UnknownKeyError(
            f"unknown key{near_miss(parts[-1], list(dict.fromkeys(filter(None, siblings))))}"
        )
    leaf = next((key for key in fitting if len(key.parts) == len(parts)), None)
    array = leaf is not None and leaf.name in _ARRAYS
    return leaf, not array and any(len(key.parts) > len(parts) for key in fitting)


def concrete_names(key: Key, parts: Sequence[str]) -> tuple[str, ...]:
    """Return the dotted names a value at ``parts`` sets: normalized, one for each cell of the decision table.

    Raises:
        ValueError: A part is no name of what it should name.
    """
    if key.name == "decisions.<severity>":
        return tuple(f"decisions.{parts[1]}.{confidence.word}" for confidence in Confidence)
    if key.name.startswith("cooling.projects."):
        return (f"cooling.projects.{project_name(parts[2])}",)
    if key.name.startswith("signals."):
        if parts[1] == "cooling":
            raise ValueError(
                'cooling is no matter of [signals]; see [cooling], where min_age = "0" switches it off'
            )
        if values.plugin(parts[1]) != parts[1].lower() or "_" in parts[1]:
            raise ValueError("not a signal; their names are lower-case words joined by '-'")
    return (".".join(parts),)


def split(dotted: str) -> tuple[str, ...]:
    """Split a dotted key as the command line writes it; a project's name may hold dots."""
    limit = 2 if dotted.startswith("cooling.projects.") else -1
    return tuple(dotted.split(".", limit))


def lock_name(text: str) -> str:
    """Read one entry of ``lock.keys``: a key, a section (``cooling`` or ``cooling.*``), ``switch`` or ``*``.

    Raises:
        ValueError: There is no such key.
    """
    if text in ("*", "switch"):
        return text
    parts = split(text.removesuffix(".*"))
    if parts[0] in _ARRAYS and ".".join(parts) in BY_NAME:
        return ".".join(parts)
    key, _ = find(parts)
    if key is None or key.name.startswith("decisions."):
        return ".".join(parts)
    return concrete_names(key, parts)[0]


def lock_closure(entry: str) -> frozenset[str]:
    """Return a lock's entry with every other key that would be a way around it."""
    if entry == "*":
        return frozenset({entry})
    parts = split(entry)
    inside = [key for key in KEYS if len(key.parts) >= len(parts)]
    reached = [key for key in inside if all(_fits(pattern, part) for pattern, part in zip(key.parts, parts))]
    if parts[:2] == ("decisions", "critical"):  # no signal's setting can lower a critical finding
        return frozenset({entry})
    return frozenset({entry}.union(*(key.also_locks for key in reached)))


def default_values() -> dict[str, Any]:
    """Return the values before any layer, by concrete dotted key."""
    return {
        "cooling.min_age": DEFAULTS.cooling.min_age,
        "cooling.min_observations": DEFAULTS.cooling.min_observations,
        "cooling.on_hold": DEFAULTS.cooling.on_hold,
        "cooling.missing_upload_time": DEFAULTS.cooling.missing_upload_time,
        "cooling.exempt": DEFAULTS.cooling.exempt,
        "cooling.security_fixes": DEFAULTS.cooling.security_fixes,
        "approvals.accept": DEFAULTS.approvals_accept,
        "approvals.people": DEFAULTS.approvals_people,
        "indexes": DEFAULTS.indexes,
        "exceptions": DEFAULTS.exceptions,
        "sandbox.builds": DEFAULTS.sandbox.builds,
        "sandbox.allow_hosts": DEFAULTS.sandbox.allow_hosts,
        "audit.file": DEFAULTS.audit.file,
        "audit.syslog": DEFAULTS.audit.syslog,
        "feed.url": DEFAULTS.feed.url,
        "feed.required": DEFAULTS.feed.required,
        "feed.max_age": DEFAULTS.feed.max_age,
        "feed.on_stale": DEFAULTS.feed.on_stale,
        "feed.exempt": DEFAULTS.feed.exempt,
        "coverage.required": DEFAULTS.coverage_required,
        "store.url": DEFAULTS.store_url,
        "store.timeout": DEFAULTS.sharing.timeout,
        "store.unreachable": DEFAULTS.sharing.unreachable,
        "plugins.enable": DEFAULTS.plugins,
        "names.popular_file": DEFAULTS.popular_file,
        **{cell_name(*cell): decision for cell, decision in DecisionTable().cells.items()},
    }


def cell_name(severity: Severity, confidence: Confidence) -> str:
    """Return the key of one cell of the decision table: ``decisions.high.low``."""
    return f"decisions.{severity.word}.{confidence.word}"


def markdown_table() -> str:
    """Return the table of docs/policy.md: one row a key."""
    rows = ["| key | type | default | stricter | may stand in | variable | meaning |"]
    rows.append("| --- | --- | --- | --- | --- | --- | --- |")
    for key in KEYS:
        variable = f"`{key.variable}`" if key.variable else ""
        cells = (f"`{key.name}`", key.kind, key.default, key.stricter, _WHERE[key.where], variable, key.doc)
        rows.append(f"| {' | '.join(cells)} |".replace("  ", " "))
    return "\n".join(rows) + "\n"
