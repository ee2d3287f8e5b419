"""What tells a cache that was filled before the feed knew from one that is clean."""

from __future__ import annotations

from datetime import timedelta

import pytest

from support.feeds import NOW, advisory, open_feed, record, write_feed
from veln_hook.feed.state import feed_state, learned_since, rough
from veln_hook.model import Observation
from veln_hook.policy.settings import FeedPolicy, Policy
from veln_hook.store.overlay import OverlayStore
from veln_hook.store.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "feed.sqlite"


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "store.sqlite3")
    made.observe(
        Observation("demo", version, f"demo-{version}.whl", "ab" * 32, "https://x/", NOW, "m")
        for version in ("1.0", "2.0")
    )
    yield made
    made.close()


def learned(path, store, **wanted):
    return learned_since(open_feed(path), store, Policy(feed=FeedPolicy(**wanted)), NOW)


def test_nothing_is_learned_without_a_feed(path, store):
    assert learned(path, store) == []


def test_only_malware_that_was_seen_here_counts(path, store):
    write_feed(
        path, record("MAL-1", "demo", "3.0"), record("MAL-2", "other"), advisory("GHSA-1", "demo", "2.0")
    )
    before = learned(path, store)
    write_feed(path, record("MAL-1", "demo", "3.0"), record("MAL-2", "other"), record("MAL-4", "more"))
    assert learned(path, store) == before, "a cache lasts from one update to the next"
    write_feed(path, record("MAL-1", "demo", "3.0"), record("MAL-3", "demo", "2.0"))
    assert [*before, "demo MAL-3"] == learned(path, store)


def test_a_store_that_began_later_vouches_for_no_older_cache(path, store, tmp_path):
    write_feed(path, record("MAL-1", "other"))
    newer = SqliteStore(tmp_path / "newer.sqlite3")
    assert learned(path, store) != learned(path, newer)
    newer.close()


def test_a_store_that_forgets_vouches_for_none_once_there_is_news(path, tmp_path):
    store = OverlayStore(str(tmp_path / "x"), "read-only")
    write_feed(path, record("MAL-1", "other"))
    before = learned(path, store)
    assert learned(path, store) == before
    write_feed(path, record("MAL-1", "other"), now=NOW + timedelta(hours=1))
    assert learned(path, store) != before
    store.close()


def test_a_feed_that_holds_everything_lets_no_cache_be_used(path, store):
    plain = learned(path, store)
    assert learned(path, store, required=True) != plain
    assert learned(path, store, required=True, on_stale="warn") == plain
    write_feed(path, record("MAL-1", "other"))
    fit = learned(path, store, required=True)
    path.chmod(0o666)
    assert learned(path, store) not in (plain, fit)


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=-5), "0 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1, minutes=5), "1 h 5 min"),
        (timedelta(hours=47, minutes=59), "47 h 59 min"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=400, hours=23), "400 days"),
    ],
)
def test_ages_are_told(age, text):
    assert rough(age) == text


def test_a_feed_of_the_future_is_not_old(path):
    write_feed(path, record(), now=NOW + timedelta(days=1))
    info = open_feed(path).info()
    assert not feed_state(info, Policy(feed=FeedPolicy(max_age=timedelta(hours=1))), NOW).unfit
