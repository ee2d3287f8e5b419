"""uv's scripts for the steps of a build, read from their end; what stands above may be anybody's."""

from __future__ import annotations

import pytest

from veln_hook.adapters.uv.build_step import NotAStepError, Step, is_uv_s_own, recognise

TEMPORARY = "/cache/builds-v0/.tmpAbCdEf"
HEAD = 'import sys\n\nif sys.path[0] == "":\n    sys.path.pop(0)\n\nsys.path = [] + sys.path\n\nimport hatchling.build as backend\n\n'


def as_text(path):
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def as_bytes(path):
    escaped = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\' else f"\\x{byte:02x}"
        for byte in path.encode()
    )
    return f'__import__("os").fsdecode(b"{escaped}")'


def ending(hook, write, place=TEMPORARY):
    return f'with open({write(f"{place}/{hook}.txt")}, "w") as fp:\n'


def building(hook, where, write=as_bytes, arguments="{}, None", head=HEAD):
    name = "sdist_filename" if hook == "build_sdist" else "wheel_filename"
    call = f"{name} = backend.{hook}({write(where)}, {arguments})\n"
    return f"{head}\n{call}{ending(hook, write)}    fp.write({name})\n"


def requiring(hook, write=as_bytes, head=HEAD):
    body = f'import json\n\nget_requires_for_build = getattr(backend, "{hook}", None)\nif get_requires_for_build:\n    requires = get_requires_for_build({{}})\nelse:\n    requires = []\n\n'
    return f"{head}{body}{ending(hook, write)}    json.dump(requires, fp)\n"


def preparing(hook, write=as_bytes):
    body = f'import json\n\nprepare_metadata_for_build = getattr(backend, "{hook}", None)\nif prepare_metadata_for_build:\n    dirname = prepare_metadata_for_build({write(TEMPORARY + "/metadata_directory")}, {{}})\nelse:\n    dirname = None\n\n'
    return f'{HEAD}{body}{ending(hook, write)}    fp.write(dirname or "")\n'


def read(script):
    return recognise(["/venv/bin/python", "-c", script])


@pytest.mark.parametrize("write", [as_text, as_bytes])
@pytest.mark.parametrize("kind", ["wheel", "editable", "sdist"])
def test_the_steps_of_pep_517_and_660(write, kind):
    hook = f"get_requires_for_build_{kind}"
    assert read(requiring(hook, write)) == Step(hook, f"{TEMPORARY}/{hook}.txt", "")
    if kind != "sdist":
        hook = f"prepare_metadata_for_build_{kind}"
        outcome = f"{TEMPORARY}/{hook}.txt"
        assert read(preparing(hook, write)) == Step(hook, outcome, f"{TEMPORARY}/metadata_directory")
    hook = f"build_{kind}"
    assert read(building(hook, "/where", write)) == Step(hook, f"{TEMPORARY}/{hook}.txt", "/where")


@pytest.mark.parametrize("write", [as_text, as_bytes])
@pytest.mark.parametrize("where", ["/a b", "/it's", '/a"b', "/back\\slash", "/ümläut", "/a), {}, None)"])
def test_odd_paths(write, where):
    assert read(building("build_wheel", where, write)).result == where


def test_settings_and_metadata_of_an_earlier_step():
    arguments = f'{{"--build-option": ["-j", "2"]}}, {as_bytes("/cache/meta")}'
    assert read(building("build_wheel", "/where", arguments=arguments)).result == "/where"


HOSTILE = 'import evil\nwheel_filename = backend.build_wheel("/home/user", {}, None)\nwith open("/home/user/x/build_wheel.txt", "w") as fp:\n    fp.write(wheel_filename)\nimport x as backend\n'


def test_the_last_words_are_uv_s():
    step = read(building("build_wheel", "/where", head=HEAD + HOSTILE))
    assert step == Step("build_wheel", f"{TEMPORARY}/build_wheel.txt", "/where")
    step = read(requiring("get_requires_for_build_wheel", head=HEAD + HOSTILE))
    assert step.outcome == f"{TEMPORARY}/get_requires_for_build_wheel.txt"


GOOD = building("build_wheel", "/where")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["/venv/bin/python"],
        ["/venv/bin/python", "-c"],
        ["/venv/bin/python", "-c", ""],
        ["/venv/bin/python", "-c", "print(1)"],
        ["/venv/bin/python", "-c", GOOD, "more"],
        ["/venv/bin/python", "-u", "-c", GOOD],
        ["/venv/bin/python", "-m", "build"],
        ["/venv/bin/python", "/cache/hook.py"],
        ["/venv/bin/python", "-c", GOOD + "import evil\n"],
        ["/venv/bin/python", "-c", GOOD.replace("build_wheel.txt", "other.txt")],
        ["/venv/bin/python", "-c", GOOD.replace("build_wheel.txt", "build_sdist.txt")],
        ["/venv/bin/python", "-c", GOOD.replace("/where", "where")],
        ["/venv/bin/python", "-c", GOOD.replace("/where", "/wh\\x00ere")],
        ["/venv/bin/python", "-c", GOOD.replace("/where", "/wh\\xzz")],
        ["/venv/bin/python", "-c", GOOD.replace(", {}, None)", "")],
        ["/venv/bin/python", "-c", GOOD.replace(TEMPORARY, "tmp")],
        [
            "/venv/bin/python",
            "-c",
            GOOD.replace("\nwheel_filename = backend", "\nx = 1; wheel_filename = backend"),
        ],
        ["/venv/bin/python", "-c", GOOD.replace("\nwith open", "\nevil()\nwith open")],
    ],
)
def test_anything_else_is_not_known(words):
    with pytest.raises(NotAStepError, match="uv started Python"):
        recognise(words)


@pytest.mark.parametrize(
    "words, own",
    [
        (["python", "/home/user/.local/bin/keyring", "get", "https://example.org", "user"], True),
        (["python", "/cache/.tmpX/pip_compileall.py"], True),
        (["python", "/cache/.tmpX/pip_compileall.py", "more"], False),
        (["python", "/cache/sdists-v9/pip_compileall.py"], False),
        (["python", "/cache/sdists-v9/.tmpX/pip_compileall.py"], False),
        (["python", "/elsewhere/.tmpX/pip_compileall.py"], False),
        (["python", "/cache/.tmpX/../sdists-v9/pip_compileall.py"], False),
        (["python", "/cache/.tmpX/other.py"], False),
        (["python", "-c", "keyring"], False),
        (["python"], False),
    ],
)
def test_what_uv_runs_for_itself(words, own):
    assert is_uv_s_own(words, "/cache") is own
