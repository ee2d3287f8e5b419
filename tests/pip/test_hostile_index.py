"""Pages that were written to get round the finder; each was a way in once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.builders import make_sdist, make_wheel
from support.held import OLD, YOUNG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Env
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
    shared_env: Env, index: IndexServer, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    index.add(make_sdist(tmp_path, "demo", "2.0.0", marker=marker), upload_time=OLD)
    result = shared_env.run_pip("install", "-t", str(tmp_path / "t"), "demo", index=index)
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
