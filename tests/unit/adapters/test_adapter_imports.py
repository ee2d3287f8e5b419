"""pip 26.3 forbids every first import once installing starts: a whole decision must need none."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from support import cache
from support.builders import make_wheel
from support.pythons import PYTHONS, find_python

SRC = Path(__file__).parents[3] / "src"

DECISION = r"""
import sys
import veln_hook.adapters.pip.preload

ready = False
def forbid(event, arguments):
    if ready and event == "import":
        raise RuntimeError(f"{arguments[0]} was imported while pip installs")
sys.addaudithook(forbid)
ready = True

# pip's own blocker stands for every thread and to the end of the process; so does ours.
from_parts = sys.modules
clock = from_parts["veln_hook.clock"]
model = from_parts["veln_hook.model"]
timedelta = from_parts["datetime"].timedelta
os = from_parts["os"]
loading, opening = from_parts["veln_hook.policy.loading"], from_parts["veln_hook.store"]
run = from_parts["veln_hook.adapters.pip.run"]
prepare, archive = from_parts["veln_hook.adapters.pip.prepare"], from_parts["veln_hook.archive"]
index, wording = from_parts["veln_hook.index"], from_parts["veln_hook.report.wording"]
Guard = from_parts["veln_hook.guard"].Guard

policy = loading.load_policy(environ=dict(os.environ))
store = opening.open_store()
made = run.Run("pip._internal.", policy=policy, store=store)
previous = from_parts["veln_hook.adapters.pip.previous"]
guard = made.the_guard = Guard(policy, store, baselines=previous.Previous(made), on_slow=made.tell_slow)

now = clock.now()
page = '{"files": [{"url": "%s", "hashes": {"sha256": "%s"}, "upload-time": "2026-01-01T00:00:00.123456789+02:00"}]}'
entries = index.parse_json_page((page % ("demo-1.0.tar.gz", "ab" * 32)).encode(), "https://x/simple/demo/")
time = entries["demo-1.0.tar.gz"].upload_time

def candidate(version, uploaded, **more):
    name = f"demo-{version}-py3-none-any.whl"
    fields = {"source": model.Source.INDEX, "index": "https://pypi.org/simple/", "sha256": "ab" * 32, **more}
    return model.Candidate("demo", version, name, "https://x/" + name, upload_time=uploaded, **fields)

asked = [candidate("1.0", time), candidate("2.0", now), candidate("3.0", None), candidate("4.0", now + timedelta(days=3)),
         candidate("5.0", None, source=model.Source.DIRECT_URL, index="")]
words = []
for _ in range(2):
    verdicts = guard.check_candidates(asked)
    words += [v.decision.word for v in verdicts]
    guard.observe([v.subject for v in verdicts])
    guard.log(verdicts, stage="candidate")
    for verdict in verdicts:
        wording.tell(verdict, instead="1.0")
for path in sys.argv[1:]:
    subject = archive.describe_archive(path, origin=model.Origin.FETCHED, candidate=candidate("1.0", time))
    guard.read_ahead(subject.path, subject.sha256)
    verdict = guard.check_archive(subject)
    words.append(verdict.decision.word)
    made.archives[os.path.realpath(path)] = (0,), verdict
    prepare.assert_judged(made, path)
    stop = made.refuse([verdict], note="x")
    str(stop), made.exit_status()
guard.check_archive(archive.describe_tree("."))
store.log(limit=3), store.info()
made.close()
sys.stdout.write(" ".join(words) + "\n")
"""  # fmt: skip


@pytest.fixture(params=PYTHONS)
def interpreter(request, tmp_path):
    """Each Python of this machine, with our dependencies for it beside the source tree."""
    python = find_python(request.param)
    if python is None:
        pytest.skip(f"Python {request.param} was not found on this machine")
    beside = tmp_path / "beside"
    for wheel in cache.dependency_wheels(request.param):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(beside)

    def run(code, *arguments):
        environ = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path / "home"),
            "PYTHONPATH": f"{SRC}:{beside}",
            "LC_ALL": "C.UTF-8",
            "VELN_HOOK_COOLING_MIN_AGE": "2h",
        }
        return subprocess.run(
            [python, "-s", "-W", "error", "-c", code, *map(str, arguments)],
            env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return run


def test_a_whole_decision_imports_nothing(interpreter, tmp_path):
    honest = make_wheel(tmp_path / "a", "demo", "1.0", entry_points="[console_scripts]\ndemo = demo:x\n")
    evil = make_wheel(tmp_path / "b", "demo", "1.0", {"pip/x.py": ""})
    odd = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(odd, "w") as archive:
        for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            name = zipfile.ZipInfo(f"p{method}.dist-info/entry_points.txt")
            name.compress_type = method
            archive.writestr(name, "[console_scripts]\nünï = m:f\n".encode("latin-1"))
    broken = tmp_path / "c" / "demo-1.0-py3-none-any.whl"
    broken.parent.mkdir()
    broken.write_text("no zip")
    done = interpreter(DECISION, honest, evil, odd, broken)
    assert done.returncode == 0, done.stderr
    once = ["allow", "hold", "hold", "hold", "hold"]
    # The bytes differ from the promised ones each time, which is a change of the file's hash.
    assert done.stdout.split() == [*once, *once, "block", "block", "block", "block"]
    assert done.stderr == ""


def test_the_audit_would_see_an_import(interpreter):
    done = interpreter(DECISION.replace("now = clock.now()", "now = clock.now(); import wave"))
    assert done.returncode == 1
    assert "wave was imported while pip installs" in done.stderr


def test_loading_everything_warns_of_nothing(interpreter):
    done = interpreter("import veln_hook.adapters.pip.preload, veln_hook.adapters.pip.points")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
