"""Others that run at Python's start work beside us, in both orders; where one hides us, that is known and told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from machine import TOOL

from support.cache import machine_environ
from support.pythons import find_python, newest_pair

if TYPE_CHECKING:
    from machine import Image

    from support.envs import Result

pytestmark = [pytest.mark.slow, pytest.mark.online]

PLACE = "/tmp/neighbours"
BOTH = (
    "import sys; m = sys.modules.get('veln_hook');"
    "print(m is not None and m in sys.meta_path, {name!r} in sys.modules)"
)
NAMES = (
    "coverage>=7.13",
    "setuptools",
    "virtualenv",
    "ddtrace",
    "opentelemetry-distro",
    "opentelemetry-instrumentation",
)


@pytest.fixture(scope="module")
def neighbours(image: Image) -> Image:
    """An environment with all of them, in an image; it has a line of ours of its own, too."""
    online = {name: value for name, value in machine_environ().items() if name.startswith(("PIP_", "SSL_"))}
    python = str(find_python(newest_pair().python))
    assert image.run(python, "-m", "venv", PLACE).returncode == 0
    done = image.rootfs.run(
        f"{PLACE}/bin/pip", "install", "--quiet", *NAMES, env={"PIP_INDEX_URL": "", **online}
    )
    if done.returncode != 0:
        pytest.skip(f"they can't be had here: {done.stderr.strip().splitlines()[-1:]}")
    return image


def both(image: Image, name: str, *words: str, **env: str) -> list[str]:
    result: Result = image.run(*(words or (f"{PLACE}/bin/python",)), "-c", BOTH.format(name=name), env=env)
    assert result.returncode == 0, result
    return result.stdout.split()[-2:]


def test_coverage_in_subprocesses(neighbours: Image) -> None:
    neighbours.run("sh", "-c", "printf '[run]\\nparallel = true\\n' > /tmp/coveragerc")
    assert both(neighbours, "coverage", COVERAGE_PROCESS_START="/tmp/coveragerc") == ["True", "True"]


def test_setuptools(neighbours: Image) -> None:
    assert both(neighbours, "_distutils_hack") == ["True", "True"]


def test_virtualenv(neighbours: Image) -> None:
    python = str(find_python(newest_pair().python))
    done = neighbours.run(
        f"{PLACE}/bin/virtualenv", "-q", "--no-download", "-p", python, "/tmp/of-virtualenv"
    )
    assert done.returncode == 0, done
    neighbours.holds("/tmp/of-virtualenv/bin/python")


def test_ddtrace(neighbours: Image) -> None:
    run = (f"{PLACE}/bin/ddtrace-run", f"{PLACE}/bin/python")
    assert both(neighbours, "ddtrace", *run, DD_TRACE_ENABLED="false") == ["True", "True"]


def test_opentelemetry(neighbours: Image) -> None:
    run = (f"{PLACE}/bin/opentelemetry-instrument", f"{PLACE}/bin/python")
    quiet = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    assert both(neighbours, "opentelemetry", *run, **quiet) == ["True", "True"]


@pytest.mark.parametrize("name", ["ddtrace/bootstrap", "opentelemetry/instrumentation/auto_instrumentation"])
def test_before_an_interpreter_s_own_it_chains_or_that_is_told(neighbours: Image, name: str) -> None:
    python = str(find_python(newest_pair().python))
    found = neighbours.run("sh", "-c", f"echo {PLACE}/lib/python3*/site-packages/{name}").stdout.strip()
    env = {
        "PYTHONPATH": f"{found}:{found.split('/site-packages/')[0]}/site-packages",
        "DD_TRACE_ENABLED": "false",
    }
    active, _ = both(neighbours, "sys", python, **env)
    chains = "ddtrace" in name
    assert active == str(chains)
    told = neighbours.run(f"{TOOL}/bin/veln-hook", "doctor", "--json", env=env)
    rows = [each for each in json.loads(told.stdout)["results"] if each["name"] == "coverage"]
    real = neighbours.run("readlink", "-f", python).stdout.strip()
    (plain,) = [each for each in rows if each["place"] == real and each["mode"] == "python"]
    assert plain["ok"] is chains, plain
