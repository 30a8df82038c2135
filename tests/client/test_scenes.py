"""Which scene comes next."""

import pytest

from sharp_xr_client.scenes import neighbour
from sharp_xr_protocol.geometry import Fov
from sharp_xr_protocol.messages import Scene


def scene(name: str) -> Scene:
    return Scene(name, name, 0.0, 1, "test", Fov.symmetric(1.0, 1.0), 2.0)


GALLERY = [scene(name) for name in "abc"]


@pytest.mark.parametrize(
    ("shown", "step", "found"),
    [("a", 1, "b"), ("c", 1, "a"), ("a", -1, "c"), ("gone", 1, "a"), ("b", 5, "a")],
)
def test_the_gallery_goes_around(shown: str, step: int, found: str) -> None:
    assert neighbour(GALLERY, scene(shown), step) == scene(found)


def test_there_may_be_no_other() -> None:
    assert neighbour([], None, 1) is None
    assert neighbour([], scene("a"), 1) is None
    assert neighbour(GALLERY[:1], scene("a"), 1) is None
    assert neighbour(GALLERY, None, 1) == scene("a")
