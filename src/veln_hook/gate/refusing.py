"""Why something is refused, in one line for whoever asked; every reason that there is. Pure."""

from __future__ import annotations

from veln_hook.gate.hosts import Target, bracketed

_MAX_SHOWN = 253


def shown(text: str, limit: int = _MAX_SHOWN) -> str:
    """Return a text of a stranger fit for one line: printable ASCII, at most ``limit`` characters."""
    plain = "".join(char if " " <= char <= "~" else "?" for char in text)
    return plain if len(plain) <= limit else f"{plain[: limit - 3]}..."


class RefusedError(Exception):
    """A host is not reached. Its text is one line for the user.

    Attributes:
        host: What it was, as well as it can be told.
        port: ``None`` where only the name was asked for.
    """

    def __init__(self, host: str, port: int | None, reason: str) -> None:
        self.host, self.port = shown(host), port
        super().__init__(f"veln-hook: {reason}")


class UnreachableError(Exception):
    """An allowed host can't be reached. Its text is one line for the user."""

    def __init__(self, target: Target, reason: str) -> None:
        super().__init__(f"veln-hook: {target} is allowed, but {reason}")


def not_listed(host: str, port: int | None, *, default: bool) -> RefusedError:
    """Return the refusal of what no entry names; ``default`` if an entry without a port would do."""
    entry = bracketed(host) if port is None or default else str(Target(host, port))
    place = bracketed(host) if port is None else str(Target(host, port))
    return RefusedError(
        host,
        port,
        f"{place} is not allowed; sandbox.allow_hosts in the policy or --allow {entry} would allow it",
    )


def index_host(host: str, port: int | None) -> RefusedError:
    """Return the refusal of a package index."""
    return RefusedError(
        host,
        port,
        f"{host} is a package index: what it serves is judged first, so sandbox.allow_hosts and --allow don't"
        " open it",
    )


def unreadable(text: str) -> RefusedError:
    """Return the refusal of what is no host, or none in a spelling that everybody reads alike."""
    return RefusedError(
        text, None, f"{shown(text, 80)} is no host and port that sandbox.allow_hosts or --allow could name"
    )


def no_public_address(target: Target) -> RefusedError:
    """Return the refusal of an allowed name that leads into a private network."""
    return RefusedError(
        *target,
        f"{target} is allowed, but its address is private; sandbox.allow_hosts or --allow with the address"
        " itself would allow that",
    )


def other_host(target: Target, header: str) -> RefusedError:
    """Return the refusal of a request for one host with the ``Host`` header of another."""
    return RefusedError(
        header,
        target.port,
        f"the Host header of a request to {target} names {shown(header, 80)}; sandbox.allow_hosts or --allow"
        " is for each of them",
    )


def other_name(target: Target, name: str) -> RefusedError:
    """Return the refusal of a TLS handshake for another host than the connection is for."""
    return RefusedError(
        name,
        target.port,
        f"TLS asks {target} for {shown(name, 80)}; sandbox.allow_hosts or --allow is for each of them",
    )


def no_name(target: Target) -> RefusedError:
    """Return the refusal of a TLS handshake without the name of its host (SNI)."""
    return RefusedError(*target, f"TLS to {target} doesn't say which host it means (SNI)")


def hidden_name(target: Target) -> RefusedError:
    """Return the refusal of a TLS handshake that hides the name of its host (ECH)."""
    return RefusedError(*target, f"TLS to {target} hides which host it means (encrypted client hello)")


def no_tls(target: Target) -> RefusedError:
    """Return the refusal of something else than TLS where TLS belongs."""
    return RefusedError(*target, f"what was sent to {target} is no TLS handshake that can be read")


def distrusted(target: Target) -> RefusedError:
    """Return what is recorded where a client doesn't take the gate's certificate; it ends by itself."""
    return RefusedError(
        *target, f"a program doesn't trust the gate's certificate, so it can't reach {target}"
    )


def no_handshake(target: Target, reason: str) -> RefusedError:
    """Return the refusal of a TLS handshake that came to nothing."""
    return RefusedError(*target, f"the TLS handshake for {target} failed: {shown(reason, 80)}")
