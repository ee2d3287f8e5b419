"""What names may come to across files: all of it, in whatever order it is asked."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from support.code import reaches
from veln_hook.source import vocabulary as v
from veln_hook.source.graph import closed

RUNS = "import os\ndef send():\n    os.system('id')\n"


def _reached(own, edges, node):
    seen, waiting = {node}, [node]
    while waiting:
        new = set(edges[waiting.pop()]) - seen
        seen |= new
        waiting += new
    bits = 0
    for each in seen:
        bits |= own[each]
    return bits


@pytest.mark.parametrize("seed", range(40))
def test_everything_that_is_reached_counts(seed):
    dice = random.Random(seed)
    count = dice.randrange(1, 25)
    own = [1 << number if dice.random() < 0.5 else 0 for number in range(count)]
    edges = [[dice.randrange(count) for _ in range(dice.randrange(4))] for _ in range(count)]
    assert closed(own, edges).bits == [_reached(own, edges, node) for node in range(count)]


@pytest.mark.parametrize("seed", range(40))
def test_nodes_that_reach_each_other_are_one_component(seed):
    dice = random.Random(seed)
    count = dice.randrange(1, 25)
    edges = [[dice.randrange(count) for _ in range(dice.randrange(3))] for _ in range(count)]
    reached = [_reached([1 << number for number in range(count)], edges, node) for node in range(count)]
    components = closed([0] * count, edges).components
    for one in range(count):
        for other in range(count):
            each_other = reached[one] >> other & 1 and reached[other] >> one & 1
            assert (components[one] == components[other]) == bool(each_other)


def test_a_long_chain_needs_no_deep_recursion():
    count = 50_000
    edges = [[place + 1] for place in range(count - 1)] + [[]]
    assert set(closed([0] * (count - 1) + [1], edges).bits) == {1}


# Each file but the last two only imports, so that it is read because of where that leads.
STARS = {
    "acme/__init__.py": "from .a import *\n",
    "acme/a.py": "from .b import *\nfrom . import c\n",
    "acme/b.py": "from .a import *\nfrom .c import *\n",
    "acme/c.py": "from .b import *\nfrom .net import *\n",
    "acme/net.py": RUNS,
}


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("acme/x.py", "from . import *\nsend()\n"),
        ("acme/sub/x.py", "from .. import *\nsend()\n"),
        ("acme/sub/x.py", "from ..b import send as s\ns()\n"),
        ("acme/x.py", "from acme import a\na.c.send()\n"),
        ("acme/x.py", "from .y import *\nrun()\n"),
    ],
)
def test_packages_that_take_over_each_other_s_names(path, source):
    helper = {"acme/y.py": "from .b import send\ndef run():\n    send()\n"}
    assert reaches({**STARS, **helper, "acme/sub/__init__.py": "", path: source}, v.PROC) == {"id": "import"}


def test_names_that_grow_with_each_turn_end():
    files = {
        "acme/__init__.py": "from .a import x\nx.y()\n",
        "acme/a.py": "from .b import x\nx = x.p\n",
        "acme/b.py": "from .a import x\nx = x.q\n",
        "acme/net.py": f"{RUNS}send()\n",
    }
    assert reaches(files, v.PROC) == {"id": "import"}


def test_the_order_of_sets_is_of_no_account():
    """A release must not pass today and be held tomorrow: Python's hashes of strings differ from run to run."""
    code = "from test_source_meanings import STARS; from support.code import scan; print(scan({**STARS, 'acme/x.py': 'import acme.a as q, acme.b as r, acme.c as s; q.f(); r.g(); s.send(q, r)'}))"
    tests = Path(__file__).parents[2]
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={
                "PYTHONHASHSEED": str(seed),
                "PYTHONPATH": f"{tests.parent}/src:{tests}:{Path(__file__).parent}",
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(6)
    }
    assert len(said) == 1
