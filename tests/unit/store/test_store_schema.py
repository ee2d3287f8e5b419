"""Versions of the file: made, taken over, refused."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest
from store_records import FROZEN, NOON, observation

from veln_hook.errors import StoreError
from veln_hook.store import codec, connecting, files, open_store, schema
from veln_hook.store.sqlite import SqliteStore

DOCS = Path(__file__).parents[3] / "docs" / "store.md"


def frozen(path: Path, version: int = 1) -> Path:
    """Make a file of a version from its frozen SQL, with a row in it."""
    files.create(path)
    connection = sqlite3.connect(path)
    connection.executescript(FROZEN[version].read_text("utf-8"))
    rows = [
        ("machine", "m1"),
        ("started_at", str(codec.to_micros(NOON))),
        ("observations", "1"),
        ("set_aside", ""),
    ]
    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
    connection.execute(
        "INSERT INTO observation VALUES (?, ?, ?, ?, ?, ?, ?)", codec.observation_values(observation())
    )
    connection.commit()
    connection.close()
    return path


def tables(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
    return connection.execute(query).fetchall()


@pytest.mark.parametrize(
    ("version", "digest"),
    [
        (1, "2608316c74b3afc75bd86f6044f24d3953ca23c99b91961e0bfe3ee4fefc71f7"),
        (2, "a17dd701d96183fc48a9aeb0d21b36201a119ae9da36c4b45f44f45974059638"),
    ],
)
def test_the_frozen_sql_of_a_version_is_frozen(version, digest):
    assert hashlib.sha256(FROZEN[version].read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("version", FROZEN)
def test_a_file_of_any_version_is_taken_over_with_its_rows(tmp_path, version):
    store = SqliteStore(frozen(tmp_path / "store.sqlite3", version))
    info = store.info()
    assert (info.schema, info.observations, info.started_at, info.set_aside) == (
        schema.SCHEMA_VERSION,
        1,
        NOON,
        "",
    )
    assert store.machine_id() == "m1"
    assert list(store.observations("litellm")) == [observation()]
    store.close()


@pytest.mark.parametrize("version", FROZEN)
def test_a_new_file_and_a_migrated_one_have_the_same_tables(tmp_path, version):
    old = frozen(tmp_path / "old.sqlite3", version)
    SqliteStore(old).close()
    SqliteStore(tmp_path / "new.sqlite3").close()
    found = []
    for name in ("old.sqlite3", "new.sqlite3"):
        connection = sqlite3.connect(tmp_path / name)
        found.append(tables(connection))
        connection.close()
    assert found[0] == found[1]
    made = {sql for name, sql in found[0] if not name.startswith("sqlite_")}
    assert made == schema.CURRENT


def add_colour(connection):
    connection.execute("ALTER TABLE archive ADD COLUMN colour TEXT NOT NULL DEFAULT 'none'")


def fail_halfway(connection):
    connection.execute("CREATE TABLE half (done INTEGER)")
    connection.execute("this is not SQL")


@pytest.fixture
def old(tmp_path):
    connection = sqlite3.connect(frozen(tmp_path / "store.sqlite3"), isolation_level=None)
    yield connection
    connection.close()


def test_a_migration_runs_once_and_only_the_missing_ones_do(old):
    migrations = (*schema.MIGRATIONS, add_colour)
    schema.migrate(old, migrations)
    schema.migrate(old, migrations)
    assert old.execute("PRAGMA user_version").fetchone() == (3,)
    assert old.execute("SELECT count(colour) FROM archive").fetchone() == (0,)
    assert old.execute("SELECT count(*) FROM observation").fetchone() == (1,)


def test_a_migration_that_fails_leaves_the_file_as_it_was(old):
    before = tables(old)
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(old, (*schema.MIGRATIONS, add_colour, fail_halfway))
    assert old.execute("PRAGMA user_version").fetchone() == (1,)
    assert tables(old) == before
    assert not old.in_transaction


def later_version(monkeypatch):
    """Make this program one that knows version 3; there is none yet."""
    migrations = (*schema.MIGRATIONS, add_colour)
    monkeypatch.setattr(schema, "MIGRATIONS", migrations)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(schema, "CURRENT", frozenset())
    monkeypatch.setattr(schema.migrate, "__defaults__", (migrations,))


def test_opening_migrates(tmp_path, monkeypatch):
    path = frozen(tmp_path / "store.sqlite3")
    later_version(monkeypatch)
    store = SqliteStore(path)
    assert store.info().schema == 3
    assert list(store.observations("litellm")) == [observation()]
    store.close()


def test_an_older_file_that_cannot_be_written_is_migrated_in_memory(tmp_path, monkeypatch):
    path = frozen(tmp_path / "store.sqlite3")
    before = path.read_bytes()
    later_version(monkeypatch)
    store = SqliteStore(":memory:", connection=connecting.to_read(path))
    assert store.info().schema == 3
    assert list(store.observations("litellm")) == [observation()]
    store.close()
    assert path.read_bytes() == before


def test_a_newer_file_is_refused_and_not_touched(tmp_path):
    path = frozen(tmp_path / "store.sqlite3")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer") as caught:
        open_store(path=path)
    assert "Upgrade veln-hook" in caught.value.advice
    with pytest.raises(StoreError, match="newer"):
        connecting.to_read(path)
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["store.sqlite3", "store.sqlite3.lock"]


def test_an_interrupted_making_is_completed(tmp_path):
    for name, start in (("empty", None), ("header", "PRAGMA journal_mode = WAL")):
        path = tmp_path / name / "store.sqlite3"
        path.parent.mkdir()
        files.create(path)
        if start:
            connection = sqlite3.connect(path)
            connection.execute(start)
            connection.close()
        store = SqliteStore(path)
        assert store.info().set_aside == ""
        store.close()
        assert len(list(path.parent.glob("*corrupt*"))) == 0


def test_the_documentation_shows_every_version(tmp_path):
    text = DOCS.read_text("utf-8")
    assert len(schema.MIGRATIONS) == 2, "document the new version, and extend this test"
    for version in (schema.VERSION_1, schema.VERSION_2):
        assert ";\n\n".join(version) + ";" in text
    assert f"0x{schema.APPLICATION_ID:08X}" in text
