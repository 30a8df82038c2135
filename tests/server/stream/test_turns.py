"""Sharing the render thread, on a clock that the test sets."""

from sharp_xr.stream.turns import FORGET_S, Turns


def test_everybody_who_draws_has_the_same_share() -> None:
    turns = Turns()
    assert turns.sharers("a", 0.0) == 1
    assert turns.sharers("b", 0.1) == 2
    assert turns.sharers("a", 0.2) == 2


def test_who_has_stopped_leaves_its_share_to_the_others() -> None:
    turns = Turns()
    turns.sharers("a", 0.0)
    assert turns.sharers("b", FORGET_S - 0.01) == 2
    assert turns.sharers("b", FORGET_S) == 1
    assert turns.sharers("a", FORGET_S + 0.1) == 2
