"""``veln-hook enable --image``: every interpreter of a machine, and every environment of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from machine import ACTIVE, TOOL, USER

from support import cache, uv_versions
from support.pythons import PYTHONS, find_python, newest_pair

if TYPE_CHECKING:
    from machine import Image


pytestmark = pytest.mark.slow


def test_a_dry_run_writes_nothing(made: Image) -> None:
    before = made.rootfs.changed()
    told = made.hook("enable", "--image", "--dry-run")
    assert told.returncode == 0, told
    assert "would create" in told.stdout
    assert made.rootfs.changed() == before


def test_only_root_can_do_it(made: Image) -> None:
    result = made.hook("enable", "--image", user=USER)
    assert result.returncode != 0
    assert "an image is root's" in result.stderr, result
    assert "Traceback" not in result.out


@pytest.mark.parametrize("options", [(), ("-E",), ("-s",), ("-I",)], ids=" ".join)
def test_each_interpreter_is_covered_in_each_start_mode(
    image: Image, python: str, options: tuple[str, ...]
) -> None:
    assert image.run(python, *options, "-c", ACTIVE).stdout.strip() == "True"
    assert image.run(python, *options, "-S", "-c", ACTIVE).stdout.strip() == "False"
    image.holds(python, *options)


def test_a_user_s_new_environment_is_covered(image: Image, python: str) -> None:
    made = f"/tmp/venv-{python.replace('/', '-')}"
    done = image.run(python, "-m", "venv", made, user=USER)
    assert (done.returncode, done.stderr) == (0, ""), done
    for options in ((), ("-I",), ("-E", "-s")):
        image.holds(f"{made}/bin/python", *options, user=USER)
    installed = image.run(f"{made}/bin/pip", "install", "--quiet", "demo", user=USER)
    assert installed.returncode == 0, installed
    assert "demo 1.0" in " ".join(image.run(f"{made}/bin/pip", "list", user=USER).stdout.split())
    assert image.run(python, "-m", "venv", "--clear", made, user=USER).returncode == 0


def test_environments_that_were_there_before_are_covered(image: Image) -> None:
    # This one knows nothing of veln-hook, and was made outside.
    image.holds(str(cache.bare_venv(newest_pair()) / "bin/python"))


def test_uv_s_environments_are_covered(image: Image, python: str) -> None:
    uv = uv_versions.uv_bin(uv_versions.NEWEST) / "uv"
    made = f"/tmp/uv-{python.replace('/', '-')}"
    done = image.run(str(uv), "venv", "--quiet", "--python", python, made, user=USER)
    assert done.returncode == 0, done
    assert image.run(f"{made}/bin/python", "-I", "-c", ACTIVE, user=USER).stdout.strip() == "True"


@pytest.mark.parametrize("way", ["venv", "uv venv"])
def test_uv_itself_goes_through_the_gate(image: Image, way: str) -> None:
    python = str(find_python(newest_pair().python))
    place = f"/tmp/gated-{way.replace(' ', '-')}"
    words = ["uv", "venv", "--python", python] if "uv" in way else [python, "-m", "venv"]
    assert image.run(*words, place, user=USER).returncode == 0
    index = {"UV_DEFAULT_INDEX": image.index.url}
    held = image.run("uv", "pip", "install", "--python", place, "demo==2.0", user=USER, env=index)
    assert held.returncode == 75, held
    assert "HOLD  demo 2.0" in held.out
    passes = image.run("uv", "pip", "install", "--python", place, "demo", user=USER, env=index)
    assert passes.returncode == 0, passes
    assert "demo 1.0" in " ".join(image.run("uv", "pip", "list", "--python", place, user=USER).out.split())


def test_the_image_s_own_counts_before_an_environment_s(image: Image) -> None:
    code = "import sys; print(sys.modules['veln_hook'].__file__)"
    assert (
        image.run(f"{TOOL}/bin/python", "-c", code).stdout.strip()
        == "/opt/veln-hook/hook/veln_hook/__init__.py"
    )


def test_a_sitecustomize_of_the_site_packages_runs_all_the_same(image: Image, python: str) -> None:
    site = image.run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    image.run("sh", "-c", f"echo 'print(\"mine\")' > {site}/sitecustomize.py")
    try:
        assert image.run(python, "-c", ACTIVE).stdout.split() == ["mine", "True"]
        image.run("sh", "-c", f"echo '1 / 0' > {site}/sitecustomize.py")
        broken = image.run(python, "-c", ACTIVE)
        assert (broken.returncode, broken.stdout.strip()) == (0, "True")
        assert "ZeroDivisionError" in broken.stderr
    finally:
        image.run("rm", "-r", f"{site}/sitecustomize.py")


def test_an_ordinary_process_has_nothing_of_ours_but_the_finder(image: Image, python: str) -> None:
    code = "import sys; print(sorted(n for n in sys.modules if 'veln' in n))"
    done = image.run(python, "-X", "dev", "-W", "error", "-c", code)
    assert (done.stdout.strip(), done.stderr) == ("['veln_hook']", ""), done


def test_enabling_again_changes_nothing(image: Image) -> None:
    before = image.rootfs.changed()
    assert image.hook("enable", "--image").returncode == 0
    assert image.rootfs.changed().keys() == before.keys()


@pytest.mark.parametrize(
    "gone", ["/opt/veln-hook", "/opt/veln-hook/hook/veln_hook/guard", "/opt/veln-hook/hook/carried"]
)
def test_where_it_is_damaged_python_starts_and_pip_refuses(image: Image, python: str, gone: str) -> None:
    image.run("mv", gone, "/tmp/gone")
    try:
        started = image.run(python, "-W", "error", "-c", "import json")
        assert (started.returncode, started.out) == (0, ""), started
        refused = image.run(python, "-m", "pip", "install", "--target", "/tmp/t", "demo==1.0")
        assert refused.returncode == 78, refused
        assert refused.stderr.count("\n") == 1, refused
        assert "Repair: veln-hook enable --image, as root\n" in refused.stderr
    finally:
        image.run("mv", "/tmp/gone", gone)
    image.holds(python)


def test_disabling_leaves_the_tree_as_it_was(made: Image) -> None:
    made.hook("disable", "--image")
    made.run("find", "/", "-xdev", "-name", "__pycache__", "-newer", "/etc/hostname")
    before = made.rootfs.changed()
    for _ in range(2):
        assert made.hook("enable", "--image").returncode == 0
    for version in PYTHONS:
        if find_python(version):
            made.run(str(find_python(version)), "-c", "pass")
    assert made.rootfs.changed() != before
    done = made.hook("disable", "--image")
    assert done.returncode == 0, done
    after = made.rootfs.changed()
    assert {path: what for path, what in after.items() if before.get(path) != what} == {}
    assert not set(before) - set(after)
    again = made.hook("disable", "--image")
    assert (again.returncode, "nothing was switched on" in again.out) == (0, True), again
