from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from veln_hook.errors import StoreError
from veln_hook.guard import Guard
from veln_hook.index_proxy.judges import ClosedError, Judges, NoGuardError
from veln_hook.policy.settings import Policy
from veln_hook.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path


def make(path: Path) -> Guard:
    return Guard(Policy(), SqliteStore(path / "store.sqlite3"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "private"
    path.mkdir(mode=0o700)
    return path


def test_each_thread_has_a_guard_of_its_own_and_closes_it(directory: Path) -> None:
    guards: set[Guard] = set()
    together = threading.Barrier(2)

    def question(guard: Guard) -> str:
        guards.add(guard)
        assert Judges.guard() is guard
        together.wait(30)
        return guard.store.machine_id()

    async def ask(judges: Judges) -> list[str]:
        return list(await asyncio.gather(judges.examine(question), judges.examine(question)))

    with Judges(lambda: make(directory), 2) as judges:
        one, other = asyncio.run(ask(judges))
    assert one == other
    assert len(guards) == 2
    for guard in guards:
        with pytest.raises(StoreError):
            guard.store.info()
    assert Judges.guard() is None


def test_a_quick_question_does_not_wait_for_a_slow_one(directory: Path) -> None:
    go_on = threading.Event()

    async def ask(judges: Judges) -> bool:
        slow = asyncio.ensure_future(judges.examine(lambda _: go_on.wait(30)))
        await judges.ask(lambda _: go_on.set())
        return await slow

    with Judges(lambda: make(directory), 1) as judges:
        assert asyncio.run(ask(judges))


def test_threads_are_used_again(directory: Path) -> None:
    with Judges(lambda: make(directory), 4) as judges:
        assert len({judges.run(lambda _: threading.get_ident()) for _ in range(10)}) == 1


def test_what_a_question_raises_is_its_answer(directory: Path) -> None:
    with Judges(lambda: make(directory)) as judges:
        with pytest.raises(ZeroDivisionError):
            judges.run(lambda _: 1 // 0)
        assert judges.run(lambda _: 1) == 1


def test_without_a_guard_nothing_is_judged_and_it_is_tried_again(directory: Path) -> None:
    failures: list[Exception] = [StoreError("locked"), KeyError("oops")]

    def failing() -> Guard:
        if failures:
            raise failures.pop(0)
        return make(directory)

    with Judges(failing) as judges:
        with pytest.raises(StoreError, match="locked"):
            judges.run(lambda _: 1)
        with pytest.raises(NoGuardError, match="oops"):
            judges.run(lambda _: 1)
        assert judges.run(lambda _: 1) == 1


def test_after_the_end_nothing_is_judged(directory: Path) -> None:
    judges = Judges(lambda: make(directory))
    judges.run(lambda _: 1)
    judges.close()
    judges.close()
    assert judges.closing
    with pytest.raises(ClosedError):
        judges.run(lambda _: 1)
