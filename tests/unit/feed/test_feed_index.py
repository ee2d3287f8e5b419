"""The index file: made as a whole or not at all, read by whoever may trust it."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
from datetime import timedelta

import pytest

from support.feeds import NOW, RECORDS, advisory, open_feed, raw, record, write_feed, write_real_feed
from veln_hook.errors import FeedError
from veln_hook.feed.building import Origin, build, confirm
from veln_hook.feed.sources import Raw, raw_records

SERVER = Origin("https://feed.test/all.zip", '"1"', fresh=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "feed.sqlite"


def ids(path, project="demo"):
    return [each.id for each in open_feed(path).malware(project)]


@pytest.mark.parametrize(
    ("project", "bad", "good"),
    [
        ("litellm", ["1.82.7", "1.82.8", "1.82.8.0"], ["1.82.6", "1.82.9", "1.83.0", "1.82.8rc1"]),
        ("lightning", ["2.6.2", "2.6.3"], ["2.6.1", "2.6.4", "2.6.2.post0"]),
        ("telnyx", ["4.87.1", "4.87.2"], ["4.87.0", "4.88.0"]),
        ("num2words", ["0.5.15", "0.5.16"], ["0.5.14", "0.5.17"]),
        ("aiocpa", ["0.1.13", "0.1.14"], ["0.1.12"]),
        ("beautifulsup", ["4.11.0", "0.0.1", "garbage"], []),
        ("fastapi", [], ["0.136.3", "0.136.2"]),
        ("requests", [], ["2.32.0", "2.32.2"]),
        ("urllib3", [], ["2.0.5", "1.26.16"]),
    ],
)
def test_real_incidents_name_the_right_releases_and_no_others(path, project, bad, good):
    write_real_feed(path)
    feed = open_feed(path)
    malware = feed.malware(project)
    assert [v for v in [*bad, *good] if any(each.affects(v) for each in malware)] == bad
    feed.close()


def test_real_advisories_name_real_repairs(path):
    write_real_feed(path)
    feed = open_feed(path)
    (requests,) = feed.weaknesses("requests")
    assert requests.repairs("2.32.2", "2.31.0")
    assert not requests.repairs("2.32.3", "2.31.0")
    both = ["GHSA-v845-jxx5-vc9f", "PYSEC-2023-192"]
    assert [each.id for each in feed.weaknesses("urllib3") if each.repairs("2.0.6", "2.0.5")] == both
    for version, found in (("2.0.6", both), ("2.0.6.0", both), ("1.26.17", both), ("2.0.5", []), ("x", [])):
        assert [each.id for each in feed.repaired("urllib3", version)] == found
    assert feed.malware("urllib3") == ()
    feed.close()


def test_there_may_be_no_feed(path):
    feed = open_feed(path)
    assert feed.info() is None
    assert feed.malware("demo") == ()
    assert not path.parent.exists()


def test_a_record_that_is_replaced_leaves_no_repair(path):
    write_feed(path, advisory("GHSA-1", "demo", "2.0"))
    newer = {**advisory("GHSA-1", "demo", "3.0"), "modified": "2026-05-01T00:00:00Z"}
    build(path, raw(newer), SERVER, now=NOW, add=True)
    feed = open_feed(path)
    assert feed.repaired("demo", "2.0") == ()
    assert [each.fixed() for each in feed.repaired("demo", "3.0.0")] == [("3.0",)]
    feed.close()


def test_what_is_known_of_it(path):
    outcome = write_feed(
        path,
        record("MAL-1", "demo", "1.0"),
        record("MAL-2", "demo", withdrawn="2026-04-01T00:00:00Z"),
        advisory("GHSA-1", "demo", "2.0"),
        "no record",
    )
    feed = open_feed(path)
    info = feed.info()
    assert info == outcome.info
    assert (info.records, info.malware, info.withdrawn, info.unreadable) == (3, 1, 1, 1)
    assert info.unreadable_names == ("3.json: it is no JSON",)
    assert (info.as_of, info.checked_at, info.imported_at) == (NOW, NOW, NOW)
    assert info.newest.isoformat() == "2026-04-30T10:00:00+00:00"
    assert (info.source, info.etag) == ("https://feed.test/all.zip", '"1"')
    assert info.size == path.stat().st_size
    feed.close()


def test_a_file_is_as_old_as_its_newest_record(path):
    records = [
        record("MAL-1", modified="2026-03-01T00:00:00Z"),
        record("MAL-2", modified="2026-04-02T00:00:00Z"),
    ]
    info = build(path, raw(*records), Origin("/media/feed.zip"), now=NOW).info
    assert info.as_of.isoformat() == "2026-04-02T00:00:00+00:00"


def test_a_record_of_the_future_makes_no_file_young(path):
    records = [
        record("MAL-1", modified="2026-03-01T00:00:00Z"),
        record("MAL-2", modified="2099-01-01T00:00:00Z"),
    ]
    info = build(path, raw(*records), Origin("/media/feed.zip"), now=NOW).info
    assert info.as_of.isoformat() == "2026-03-01T00:00:00+00:00"


def test_times_are_compared_not_texts(path):
    # The second is the older one, an hour later by its own clock.
    write_feed(
        path,
        record("MAL-1", "demo", "2.0", modified="2026-04-30T10:00:00Z"),
        record("MAL-1", "demo", "3.0", modified="2026-04-30T11:00:00+02:00"),
    )
    (found,) = open_feed(path).malware("demo")
    assert found.versions == ("2.0",)


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_records_with_one_id_the_newer_counts(path, order):
    both = [
        record("MAL-1", "other", "1.0", modified="2026-04-01T00:00:00Z"),
        record("MAL-1", "demo", "2.0", modified="2026-04-02T00:00:00Z"),
    ]
    write_feed(path, *both[::order])
    assert ids(path) == ["MAL-1"]
    assert ids(path, "other") == []


@pytest.mark.parametrize("order", [1, -1])
def test_and_of_two_as_old_the_one_that_is_not_withdrawn(path, order):
    both = [record("MAL-1", "demo", "1.0"), record("MAL-1", "demo", withdrawn="2026-04-30T10:00:00Z")]
    write_feed(path, *both[::order])
    assert ids(path) == ["MAL-1"]


def test_adding_keeps_what_is_there(path):
    write_feed(path, *(record(f"MAL-{number}", "demo", "1.0") for number in range(5)))
    later = NOW + timedelta(days=9)
    more = record("MAL-9", "acme-tools", modified="2026-05-09T00:00:00Z")
    gone = record("MAL-1", "demo", withdrawn="2026-05-09T00:00:00Z", modified="2026-05-09T00:00:00Z")
    info = build(path, raw(more, gone), Origin("/tmp/more.json"), now=later, add=True).info
    assert ids(path) == ["MAL-0", "MAL-2", "MAL-3", "MAL-4"]
    assert ids(path, "acme-tools") == ["MAL-9"]
    assert info.as_of == NOW, "a record of one's own makes nothing else newer"
    assert (info.malware, info.withdrawn) == (5, 1)
    assert (info.source, info.etag) == ("https://feed.test/all.zip", '"1"'), (
        "its server may say that it is the newest"
    )


def test_what_was_added_stays_when_the_feed_is_updated(path):
    write_feed(path, record("MAL-1", "demo", "1.0"), advisory("GHSA-1", "demo", "2.0"))
    mine = [
        record("ACME-1", "acme-tools", modified="2026-05-01T00:00:00Z"),
        record("MAL-0-acme", "demo", "9.0", modified="2026-05-01T00:00:00Z"),
        advisory("ACME-2", "demo", "3.0"),
    ]
    build(path, raw(*mine), Origin("/tmp/mine"), now=NOW, add=True)
    later = NOW + timedelta(days=1)
    info = build(
        path, raw(record("MAL-1", "demo", "1.0"), record("MAL-2", "demo", "2.0")), SERVER, now=later
    ).info
    assert ids(path) == ["MAL-0-acme", "MAL-1", "MAL-2"]
    feed = open_feed(path)
    assert [each.id for each in feed.weaknesses("demo")] == ["ACME-2"], (
        "what the feed itself took back is gone"
    )
    assert [each.id for each in feed.repaired("demo", "3.0")] == ["ACME-2"]
    feed.close()
    assert info.newest.isoformat() == "2026-04-30T10:00:00+00:00", "only the feed's own records tell its age"
    build(
        path,
        raw(record("MAL-0-acme", "demo", "9.1", modified="2026-05-02T00:00:00Z")),
        SERVER,
        now=later,
        add=True,
    )
    assert [each.versions for each in open_feed(path).malware("demo") if each.id == "MAL-0-acme"] == [
        ("9.1",)
    ]
    build(path, raw(record("MAL-1", "demo", "1.0")), SERVER, now=later, shrink=True)
    assert ids(path) == ["MAL-1"]
    assert ids(path, "acme-tools") == []


def test_adding_to_nothing_is_importing(path):
    build(path, raw(record("MAL-1", "demo", "1.0")), SERVER, now=NOW, add=True)
    assert ids(path) == ["MAL-1"]


def refused(path, records, match, **how):
    before = path.read_bytes()
    with pytest.raises(FeedError, match=match):
        build(path, records, SERVER, now=NOW, **how)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_what_knows_much_less_replaces_nothing(path):
    write_feed(path, *(record(f"MAL-{number}") for number in range(10)))
    less = [record(f"MAL-{number}") for number in range(4)]
    refused(path, raw(*less), "knows 4 records of malware where 10")
    build(path, raw(*less), SERVER, now=NOW, shrink=True)
    assert len(ids(path)) == 4


def test_what_is_older_replaces_nothing(path):
    write_feed(path, record("MAL-1", modified="2026-04-30T10:00:00Z"))
    older = [record("MAL-1", modified="2026-04-30T09:59:59Z")]
    refused(path, raw(*older), "older than what is here")
    build(path, raw(*older), SERVER, now=NOW, shrink=True)


@pytest.mark.parametrize(
    ("records", "match"),
    [
        ([], "no record can be read: it has none"),
        (["<html>"], "no record can be read: 0.json: it is no JSON"),
        ([record("MAL-1"), *["x"] * 11], "11 of 12 records can't be read"),
    ],
)
def test_what_is_no_feed_replaces_nothing(path, records, match):
    write_feed(path, record("MAL-1", "demo", "1.0"))
    refused(path, raw(*records), match)


def test_what_breaks_off_replaces_nothing(path):
    write_feed(path, record("MAL-1", "demo", "1.0"))

    def broken():
        yield from raw(record("MAL-2"))
        raise FeedError("it broke off")

    refused(path, broken(), "broke off")

    def killed():
        yield from raw(record("MAL-2"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(path, killed(), SERVER, now=NOW)
    assert ids(path) == ["MAL-1"]
    assert os.listdir(path.parent) == [path.name]


def test_what_a_killed_import_left_is_removed_in_time(path):
    write_feed(path, record("MAL-1"))
    left = path.with_name("feed.sqlite.new-1-abcd")
    left.write_bytes(b"x")
    os.utime(left, (NOW.timestamp() - 7200, NOW.timestamp() - 7200))
    running = path.with_name("feed.sqlite.new-2-abcd")
    running.write_bytes(b"x")
    os.utime(running, (NOW.timestamp() - 60, NOW.timestamp() - 60))
    write_feed(path, record("MAL-1"))
    assert sorted(os.listdir(path.parent)) == [path.name, running.name]


def test_it_is_its_owners_alone(path):
    umask = os.umask(0)
    try:
        write_feed(path, record())
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_what_others_could_have_written_is_no_feed(path, mode):
    write_feed(path, record())
    path.chmod(mode)
    for ask in (lambda feed: feed.info(), lambda feed: feed.malware("demo")):
        with pytest.raises(FeedError, match="can be written by other users"):
            ask(open_feed(path))
    with pytest.raises(FeedError, match="can be written by other users"):
        write_feed(path, record())


def test_a_link_is_no_feed(path, tmp_path):
    write_feed(tmp_path / "elsewhere.sqlite", record())
    path.parent.mkdir(mode=0o700)
    path.symlink_to(tmp_path / "elsewhere.sqlite")
    with pytest.raises(FeedError, match="symbolic link"):
        open_feed(path).info()


def test_rights_that_change_while_it_is_open_are_seen(path):
    write_feed(path, record("MAL-1"))
    feed = open_feed(path)
    assert len(feed.malware("demo")) == 1
    path.chmod(0o666)
    with pytest.raises(FeedError, match="can be written"):
        feed.malware("demo")


def test_a_newer_one_is_seen_by_who_has_it_open(path):
    write_feed(path, record("MAL-1", "demo", "1.0"))
    feed = open_feed(path)
    assert [each.id for each in feed.malware("demo")] == ["MAL-1"]
    write_feed(path, record("MAL-1", "demo", "1.0"), record("MAL-2", "demo", "2.0"))
    assert [each.id for each in feed.malware("demo")] == ["MAL-1", "MAL-2"]
    path.unlink()
    assert feed.malware("demo") == ()
    assert feed.info() is None


def test_a_server_that_has_nothing_newer_confirms_it(path):
    write_feed(path, record("MAL-1", "demo", "1.0"))
    feed = open_feed(path)
    assert feed.info().as_of == NOW
    confirm(path, NOW + timedelta(days=2))
    assert feed.info().as_of == feed.info().checked_at == NOW + timedelta(days=2)
    assert feed.info().imported_at == NOW
    assert [each.id for each in feed.malware("demo")] == ["MAL-1"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096),
        lambda path: path.write_text("no database"),
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: _execute(path, "DROP TABLE malware"),
        lambda path: _execute(path, "DROP TABLE meta"),
        lambda path: _execute(path, "DELETE FROM meta WHERE key = 'as_of'"),
        lambda path: _execute(path, "UPDATE meta SET value = 'soon' WHERE key = 'as_of'"),
        lambda path: _execute(path, "UPDATE meta SET value = '2026-01-01T00:00:00' WHERE key = 'as_of'"),
        lambda path: _execute(path, "UPDATE malware SET data = '{}'"),
        lambda path: _execute(path, "UPDATE malware SET data = '['"),
        lambda path: _execute(path, "PRAGMA application_id = 1"),
        lambda path: _execute(path, "PRAGMA user_version = 2"),
    ],
)
def test_damage_is_an_error_and_an_import_mends_it(path, damage):
    write_feed(path, record("MAL-1", "demo", "1.0"))
    damage(path)
    feed = open_feed(path)
    with pytest.raises(FeedError):
        (feed.info(), feed.malware("demo"))
    write_feed(path, record("MAL-1", "demo", "1.0"))
    assert ids(path) == ["MAL-1"]


def _execute(path, statement):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_nothing_is_added_to_what_is_damaged(path):
    write_feed(path, record("MAL-1", "demo", "1.0"))
    path.write_text("no database")
    with pytest.raises(FeedError, match="damaged"):
        build(path, raw(record("MAL-2")), SERVER, now=NOW, add=True)


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FeedError, match="can't be written"):
        write_feed(tmp_path / "file" / "feed.sqlite", record())


def test_imports_at_once_leave_one_whole_feed(path):
    errors = []

    def work(number):
        try:
            write_feed(path, *(record(f"MAL-{each}", "demo", f"{number}") for each in range(50)), shrink=True)
        except FeedError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    feed = open_feed(path)
    found = feed.malware("demo")
    assert len(found) == 50
    assert len({each.versions for each in found}) == 1, "parts of two imports"
    assert os.listdir(path.parent) == [path.name]


def test_progress_is_told(path):
    told = []
    write_feed(path, *(record(f"MAL-{number}") for number in range(1100)), progress=told.append)
    assert told == [500, 1000]


def test_names_in_a_source_cannot_fill_the_file(path):
    bad = [Raw("x" * 100_000, b"", "it can't be unpacked") for _ in range(9)]
    info = build(path, [*raw(record("MAL-1")), *bad], SERVER, now=NOW).info
    assert info.unreadable == 9
    assert max(map(len, info.unreadable_names)) < 200


def test_the_records_of_the_tests_are_what_their_readme_says():
    told = (RECORDS / "README.md").read_text()
    for path in RECORDS.glob("MAL-*.json"):
        assert f"`{path.stem}` {json.loads(path.read_bytes())['affected'][0]['package']['name']}" in told
    assert len(list(raw_records(str(RECORDS)))) == 10
