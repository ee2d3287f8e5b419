"""One line to a PostgreSQL server: opened when it is first needed, and never waited for too long.

Rules of this module:

* Whoever asks waits for as long as the budget lasts and not a moment longer,
  whatever the server, the network, a name server or a lock does: the talking is
  done by a thread, which is left behind where it doesn't come back in time.
* Which server is asked, and how it proves who it is, stands in the URL alone.
  Variables such as PGHOSTADDR would let whoever sets them bring a server of
  their own. Credentials may come from anywhere libpq takes them.
* What is asked can be asked twice: a line that breaks is made again once.
* No error's text holds a password.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, TypeVar

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from veln_hook.errors import StoreError
from veln_hook.store import postgres_schema as schema

if TYPE_CHECKING:
    from psycopg import Connection

# It tells of a connection that was lost by a warning on standard error, which here is pip's; we raise.
logging.getLogger("psycopg").setLevel(logging.CRITICAL)

_Answer = TypeVar("_Answer")

_WINDOW_S = 60.0
_PAUSE_S = 30.0
"""How long a server that failed isn't asked again; by then most processes have ended."""
_HERE = ("", "localhost", "127.0.0.1", "::1")
_OURS = ("host", "hostaddr", "port", "dbname", "options", "sslrootcert", "sslcrl", "sslcrldir", "requirepeer")
"""Parameters that no variable may set; libpq takes the empty text for its own default."""
_INIT = "Whoever runs the shared store has to run 'veln-hook store init' once, with an administrator's URL."


class UnreachableError(StoreError):
    """The shared store gave no answer; the policy's ``store.unreachable`` says what that means."""

    advice = (
        "Try again later; 'veln-hook store status' tells more. The policy's 'store.unreachable' has a say."
    )


class RefusedError(StoreError):
    """The shared store doesn't take what it was given; the rest of what was sent with it, it may."""


