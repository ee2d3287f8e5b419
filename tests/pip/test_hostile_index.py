"""Pages and wheels that were written to get round the checks; each was a way in once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.builders import make_sdist, make_wheel
from support.held import OLD, YOUNG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Env, Home
    from support.index_server import IndexServer


def test_a_remote_page_that_names_a_local_file_gives_it_no_age(
    shared_env: Env, make_index: Callable[..., IndexServer], tmp_path: Path
) -> None:
    index = make_index(json=False)
    wheel = make_wheel(tmp_path, "demo", "2.0")
    index.add(wheel, url=wheel.as_uri())
    result = shared_env.run_pip("install", "-t", str(tmp_path / "t"), "demo", index=index)
    assert result.returncode == 75, result
    assert "HOLD  demo 2.0  no upload time" in result.out, result


def test_another_spelling_of_the_version_does_not_free_the_sdist(
    shared_env: Env, index: IndexServer, tmp_path: Path, unconfined: dict[str, str]
) -> None:
    marker = tmp_path / "ran"
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    index.add(make_sdist(tmp_path, "demo", "2.0.0", marker=marker), upload_time=OLD)
    command = ["install", "-t", str(tmp_path / "t"), "demo"]
    result = shared_env.run_pip(*command, index=index, env=unconfined)
    assert result.returncode == 75, result
    assert not marker.exists()


def test_names_of_an_index_are_quoted_in_what_is_meant_to_be_pasted(
    shared_env: Env, make_index: Callable[..., IndexServer], index: IndexServer, tmp_path: Path
) -> None:
    other = make_index()
    wheel = make_wheel(tmp_path, "demo", "1.0")
    renamed = wheel.with_name("demo-1.0-1$(touch pwned)-py3-none-any.whl")
    wheel.rename(renamed)
    other.add(renamed)
    url = other.file_url(renamed.name)
    result = shared_env.run_pip("install", "-t", str(tmp_path / "t"), url, index=index)
    assert result.returncode == 75, result
    assert "--filename 'demo-1.0-1$(touch pwned)-py3-none-any.whl'" in result.out, result


def test_data_at_the_prefix_lands_in_the_target(newest_env: Env, index: IndexServer, tmp_path: Path) -> None:
    for name, member in (("one", "veln_hook/__init__.py"), ("two", "pip/__init__.py")):
        index.add(make_wheel(tmp_path, name, "1.0", data={"data": {member: ""}}), upload_time=OLD)
        before = newest_env.files()
        result = newest_env.run_pip(
            "install", "--upgrade", "--target", newest_env.site_packages, name, index=index
        )
        assert result.returncode == 1, result
        assert f"BLOCK {name} 1.0" in result.out, result
        assert newest_env.files() == before


def test_metadata_that_is_all_lines_is_held(shared_env: Env, index: IndexServer, tmp_path: Path) -> None:
    members = {f"x{n}-1.dist-info/RECORD": "ab\n" * 2_500_000 for n in range(5)}
    wheel = make_wheel(tmp_path, "demo", "1.0", data={"purelib": members})
    index.add(wheel, upload_time=OLD)
    result = shared_env.run_pip("install", "-t", tmp_path / "t", "demo", index=index)
    assert result.returncode == 77, result
    assert "more than 400000 lines" in result.out, result
    assert not (tmp_path / "t").exists()


def _store(home: Home) -> bytes:
    return b"".join(path.read_bytes() for path in home.state_dir.rglob("*") if path.is_file())


def test_a_signature_in_a_query_is_not_kept(
    shared_env: Env, make_index: Callable[..., IndexServer], tmp_path: Path
) -> None:
    index = make_index(json=False)
    wheel = make_wheel(tmp_path, "demo", "1.0")
    index.add(wheel)
    url = f"{index.file_url(wheel.name)}?sig=TOPSECRET/abc"
    result = shared_env.run_pip("install", "-t", tmp_path / "t", "--no-index", "--find-links", url, "demo")
    assert result.returncode == 75, result
    assert "demo" in shared_env.run_script("veln-hook", "log", check=True).out
    assert b"TOPSECRET" not in _store(shared_env.home)


def test_of_nested_indexes_the_inner_ones_rule_counts(
    shared_env: Env, index: IndexServer, tmp_path: Path
) -> None:
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    policy = f'[[indexes]]\nurl = "{index.url}"\nmin_age = "9000 days"\n'
    outer = index.url.removesuffix("simple/")
    for first, second in ((index.url, outer), (outer, index.url)):
        result = shared_env.run_pip(
            "install", "-t", tmp_path / "t", "--extra-index-url", second, "demo", index=first, policy=policy
        )
        assert result.returncode == 75, result
