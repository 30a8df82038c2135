"""Small words as pixels."""

from itertools import combinations

import pytest

pytest.importorskip("OpenGL", reason="the headset's parts are not installed")

from sharp_xr_client.openxr.lettering import DOTS, HEIGHT, WIDTH, lettered  # noqa: E402


def test_a_letter_looks_like_itself() -> None:
    rows = ["".join("#" if dot else "." for dot in row) for row in lettered(["L7"], 2)]
    assert rows == [
        "............",
        "#.....#####.",
        "#.........#.",
        "#........#..",
        "#.......#...",
        "#......#....",
        "#......#....",
        "#####..#....",
        "............",
        "............",
    ]


def test_no_two_letters_look_alike() -> None:
    assert all(a != b for a, b in combinations(DOTS.values(), 2))


def test_long_lines_are_cut_small_letters_grow_and_strange_ones_are_blank() -> None:
    assert lettered(["abc", ""], 2).shape == (2 * HEIGHT, 2 * WIDTH)
    assert (lettered(["ab"], 2) == lettered(["ABC"], 2)).all()
    assert not lettered(["\u00e9\u4e16"], 2).any()
