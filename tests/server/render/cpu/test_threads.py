"""The crew: who works, where, and what becomes of errors."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from sharp_xr.render.cpu import threads
from sharp_xr.render.cpu.threads import Crew


def test_all_of_the_crew_work_at_a_time_and_the_caller_is_one_of_them() -> None:
    together, seen = threading.Barrier(3, timeout=30), []

    def work() -> None:
        together.wait()
        seen.append(threading.current_thread())

    Crew(3).spread(work)
    assert len(set(seen)) == 3
    assert threading.current_thread() in seen


def test_one_thread_has_no_helpers() -> None:
    seen: list[threading.Thread] = []
    Crew(1).spread(lambda: seen.append(threading.current_thread()))
    assert seen == [threading.current_thread()]


def test_an_error_of_a_helper_is_the_caller_s() -> None:
    caller, begun = threading.current_thread(), threading.Event()

    def work() -> None:
        if threading.current_thread() is caller:
            assert begun.wait(30)
        else:
            begun.set()
            raise ArithmeticError("a helper's")

    with pytest.raises(ArithmeticError, match="a helper's"):
        Crew(2).spread(work)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_helpers_are_woken_elsewhere_and_may_go_anywhere_once_they_are_awake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usable = os.sched_getaffinity(0)
    here = min(usable)
    monkeypatch.setattr(threads, "_this_processor", lambda: here)
    set_to: list[tuple[int, set[int]]] = []
    moved = os.sched_setaffinity

    def noted(who: int, where: set[int]) -> None:
        set_to.append((who, where))
        moved(who, where)

    monkeypatch.setattr(os, "sched_setaffinity", noted)
    crew = Crew(2)
    helpers: list[tuple[int, set[int]]] = []

    def frame() -> None:
        together = threading.Barrier(2, timeout=30)

        def work() -> None:
            together.wait()
            if threading.current_thread() is not caller:
                helpers.append((threading.get_native_id(), os.sched_getaffinity(0)))

        crew.spread(work)

    caller = threading.current_thread()
    frame()
    set_to.clear()
    frame()
    assert [where for _, where in helpers] == [usable, usable]
    if len(usable) > 1:
        assert set_to == [(helpers[0][0], usable - {here}), (0, usable)]
    assert os.sched_getaffinity(0) == usable


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such call")
def test_where_the_system_forbids_it_work_is_done_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbidden(who: int, where: set[int]) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    crew, seen = Crew(2), []
    for _ in range(2):
        together = threading.Barrier(2, timeout=30)
        crew.spread(lambda gate=together: seen.append(gate.wait()))  # type: ignore[misc]
    assert sorted(seen) == [0, 0, 1, 1]
