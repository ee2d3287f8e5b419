from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from typing import TYPE_CHECKING

import pytest

from veln_hook.enable import interpreters
from veln_hook.enable.interpreters import Interpreter, PassedOver

if TYPE_CHECKING:
    from pathlib import Path


def found_on(path: Path) -> list[Interpreter | PassedOver]:
    return [each for each in interpreters.find({"PATH": str(path)}) if each.executable.startswith(str(path))]


def test_this_one_is_found_with_its_standard_library() -> None:
    base = getattr(sys, "_base_executable", sys.executable)
    found = interpreters.find({"PATH": os.path.dirname(base)})
    stdlibs = [each.stdlib for each in found if isinstance(each, Interpreter)]
    assert os.path.realpath(sysconfig.get_path("stdlib")) in stdlibs
    assert len(stdlibs) == len(set(stdlibs))


def test_what_only_has_such_a_name_is_none(tmp_path: Path) -> None:
    for name, text in {"python3": "#!/bin/sh\nexit 1\n", "python3.13": "#!/bin/sh\necho no json\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "python3.12").write_text("not executable")
    (tmp_path / "python3.11").mkdir()
    assert found_on(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("changed", ["file", "directory"])
def test_one_that_others_could_change_is_told_and_not_started(tmp_path: Path, changed: str) -> None:
    place = tmp_path / "bin"
    place.mkdir()
    mark = tmp_path / "started"
    (place / "python3").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (place / "python3").chmod(0o755)
    os.chown(place / "python3" if changed == "file" else place, 54321, 54321)
    (told,) = found_on(place)
    assert isinstance(told, PassedOver)
    assert "belongs to uid 54321" in told.reason
    assert not mark.exists()


def test_one_that_anybody_may_write_is_told(tmp_path: Path) -> None:
    (tmp_path / "python3").write_text("#!/bin/sh\n")
    (tmp_path / "python3").chmod(0o777)
    (told,) = found_on(tmp_path)
    assert isinstance(told, PassedOver)
    assert "can be written by others" in told.reason


def test_an_environment_leads_to_its_base_s_library(tmp_path: Path) -> None:
    base = getattr(sys, "_base_executable", sys.executable)
    made = tmp_path / "env"
    (made / "bin").mkdir(parents=True)
    (made / "pyvenv.cfg").write_text(f"home = {os.path.dirname(base)}\n")
    shutil.copy(os.path.realpath(base), made / "bin" / "python3")
    found = [each for each in found_on(made / "bin") if isinstance(each, Interpreter)]
    assert {each.stdlib for each in found} <= {os.path.realpath(sysconfig.get_path("stdlib"))}
