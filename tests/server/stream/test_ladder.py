"""The rules of a ladder, on a clock that is a number."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from sharp_xr.stream.ladder import (
    DOWN_S,
    HELD_S,
    MOST_VAIN_S,
    MOST_WAIT_S,
    PROOF_S,
    UP_S,
    VAIN_S,
    Ladder,
)

LOOK_S = 0.25


class Watched:
    """A ladder that is looked at four times a second."""

    def __init__(self, rung: int = 0) -> None:
        self.ladder = Ladder(rung)
        self.now_s = 50.0
        self.ladder.look([0.5] * 5, self.now_s)

    def look(self, costs: Sequence[float], seconds: float) -> list[int]:
        """The rungs that it stood on, one of each look."""
        rungs = []
        for _ in range(round(seconds / LOOK_S)):
            self.now_s += LOOK_S
            rungs.append(self.ladder.look(costs, self.now_s))
        return rungs

    def seconds_until_up(self, costs: Sequence[float]) -> float:
        began_s, rung = self.now_s, self.ladder.rung
        while self.ladder.rung >= rung:
            self.look(costs, LOOK_S)
            assert self.now_s < began_s + 1000
        return self.now_s - began_s


def test_it_goes_down_after_a_second_of_want_to_the_finest_rung_that_should_do() -> None:
    watched = Watched()
    assert set(watched.look([1.2, 1.1, 0.95, 0.85, 0.3], DOWN_S - LOOK_S)) == {0}
    assert watched.look([1.2, 1.1, 0.95, 0.85, 0.3], LOOK_S) == [3]


def test_where_nothing_would_do_it_goes_to_the_cheapest_and_stays() -> None:
    watched = Watched()
    assert watched.look([9, 8, 7, 6, 5], 20.0)[-1] == 4
    assert set(watched.look([9, 8, 7, 6, 5], 20.0)) == {4}


def test_it_goes_up_after_seconds_of_room_to_the_finest_rung_that_should_do() -> None:
    watched = Watched(4)
    assert watched.seconds_until_up([1.5, 0.7, 0.5, 0.4, 0.3]) == UP_S
    assert watched.ladder.rung == 1


def test_between_wanting_and_leaving_it_stays() -> None:
    watched = Watched(2)
    assert set(watched.look([1.4, 0.85, 0.99, 0.5, 0.4], 500.0)) == {2}


@pytest.mark.parametrize("bad", [2, 3, 5])
def test_bad_looks_that_are_not_most_move_nothing(bad: int) -> None:
    """One in ``bad``; then what is finer is not tried either, though it would do mostly."""
    watched = Watched(1)
    for number in range(4000):
        cost = 3.0 if number % bad == 0 else 0.5
        watched.look([1.3 * cost, cost, 0.6 * cost], LOOK_S)
    assert watched.ladder.rung == 1


def test_a_rare_bad_look_does_not_keep_it_from_going_up() -> None:
    watched = Watched(1)
    for number in range(30):
        watched.look([3.0, 3.0] if number % 15 == 7 else [0.5, 0.4], LOOK_S)
    assert watched.ladder.rung == 0


def test_what_could_not_be_held_is_tried_ever_more_seldom() -> None:
    watched, waits = Watched(1), []
    for _ in range(8):
        waits.append(watched.seconds_until_up([0.5, 0.4]))
        watched.look([2.0, 0.4], DOWN_S)
        assert watched.ladder.rung == 1
    assert waits == [3.0, 6.0, 12.0, 24.0, 30.0, 30.0, 30.0, 30.0]
    assert waits[-1] == MOST_WAIT_S


def test_what_could_be_held_makes_it_bolder_again() -> None:
    watched = Watched(1)
    for _ in range(4):
        watched.seconds_until_up([0.5, 0.4])
        watched.look([2.0, 0.4], DOWN_S)
    waits = []
    for _ in range(5):
        waits.append(watched.seconds_until_up([0.5, 0.4]))
        watched.look([0.5, 0.4], HELD_S + 1.0)
        watched.look([2.0, 0.4], DOWN_S)
    assert waits == [30.0, 15.0, 7.5, 3.75, 3.0]


def test_what_going_down_does_not_buy_is_taken_back_and_left_alone_for_a_while() -> None:
    """The cost is the same on every rung, whatever was expected."""
    watched = Watched()
    rungs = [
        watched.look([2.0, 0.9] if watched.ladder.rung == 0 else [4.0, 2.0], LOOK_S)[0]
        for _ in range(1200)
    ]
    downs = [i * LOOK_S for i, (a, b) in enumerate(pairwise(rungs)) if a < b]
    assert rungs.count(1) * LOOK_S <= PROOF_S * len(downs)
    waits = [after - before - PROOF_S - DOWN_S for before, after in pairwise(downs)]
    assert waits[:4] == pytest.approx([VAIN_S, 2 * VAIN_S, MOST_VAIN_S, MOST_VAIN_S], abs=LOOK_S)


def test_what_buys_half_of_what_was_expected_is_kept() -> None:
    watched = Watched()
    watched.look([2.0, 0.8], DOWN_S)
    assert set(watched.look([4.0, 1.3], 60.0)) == {1}


def test_a_want_that_ends_by_itself_is_no_proof_against_going_down() -> None:
    watched = Watched()
    watched.look([1.2, 0.8], DOWN_S)
    assert set(watched.look([1.1, 0.95], 60.0)) == {1}


def test_a_pause_speaks_neither_for_nor_against() -> None:
    for rung, costs in ((0, [2.0, 0.1]), (1, [0.1, 0.1])):
        watched = Watched(rung)
        watched.now_s += 3600.0
        assert watched.look(costs, LOOK_S) == [rung]


def test_a_shorter_ladder_is_entered_at_its_end() -> None:
    assert Ladder(7).look([0.9, 0.9], 1.0) == 1
