"""A shared store on a real server, as tests want one: a database of its own, and machines that use it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from veln_hook.policy.settings import SharingPolicy
from veln_hook.store import open_store
from veln_hook.store.postgres_server import Administration, Server

if TYPE_CHECKING:
    from pathlib import Path

    from support.postgres import Cluster
    from veln_hook.store import Store


class Fleet:
    """A database with the tables, a login for machines, and one for an approver.

    Args:
        cluster: The running server.
        directory: Where machines keep their files.
    """

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self.directory = directory
        self._stack = ExitStack()
        self.database = cluster.make_database()
        self.admin_url = cluster.url(self.database)
        administration = Administration(self.admin_url)
        administration.init()
        administration.close()
        self.machine_login = cluster.make_login("veln_hook_machine")
        self.approver_login = cluster.make_login("veln_hook_approver")

    def sql(self, *statements: str) -> list[Any]:
        """Run statements as the superuser; return the rows of the last."""
        return self.cluster.sql(*statements, database=self.database)

    def any_time(self) -> None:
        """Let machines claim first sights as old as they like."""
        self.sql("UPDATE veln_hook.about SET late = NULL")

    def url(self, login: str = "", *, tcp: bool = True, **more: str) -> str:
        """Return the URL for a login, by default the machines'."""
        return self.cluster.url(self.database, login or self.machine_login, tcp=tcp, **more)

    @property
    def approver_url(self) -> str:
        """The URL for who may approve."""
        return self.url(self.approver_login)

    def machine(
        self, name: str, *, url: str = "", timeout: float = 10, unreachable: str = "hold", **options: Any
    ) -> Store:
        """Open the store as a machine with files of its own; it is closed at the end, if not before."""
        sharing = SharingPolicy(timedelta(seconds=timeout), unreachable)
        path = self.directory / name / "store.sqlite3"
        store = open_store(url or self.url(), path=path, sharing=sharing, **options)
        self._stack.callback(store.close)
        return store

    def server(self, url: str = "", **options: Any) -> Server:
        """Return what asks the server without anything between; as the approver, if not told otherwise."""
        from veln_hook.store.postgres_line import Budget

        server = Server(url or self.approver_url, Budget(20), **options)
        self._stack.callback(server.close)
        return server

    def close(self) -> None:
        """Close what was opened."""
        self._stack.close()
