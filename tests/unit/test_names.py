from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from veln_hook.model import ArchiveKind
from veln_hook.names import SDIST_SUFFIXES, likeness, parse_filename

WHEEL, SDIST = ArchiveKind.WHEEL, ArchiveKind.SDIST


@pytest.mark.parametrize(
    ("filename", "parts"),
    [
        ("demo-1.0-py3-none-any.whl", ("demo", "1.0", WHEEL)),
        ("My_Demo.Pkg-1.0.0-1build-py2.py3-none-any.whl", ("my-demo-pkg", "1.0.0", WHEEL)),
        ("demo-1.0+local.1-cp313-cp313-manylinux_2_17_x86_64.whl", ("demo", "1.0+local.1", WHEEL)),
        ("demo-1.0_unfit-py3-none-any.whl", ("demo", "1.0_unfit", WHEEL)),
        ("demo.whl", ("", "", WHEEL)),
        ("demo-1.0.tar.gz", ("demo", "1.0", SDIST)),
        ("a-b-1.0.zip", ("a-b", "1.0", SDIST)),
        ("main.zip", ("", "", SDIST)),
        ("demo-1.0.tar", ("demo", "1.0", SDIST)),
        ("demo-1.0.exe", None),
        ("demo-1.0.WHL", None),
        ("", None),
    ],
)
def test_a_name_tells_project_version_and_kind(filename, parts):
    assert parse_filename(filename) == parts


@pytest.mark.parametrize("suffix", SDIST_SUFFIXES)
def test_every_ending_that_pip_unpacks_is_an_sdist(suffix):
    assert parse_filename(f"demo-2.0{suffix}") == ("demo", "2.0", SDIST)


@given(
    st.one_of(
        st.text(),
        st.builds(
            "{}{}".format, st.text(max_size=700), st.sampled_from((".whl", *SDIST_SUFFIXES, ".WHL", ""))
        ),
        st.builds("-".join, st.lists(st.text(max_size=12), min_size=4, max_size=7)).map(lambda s: f"{s}.whl"),
    )
)
@example("demo-" + "9" * 5000 + "-py3-none-any.whl")
@example("demo-" + "9" * 5000 + ".tar.gz")
@example("demo-1-" + "9" * 400 + "-py3-none-any.whl")
@example("\ud800-1.0-py3-none-any.whl")
@example("demo\x00-1.0.tar.gz")
@example("---- .whl")
def test_no_name_is_an_error(filename):
    named = parse_filename(filename)
    if named is not None:
        assert (named.kind is WHEEL) == filename.endswith(".whl")


def test_compressed_tags_do_not_multiply_without_bound():
    many = ".".join(
        f"py{n}" for n in range(3000)
    )  # 27,000,000,000 tags: multiplied out, this would never end
    assert parse_filename(f"demo-1.0-{many}-{many}-{many}.whl") == ("", "", WHEEL)


@pytest.mark.parametrize(
    "alike",
    [
        [
            "demo-2.0-cp311-cp311-manylinux1_x86_64.manylinux_2_28_x86_64.whl",
            "demo-1.0-cp311-cp311-manylinux1_x86_64.manylinux_2_28_x86_64.whl",
            "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "demo-1.0-cp39-abi3-manylinux_2_17_x86_64.whl",
            "demo-1.0-py3-none-any.whl",
            "demo-1.0.tar.gz",
        ],
        [
            "demo-2.0-py3-none-any.whl",
            "demo-1.0-py3-none-any.whl",
            "demo-1.0-cp39-abi3-win32.whl",
            "demo-1.0.zip",
        ],
        ["demo-2.0.tar.gz", "demo-1.0.zip", "demo-1.0-py3-none-any.whl", "demo-1.0-cp39-abi3-win32.whl"],
    ],
)
def test_a_file_is_compared_with_the_likest(alike):
    """Each list begins with a file and goes on with what it is less and less like."""
    grades = [likeness(each, alike[0]) for each in alike]
    assert grades == sorted(grades, reverse=True)
    assert grades[0] == (True, True, True, True)
    assert len(set(grades)) >= len(alike) - 1
