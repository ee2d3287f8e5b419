"""The authority of a gate: gone with it, or kept so that clients go on trusting it."""

from __future__ import annotations

import os
import signal
import stat

import pytest
from standing_world import StandingGate

from support.waiting import SECONDS
from veln_hook.errors import UsageError
from veln_hook.standing.keeping import kept_authority


def test_a_kept_authority_outlives_its_gate(make_gate, demo, home):
    place = home.path / "authority"
    first = make_gate(demo, options=("--authority", str(place)))
    assert first.certificate == place / "ca.pem"
    trusted = first.certificate.read_bytes()
    assert first.page(demo)
    first.signal(signal.SIGTERM)
    assert first.process.wait(SECONDS) == 0
    second = make_gate(demo, options=("--authority", str(place)))
    assert second.certificate.read_bytes() == trusted
    assert second.page(demo)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "authority.pem").stat().st_mode) == 0o600


def test_another_gate_has_another_authority_and_no_key_on_disk(make_gate, demo):
    first = make_gate(demo)
    trusted = first.certificate.read_bytes()
    assert first.page(demo)
    files = [path for path in first.home.path.rglob("*") if path.is_file()]
    assert not any(b"PRIVATE KEY" in path.read_bytes() for path in files)
    first.finish()
    second = make_gate(demo)
    assert second.certificate.read_bytes() != trusted


def test_the_certificate_lies_where_systemd_wants_it(make_gate, demo, home):
    place = home.path / "run"
    place.mkdir()
    gate = make_gate(
        demo, options=("--authority", str(home.path / "kept")), env={"RUNTIME_DIRECTORY": str(place)}
    )
    assert gate.certificate == place / "ca.pem"
    assert gate.page(demo)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_can_get_at_is_refused(tmp_path, mode):
    place = tmp_path / "kept"
    kept_authority(str(place))
    (place / "authority.pem").chmod(mode)
    with pytest.raises(UsageError, match="others"):
        kept_authority(str(place))


def test_a_directory_that_others_can_look_into_is_refused(tmp_path):
    place = tmp_path / "kept"
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    with pytest.raises(UsageError, match="others"):
        kept_authority(str(place))
    assert not list(place.iterdir())


def test_a_link_is_no_key(tmp_path):
    place = tmp_path / "kept"
    kept_authority(str(place))
    (place / "authority.pem").rename(tmp_path / "elsewhere.pem")
    (place / "authority.pem").symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(UsageError):
        kept_authority(str(place))


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_damaged_key_is_refused_and_not_replaced(tmp_path, data):
    place = tmp_path / "kept"
    kept_authority(str(place))
    (place / "authority.pem").write_bytes(data)
    with pytest.raises(UsageError, match="belong together"):
        kept_authority(str(place))
    assert (place / "authority.pem").read_bytes() == data


def test_a_key_of_another_certificate_is_refused(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    kept_authority(str(one))
    kept_authority(str(two))
    key = (one / "authority.pem").read_bytes().partition(b"-----BEGIN CERTIFICATE")[0]
    (two / "authority.pem").write_bytes(key + (two / "ca.pem").read_bytes())
    with pytest.raises(UsageError, match="belong together"):
        kept_authority(str(two))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_key_of_somebody_else_is_refused(tmp_path):
    place = tmp_path / "kept"
    kept_authority(str(place))
    os.chown(place / "authority.pem", 65534, 65534)
    with pytest.raises(UsageError, match="somebody else"):
        kept_authority(str(place))


def test_two_that_start_at_once_have_the_same(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    place = str(tmp_path / "kept")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: kept_authority(place).certificate, range(8)))
    assert len(set(made)) == 1


def test_an_open_key_is_no_gate(home, authority, demo):
    place = home.path / "kept"
    kept_authority(str(place))
    (place / "authority.pem").chmod(0o644)
    gate = StandingGate(home, authority.file, demo, options=("--authority", str(place)))
    with pytest.raises(AssertionError, match="ended with 2"):
        gate.__enter__()
