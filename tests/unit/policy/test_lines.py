from __future__ import annotations

import time

import pytest

from veln_hook.policy.lines import find_line, too_deep

TEXT = '''\
# [cooling]
top = 1
[cooling]  # a comment with min_age = 3
note = """
min_age = 1
[indexes]
"""
other = [
  "min_age = 4", # ]
  { x = 1 },
]
min_age = "2h"
projects.litellm = "3 days"
"quoted\\u002dkey" = 1
[ decisions . high ]
low = "warn"
[[indexes]]
url = 'a'
[[indexes]]
url = "b = ["
min_age = "x"
[indexes.sub]
deep = 1
[signals]
inline = { enabled = true, severity = "low" }
'''


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (("top",), 2),
        (("cooling",), 3),
        (("cooling", "note"), 4),
        (("cooling", "other"), 8),
        (("cooling", "min_age"), 12),
        (("cooling", "projects", "litellm"), 13),
        (("cooling", "projects"), 13),
        (("cooling", "quoted-key"), 14),
        (("decisions", "high"), 15),
        (("decisions", "high", "low"), 16),
        (("indexes", 0), 17),
        (("indexes", 0, "url"), 18),
        (("indexes", 1, "url"), 20),
        (("indexes", 1, "min_age"), 21),
        (("indexes", 1, "sub", "deep"), 23),
        (("signals", "inline", "severity"), 25),
        (("cooling", "absent"), 3),
        (("nowhere",), None),
    ],
)
def test_find_line(parts, line):
    assert find_line(TEXT, parts) == line


def test_brackets_in_strings_and_comments_do_not_count():
    assert too_deep('a = "[[[["  # [[[[\nb = [[1]]\n', 2) is None
    assert too_deep("a = 1\nb = [[[\n", 2) == 2
    # closed in comments only: the parser would still go down
    assert too_deep("a = \n" + "[ # ]\n" * 200, 100) == 102


@pytest.mark.parametrize(
    "text", ['"""' + '\\"""' * 100_000, '"\\' * 200_000, "'''" * 100_001, "[" + "]" * 300_000]
)
def test_a_hostile_text_is_walked_in_linear_time(text):
    start = time.process_time()
    too_deep(text, 100)
    assert time.process_time() - start < 30  # seconds of this process; a quadratic walk takes many minutes
