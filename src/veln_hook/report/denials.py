"""What a confined command tried to reach in vain: the table that a person reads, and what would allow it.

Hosts and processes are the command's own words. What is printed of them can't drive a terminal, and nothing
is put into a policy's lines that a policy would not take for a host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from veln_hook.gate.allow import INDEX_HOSTS, Allowlist
from veln_hook.gate.hosts import HTTP_PORT, HTTPS_PORT, bracketed, read_host
from veln_hook.policy import values
from veln_hook.report.text import table
from veln_hook.sandbox.interface import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_PORTS = (HTTP_PORT, HTTPS_PORT)
_MAX_SHOWN = 20
"""Rows of the table; a program that asks for ever new names must not fill the screen."""
_MAX_OPTIONS = 3


class Denials(NamedTuple):
    """What was refused, and what is known of each host."""

    refusals: tuple[Refusal, ...]
    """One for each host, port and process."""
    allowed: tuple[str, ...]
    """What was allowed; entries such as ``files.example.org`` and ``*.example.org:8443``."""
    index_hosts: frozenset[str]
    """Hosts that no entry opens."""

    def entry(self, refusal: Refusal) -> str:
        """Return what an allowlist would have to hold; empty where no entry would help."""
        host, port = refusal.host, refusal.port
        try:
            plain = read_host(f"[{host}]" if ":" in host else host)
            entry = values.host(
                bracketed(plain) if port is None or port in _PORTS else f"{bracketed(plain)}:{port}"
            )
        except ValueError:
            return ""
        if plain in self.index_hosts or self._is_allowed(plain, port):
            return ""
        return entry

    def entries(self) -> list[str]:
        """Return everything that would have to be allowed, each entry once."""
        return list(dict.fromkeys(filter(None, map(self.entry, self.refusals))))

    def indexes(self) -> list[str]:
        """Return the package indexes among the hosts."""
        return list(dict.fromkeys(row.host for row in self.refusals if row.host in self.index_hosts))

    def strange(self) -> list[str]:
        """Return the hosts that are allowed and were refused for what was asked of them."""
        found = []
        for refusal in self.refusals:
            try:
                plain = read_host(f"[{refusal.host}]" if ":" in refusal.host else refusal.host)
            except ValueError:
                continue
            if plain not in self.index_hosts and self._is_allowed(plain, refusal.port):
                found.append(refusal.host)
        return list(dict.fromkeys(found))

    def _is_allowed(self, host: str, port: int | None) -> bool:
        ports = Allowlist(self.allowed, _PORTS).ports(host)
        return bool(ports) if port is None else port in ports


def denials(refusals: Iterable[Refusal], allowed: Iterable[str], index_hosts: Iterable[str] = ()) -> Denials:
    """Add up what the sandbox and the gate have refused.

    Args:
        refusals: Of both, in the order in which they are to be told.
        allowed: What was allowed.
        index_hosts: Package indexes besides PyPI.

    Raises:
        UsageError: What was allowed can't be read.
    """
    counts: dict[tuple[str, int | None, str], int] = {}
    for host, port, process, count in ((row.host, row.port, row.process, row.count) for row in refusals):
        counts[host, port, process] = counts.get((host, port, process), 0) + count
    rows = tuple(Refusal(*key, count) for key, count in counts.items())
    return Denials(rows, tuple(allowed), INDEX_HOSTS.union(index_hosts))


def denial_lines(told: Denials) -> Iterator[str]:
    """Yield the table: which host, which port, how often, which process; nothing if nothing was refused."""
    if not told.refusals:
        return
    hosts = len({row.host for row in told.refusals})
    yield f"veln-hook: refused to let it reach {hosts} host{'' if hosts == 1 else 's'}"
    rows = [
        (row.host, "-" if row.port is None else str(row.port), f"{row.count}x", row.process or "-")
        for row in told.refusals[:_MAX_SHOWN]
    ]
    for line in table(rows, ("host", "port", "tried", "process")):
        yield f"  {line}"
    if len(told.refusals) > _MAX_SHOWN:
        yield f"  and {len(told.refusals) - _MAX_SHOWN} more"


def hint_lines(told: Denials, *, options: bool = True) -> Iterator[str]:
    """Yield what would let it through, in a line for each reason.

    Args:
        told: What was refused.
        options: Whether the options and the policy are among it.
    """
    entries = told.entries()
    if entries and options:
        words = " ".join(f"--allow {entry}" for entry in entries[:_MAX_OPTIONS])
        more = " ..." if len(entries) > _MAX_OPTIONS else ""
        yield f"  {words}{more} would allow it once, sandbox.allow_hosts in the policy always (see --learn)"
    for host in told.indexes():
        yield f"  {host} is a package index: install beforehand, where it is judged; no option opens it"
    for host in told.strange():
        yield f"  {host} is allowed; what was asked of it isn't: a private address, or TLS for another name"


def policy_lines(told: Denials) -> Iterator[str]:
    """Yield the lines of a policy file that would allow what was allowed already, and what was refused."""
    entries = dict.fromkeys([*told.allowed, *told.entries()])
    yield "[sandbox]"
    yield f"allow_hosts = [{', '.join(_toml(entry) for entry in entries)}]"


def _toml(entry: str) -> str:
    # Hosts hold no quote, backslash or control character.
    return f'"{entry}"'


def denial_objects(told: Denials) -> Sequence[dict[str, Any]]:
    """Return what was refused as ``--json`` has it."""
    return [
        {
            "host": row.host,
            "port": row.port,
            "process": row.process,
            "count": row.count,
            "allow": told.entry(row),
        }
        for row in told.refusals
    ]
