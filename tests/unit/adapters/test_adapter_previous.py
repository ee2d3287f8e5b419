"""Which older release pip's pages offer to compare with; tests/pip/test_code.py fetches real ones."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from veln_hook.adapters.pip import previous
from veln_hook.adapters.pip.run import Run
from veln_hook.model import Archive, ArchiveKind, Candidate, Decision, Origin, Source, Verdict
from veln_hook.source import baseline

INDEX = "https://pypi.example/simple/"


class Session:
    """Serves bytes as pip's session does."""

    def __init__(self, status=200):
        self.status = status
        self.content = {}
        self.asked = []

    def get(self, url, *, headers, stream):
        assert stream
        assert headers == {"Accept-Encoding": "identity"}
        self.asked.append(url)
        return self

    def __enter__(self):
        return SimpleNamespace(status_code=self.status, iter_content=self._chunks)

    def __exit__(self, *error):
        pass

    def _chunks(self, size):
        body = self.content.get(self.asked[-1], b"")
        return (body[start : start + size] for start in range(0, len(body), size))


class Offers:
    """One project's page, as a run has it."""

    def __init__(self):
        self.session = Session()
        self.run = Run("pip._internal.")
        self.finder = SimpleNamespace(_link_collector=SimpleNamespace(session=self.session))
        self.items = []
        self.run.answers["demo"] = self.finder, self.items

    def add(
        self, version, *, name="", decision=Decision.ALLOW, yanked=False, file=False, body=None, **changes
    ):
        name = name or f"demo-{version}-py3-none-any.whl"
        url = f"https://files.example/{name}"
        content = name.encode()
        self.session.content[url] = content if body is None else body
        fields = {
            "source": Source.INDEX,
            "index": INDEX,
            "sha256": hashlib.sha256(content).hexdigest(),
            **changes,
        }
        candidate = Candidate("demo", version, name, url, **fields)
        self.run.judged[url] = Verdict(decision, candidate)
        link = SimpleNamespace(
            url=f"{url}#sha256=x", url_without_fragment=url, filename=name, is_wheel=name.endswith(".whl"),
            is_yanked=yanked, is_file=file,
        )  # fmt: skip
        self.items.append(SimpleNamespace(version=version, link=link))
        return candidate.sha256

    def fetch(self, version="2.0", *, filename="", index=INDEX, size=1, without=()):
        filename = filename or f"demo-{version}-py3-none-any.whl"
        candidate = Candidate("demo", version, filename, "https://x/y", Source.INDEX, index)
        archive = Archive(
            "/x", ArchiveKind.WHEEL, Origin.FETCHED, filename, "demo", version, "ab" * 32, size, candidate
        )
        with previous.Previous(self.run).previous(archive, without=without) as found:
            if found is None:
                return None
            with open(found.path, "rb") as file:
                assert file.read() == found.filename.encode()
            return found.filename


@pytest.fixture
def offers():
    return Offers()


def test_the_newest_before_it_is_fetched(offers):
    for version in ("0.9", "1.10", "1.9", "2.0", "2.0.0", "3.0"):
        offers.add(version)
    assert offers.fetch() == "demo-1.10-py3-none-any.whl"
    assert len(offers.session.asked) == 1


def test_a_final_release_comes_first_unless_it_is_itself_none(offers):
    offers.add("1.0")
    offers.add("2.0rc1")
    assert offers.fetch("2.0") == "demo-1.0-py3-none-any.whl"
    assert offers.fetch("2.0rc2") == "demo-2.0rc1-py3-none-any.whl"


def test_of_one_release_the_same_kind_and_tags_come_first(offers):
    offers.add("1.0", name="demo-1.0.tar.gz")
    offers.add("1.0", name="demo-1.0-cp311-cp311-linux_x86_64.whl")
    offers.add("1.0", name="demo-1.0-py3-none-any.whl")
    assert offers.fetch() == "demo-1.0-py3-none-any.whl"
    assert offers.fetch(filename="demo-2.0-cp311-cp311-linux_x86_64.whl").endswith("x86_64.whl")
    assert offers.fetch(filename="demo-2.0.tar.gz") == "demo-1.0.tar.gz"


@pytest.mark.parametrize(
    "bad",
    [
        {"yanked": True},
        {"file": True},
        {"decision": Decision.HOLD},
        {"decision": Decision.BLOCK},
        {"source": Source.FIND_LINKS},
        {"source": Source.LOCK},
        {"index": "https://other.example/simple/"},
        {"sha256": ""},
    ],
)
def test_what_is_passed_over(offers, bad):
    offers.add("1.0")
    offers.add("1.5", **bad)
    assert offers.fetch() == "demo-1.0-py3-none-any.whl"


def test_what_is_no_use_is_passed_over(offers):
    offers.add("1.0")
    assert offers.fetch(without={offers.add("1.5")}) == "demo-1.0-py3-none-any.whl"


def test_what_is_no_version_is_passed_over(offers):
    offers.add("odd")
    offers.add("9" * 5000, name="demo-9-py3-none-any.whl")
    assert offers.fetch() is None
    offers.add("1.0")
    assert offers.fetch("odd") is None


def test_a_warning_is_no_obstacle_and_an_archive_of_no_index_takes_any(offers):
    offers.add("1.0", decision=Decision.WARN)
    assert offers.fetch(index="") == "demo-1.0-py3-none-any.whl"


def test_other_bytes_than_promised_are_none(offers):
    offers.add("1.0", body=b"other")
    assert offers.fetch() is None


def test_an_answer_that_is_no_file_is_none(offers):
    offers.add("1.0")
    offers.session.status = 404
    assert offers.fetch() is None


def test_a_flood_is_cut_off(offers, monkeypatch):
    monkeypatch.setattr(baseline, "_SMALLEST_LIMIT", 10)
    offers.add("1.0")
    assert offers.fetch() is None
    assert offers.fetch(size=100) == "demo-1.0-py3-none-any.whl"


def test_a_trickle_is_cut_off(offers, monkeypatch):
    monkeypatch.setattr(previous, "FETCH_SECONDS", -1)
    offers.add("1.0")
    assert offers.fetch() is None


def test_a_name_stays_in_its_directory(offers, tmp_path, monkeypatch):
    monkeypatch.setattr(previous.tempfile, "tempdir", str(tmp_path))
    offers.add("1.0", name="../../demo-1.0-py3-none-any.whl")
    archive = Archive("/x", ArchiveKind.WHEEL, Origin.FETCHED, "demo-2.0-py3-none-any.whl", "demo", "2.0")
    with previous.Previous(offers.run).previous(archive, without=()) as found:
        assert Path(found.path).parent.parent == tmp_path
        assert Path(found.path).is_file()
    assert list(tmp_path.iterdir()) == []


def test_a_project_that_was_never_asked_for_has_none(offers):
    del offers.run.answers["demo"]
    assert offers.fetch() is None


def test_what_is_installed_is_pips_word(offers, monkeypatch):
    asked = previous.Previous(offers.run)
    monkeypatch.delitem(sys.modules, "pip._internal.metadata", raising=False)
    assert asked.installed("demo") == ""
    environment = SimpleNamespace(get_distribution={"demo": SimpleNamespace(version=1.5)}.get)
    metadata = SimpleNamespace(get_default_environment=lambda: environment)
    monkeypatch.setitem(sys.modules, "pip._internal.metadata", metadata)
    assert asked.installed("demo") == "1.5"
    assert asked.installed("absent") == ""