class Budget:
    """How long one process may wait for the server: so many seconds in any minute, in all.

    Args:
        seconds: Above 0.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since = time.monotonic()
        self._spent = 0.0

    def left(self) -> float:
        """Return the seconds that are left."""
        if time.monotonic() - self._since > _WINDOW_S:
            self._since, self._spent = time.monotonic(), 0.0
        return max(0.0, self.seconds - self._spent)

    def spend(self, seconds: float) -> None:
        """Note that so long was waited."""
        self._spent += seconds


class About(NamedTuple):
    """What the server says of itself when a line is made."""

    version: int
    oldest: int
    started_at: int
    """Microseconds since 1970."""
    votes_kept: int
    """How many machines are kept of each file."""
    machine: str
    """What this machine is called there."""


class _Question(NamedTuple):
    work: Callable[[Connection, About], Any]
    answered: threading.Event
    answers: list[Any]
    """The answer, when there is one."""
    failures: list[BaseException]


class Line:
    """A line to the server that ``url`` names; made when first asked. Threads may share it.

    Args:
        url: ``postgresql://...``, with whatever parameters libpq knows.
        budget: How long may be waited.
        machine: What this machine calls itself.
        bare: Don't ask for our tables when the line is made; for whoever makes them.

    Raises:
        StoreError: The URL can't be understood.
    """

    def __init__(self, url: str, budget: Budget, *, machine: str = "", bare: bool = False) -> None:
        self._parameters = parameters(url)
        self._secret = str(self._parameters.get("password", ""))
        self.budget = budget
        self._machine = machine
        self._bare = bare
        self._mutex = threading.Lock()
        self._worker: Optional[_Worker] = None
        self._broken: Optional[tuple[float, UnreachableError]] = None

    def ask(self, work: Callable[[Connection, About], _Answer], *, at_most: float | None = None) -> _Answer:
        """Return what ``work`` returns, which is given a connection in autocommit mode.

        Args:
            work: Run by another thread; may be run twice.
            at_most: Seconds, if less than is left.

        Raises:
            UnreachableError: There was no answer in time, or none that means anything.
            StoreError: The server refuses, or its tables don't fit.
        """
        with self._mutex:
            if self._broken is not None and time.monotonic() < self._broken[0]:
                raise UnreachableError(str(self._broken[1]))
            left = self.budget.left() if at_most is None else min(at_most, self.budget.left())
            began = time.monotonic()
            try:
                answer: _Answer = self._asked(work, left)
            except UnreachableError as error:
                self._broken = (time.monotonic() + _PAUSE_S, error)
                raise
            finally:
                self.budget.spend(time.monotonic() - began)
            self._broken = None
            return answer

    def _asked(self, work: Callable[[Connection, About], Any], seconds: float) -> Any:
        if self._worker is None:
            try:
                self._worker = _Worker(self._open)
            except RuntimeError as error:  # the interpreter is about to end, or has no room for a thread
                raise UnreachableError(f"the shared store can't be asked now: {error}") from error
        question = _Question(work, threading.Event(), [], [])
        self._worker.questions.put(question)
        if not question.answered.wait(seconds):
            self._leave()
            raise UnreachableError(f"the shared store did not answer within {self.budget.seconds:g} s")
        if question.failures:
            failure = question.failures[0]
            if isinstance(failure, psycopg.Error):
                # Not from it: pip writes causes into its log as they are, and in one there may be a password.
                raise self._translated(failure) from None
            raise failure
        return question.answers[0]

    def _leave(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.questions.put(None)

    def close(self) -> None:
        """Let the connection go. Calling twice is harmless."""
        with self._mutex:
            self._leave()

    def _open(self) -> tuple[Connection, About]:
        """Connect, say how long a statement may take, and ask what is there, in one question."""
        seconds = max(1, round(self.budget.seconds))
        wanted = {**self._parameters}
        wanted.setdefault("connect_timeout", max(2, seconds))
        connection = psycopg.connect(**wanted, autocommit=True, prepare_threshold=None)
        try:
            return connection, self._introduce(connection, f"{seconds}s")
        except BaseException:
            connection.close()
            raise

    def _introduce(self, connection: Connection, limit: str) -> About:
        settings = (
            "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false),"
            " set_config('idle_in_transaction_session_timeout', '60s', false),"
            " set_config('default_transaction_isolation', 'read committed', false)"
        )
        if self._bare:
            connection.execute(settings, (limit, limit))
            return About(0, 0, 0, 0, self._machine)
        about_it = "version, oldest, started_at, votes_kept, veln_hook.identity(%s) FROM veln_hook.about"
        row = connection.execute(f"{settings}, {about_it}".encode(), (limit, limit, self._machine)).fetchone()
        if row is None:
            raise StoreError("the shared store's tables are empty", advice=_INIT)
        about = About(*row[4:])
        if about.oldest > schema.SCHEMA_VERSION:
            raise schema.newer(about.version)
        if about.version < schema.SCHEMA_VERSION:
            allowed = connection.execute("SELECT pg_has_role(%s, 'member')", (schema.ADMIN,)).fetchone()
            if allowed is None or not allowed[0]:
                raise StoreError(
                    f"the shared store's tables are of version {about.version}, and this veln-hook needs "
                    f"version {schema.SCHEMA_VERSION}",
                    advice=_INIT,
                )
            schema.migrate(connection)
            about = about._replace(version=schema.SCHEMA_VERSION)
        return about

    def _translated(self, error: psycopg.Error) -> StoreError:
        text = " ".join(str(error).split()) or type(error).__name__
        if self._secret:
            text = text.replace(self._secret, "****")
        if isinstance(error, (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedFunction)):
            return StoreError("the database of the shared store has no tables of veln-hook yet", advice=_INIT)
        if isinstance(error, errors.InsufficientPrivilege):
            return StoreError(
                f"the shared store refuses that to this login: {text}",
                advice="It takes a superuser, or an owner of the database who may create roles."
                if self._bare
                else f"Machines need the role {schema.MACHINE}, who approves {schema.APPROVER}.",
            )
        if isinstance(error, errors.ReadOnlySqlTransaction):
            return UnreachableError(f"the shared store can't be written now: {text}")
        if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
            return UnreachableError(f"the shared store does not answer: {text}")
        return RefusedError(f"the shared store does not take that: {text}")


class _Worker:
    """A thread that holds the connection; a daemon, so that the end of the process doesn't wait for it."""

    def __init__(self, connect: Callable[[], tuple[Connection, About]]) -> None:
        self.questions: queue.SimpleQueue[Optional[_Question]] = queue.SimpleQueue()
        self._connect = connect
        self._open: Optional[tuple[Connection, About]] = None
        threading.Thread(target=self._run, name="veln-hook-store", daemon=True).start()

    def _run(self) -> None:
        while True:
            question = self.questions.get()
            if question is None:
                break
            try:
                question.answers.append(self._answer(question.work))
            except BaseException as error:  # noqa: BLE001 - handed to who asked
                question.failures.append(error)
            question.answered.set()
        if self._open is not None:
            with suppress(psycopg.Error):
                self._open[0].close()

    def _answer(self, work: Callable[[Connection, About], Any]) -> Any:
        used = self._open is not None
        try:
            return work(*self._opened())
        except psycopg.OperationalError:
            # The server ended the connection since it was last used: a new one may do.
            if not used or self._open is None or not self._open[0].closed:
                raise
        self._open = None
        return work(*self._opened())

    def _opened(self) -> tuple[Connection, About]:
        if self._open is not None and self._open[0].closed:
            self._open = None
        if self._open is None:
            self._open = self._connect()
        return self._open


def parameters(url: str) -> dict[str, Any]:
    """Return what libpq is told, with everything that names the server settled.

    Without an ``sslmode``, a host that isn't this machine has to prove who it is (``verify-full``).

    Raises:
        StoreError: The URL can't be understood.
    """
    try:
        wanted: dict[str, Any] = dict(conninfo_to_dict(url))
    except psycopg.Error:
        # Not libpq's own words: they quote the part that it can't read, which may be of the password.
        raise StoreError(
            "'store.url' can't be understood as the URL of a PostgreSQL server",
            advice="Write postgresql://LOGIN@HOST/DATABASE, other characters as %XX; the password is better "
            "kept in ~/.pgpass.",
        ) from None
    wanted["client_encoding"] = "UTF8"
    wanted.setdefault("application_name", "veln-hook")
    # A machine that is gone says nothing: without these, a thread that was left behind would wait for hours.
    for name, value in (("keepalives_idle", 20), ("keepalives_interval", 5), ("keepalives_count", 3)):
        wanted.setdefault(name, value)
    wanted.setdefault("tcp_user_timeout", 30_000)
    if "service" in wanted:
        return wanted
    for name in _OURS:
        wanted.setdefault(name, "")
    places = f"{wanted['host']},{wanted['hostaddr']}".split(",")
    here = all(place in _HERE or place.startswith(("/", "@")) for place in places)
    wanted.setdefault("sslmode", "prefer" if here else "verify-full")
    # Kerberos' handshake is a question more, and to another server.
    wanted.setdefault("gssencmode", "disable")
    return wanted
