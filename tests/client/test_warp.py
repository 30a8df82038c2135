"""The plain warp against pictures that are known exactly from everywhere."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation  # type: ignore[import-untyped]
from tests.client.flats import Flat, Paint, frame, plain, seen, waves

from sharp_xr_client.warp import EyeImage, uncovered_share, warp
from sharp_xr_protocol.geometry import Fov, Pose, Vector3, from_rotation_vector

FOV = Fov.symmetric(math.radians(70), math.radians(66))
OFF_CENTRE = Fov(-0.9, 0.5, 0.45, -0.8)
STILL = Pose()
SIZE = (256, 240)


def moved(position: Vector3, degrees: Vector3 = (0.0, 0.0, 0.0)) -> Pose:
    x, y, z = (math.radians(angle) for angle in degrees)
    return Pose(position, from_rotation_vector((x, y, z)))


MOVES = [
    moved((0.05, 0.0, 0.0), (0.0, 5.0, 0.0)),
    moved((-0.05, 0.0, 0.0), (0.0, 3.0, 4.0)),
    moved((0.0, 0.05, 0.0), (-5.0, 0.0, 0.0)),
    moved((0.02, -0.02, -0.04), (3.0, -4.0, 0.0)),
    moved((0.0, 0.0, 0.05), (0.0, 0.0, 5.0)),
]
INNER = (slice(48, -48), slice(48, -48))
"""Pixels that the frame saw, wherever 5 cm and 5 degrees lead."""


def error(shown: NDArray[np.uint8], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each pixel, the worst of its colours, 0 to 255."""
    worst: NDArray[np.float64] = np.abs(shown - true).max(-1)
    return worst


def is_red(picture: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where the near thing of a picture is, which is all red on what has none."""
    found: NDArray[np.bool_] = picture[..., 0] - picture[..., 1] > 64
    return found


def near(mask: NDArray[np.bool_], pixels: int = 3) -> NDArray[np.bool_]:
    """What is true, and what lies so near to it."""
    found: NDArray[np.bool_] = binary_dilation(mask, np.ones((3, 3)), pixels)
    return found


def blue_wall(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """No red in it, never black, and another at each place."""
    return np.stack([np.full_like(x, 20.0), 120 + 60 * np.sin(6 * x), 160 + 60 * np.cos(5 * y)], -1)


RED: Paint = plain(230.0, 20.0, 20.0)
WALL = Flat(2.0, blue_wall)


def test_from_where_it_was_drawn_a_frame_is_what_it_is() -> None:
    image = frame([Flat(0.8, waves)], STILL, FOV)
    assert np.abs(warp(image, STILL, FOV, *SIZE).astype(int) - image.colour).max() <= 1


@pytest.mark.parametrize("pose", MOVES)
@pytest.mark.parametrize("distance", [0.55, 1.3, 20.0])
def test_a_plane_is_where_it_is_from_everywhere(pose: Pose, distance: float) -> None:
    plane = [Flat(distance, lambda x, y: waves(x / distance, y / distance))]
    shown = warp(frame(plane, STILL, FOV), pose, FOV, *SIZE)
    true, _ = seen(plane, pose, FOV, *SIZE)
    assert error(shown, true)[INNER].max() < 6  # a code is 1.3 pixels at the nearest plane


@pytest.mark.parametrize("pose", MOVES)
def test_a_slanted_surface_has_no_steps(pose: Pose) -> None:
    """Turning the head makes one of a flat wall; 60 degrees of it, half a metre to ten away."""
    plane = [Flat(0.6, waves)]
    turned = moved((0.0, 0.0, 0.0), (0.0, 40.0, 0.0))
    shown = warp(frame(plane, turned, FOV), turned @ pose, FOV, *SIZE)
    true, _ = seen(plane, turned @ pose, FOV, *SIZE)
    assert np.percentile(error(shown, true)[INNER], 99) < 10
    assert error(shown, true)[INNER].mean() < 2


def two_planes() -> list[Flat]:
    return [WALL, Flat(0.6, RED, x=(-0.12, 0.1), y=(-0.1, 0.13))]


@pytest.mark.parametrize("pose", MOVES)
def test_what_a_near_thing_hid_is_filled_from_the_farther_side(pose: Pose) -> None:
    shown = warp(frame(two_planes(), STILL, FOV), pose, FOV, *SIZE)
    true, _ = seen(two_planes(), pose, FOV, *SIZE)
    wall = ~near(is_red(true))  # a pixel of it goes with the near thing's outline
    assert not (is_red(shown.astype(float)) & wall)[INNER].any(), "an echo of the near thing"
    wrong = error(shown, true)[INNER][wall[INNER]]
    assert wrong.mean() < 2  # the hole is filled with the wall beside it, which is much like it
    assert np.percentile(wrong, 99) < 30
    assert shown[INNER].max(-1).min() > 60, "a black crack"


@pytest.mark.parametrize("pose", MOVES)
def test_the_near_thing_keeps_its_shape(pose: Pose) -> None:
    shown = is_red(warp(frame(two_planes(), STILL, FOV), pose, FOV, *SIZE).astype(float))
    true = is_red(seen(two_planes(), pose, FOV, *SIZE)[0])
    columns = slice(None), slice(None)
    for axis in (0, 1):
        ours, wanted = (np.flatnonzero(mask[columns].any(axis)) for mask in (shown, true))
        assert np.abs([ours[0] - wanted[0], ours[-1] - wanted[-1]]).max() <= 3
        assert len(ours) == ours[-1] - ours[0] + 1, "torn"


@pytest.mark.parametrize("pose", [MOVES[0], MOVES[1], MOVES[3]])
def test_a_thin_post_stays_thin_and_the_wall_is_on_both_sides(pose: Pose) -> None:
    post = [WALL, Flat(0.6, RED, x=(-0.008, 0.008))]
    shown = warp(frame(post, STILL, FOV), pose, FOV, *SIZE).astype(float)
    true, _ = seen(post, pose, FOV, *SIZE)
    rows = range(*INNER[0].indices(SIZE[1]))
    widths = [(is_red(shown)[row].sum(), is_red(true)[row].sum()) for row in rows]
    assert min(ours for ours, _ in widths) > 0, "the post is gone somewhere"
    assert max(abs(ours - wanted) for ours, wanted in widths) <= 3
    places = [np.flatnonzero(is_red(picture)[120]).mean() for picture in (shown, true)]
    assert abs(places[0] - places[1]) <= 1.5
    wall = ~near(is_red(true))
    assert not (is_red(shown) & wall)[INNER].any(), "an echo of the post"
    assert error(shown, true)[INNER][wall[INNER]].mean() < 3


@pytest.mark.parametrize("size", [128, 192])
@pytest.mark.parametrize("sideways", [0.1, 0.2])
def test_a_small_picture_shows_a_near_thing_whole(size: int, sideways: float) -> None:
    """Its steps are few and long: an edge and what lies beyond it are met in one."""
    fov = Fov.symmetric(math.radians(80), math.radians(80))
    for at in np.linspace(0.0, 0.05, 11):  # its edge stands between texels in any way
        flats = [Flat(4.0, blue_wall), Flat(1.0, RED, x=(at - 0.06, at + 0.06), y=(0.0, 0.12))]
        pose = moved((sideways, 0.0, 0.0))
        shown = is_red(
            warp(frame(flats, STILL, fov, size, size), pose, fov, size, size).astype(float)
        )
        true = is_red(seen(flats, pose, fov, size, size)[0])
        assert not (true & ~near(~true, 1) & ~shown).any(), "a stripe of the wall"


@pytest.mark.parametrize("pose", MOVES)
def test_without_depth_only_the_turn_is_undone(pose: Pose) -> None:
    far = [Flat(1e5, lambda x, y: waves(x / 1e5, y / 1e5))]
    image = frame(far, STILL, FOV)
    true, _ = seen(far, pose, FOV, *SIZE)
    for bare in (
        EyeImage(image.colour, None, 0.5, STILL, FOV),
        EyeImage(image.colour, image.codes, 0.0, STILL, FOV),
    ):
        shown = warp(bare, pose, FOV, *SIZE)
        assert error(shown, true)[INNER].max() < 4
        elsewhere = Pose((3.0, -2.0, 1.0), pose.orientation)
        assert (warp(bare, elsewhere, FOV, *SIZE) == shown).all()


@pytest.mark.parametrize("pose", MOVES)
def test_fields_of_view_may_be_off_centre_and_differ(pose: Pose) -> None:
    wide = Fov(-1.1, 0.75, 0.7, -1.0)
    plane = [Flat(0.9, waves)]
    shown = warp(frame(plane, STILL, wide), pose, OFF_CENTRE, 200, 180)
    true, _ = seen(plane, pose, OFF_CENTRE, 200, 180)
    assert uncovered_share(frame(plane, STILL, wide), pose, OFF_CENTRE) == 0.0
    assert error(shown, true).mean() < 2
    assert np.percentile(error(shown, true), 99.5) < 12


def test_an_empty_frame_stays_empty() -> None:
    nothing = frame([], STILL, FOV)
    for pose in MOVES:
        assert (warp(nothing, pose, FOV, *SIZE) == 0).all()


def test_a_frame_of_one_texel_is_shown() -> None:
    image = EyeImage(np.full((1, 1, 3), 77, np.uint8), np.ones((1, 1), np.float32), 0.5, STILL, FOV)
    assert (warp(image, MOVES[0], FOV, 5, 3) == 77).all()


@pytest.mark.parametrize(
    "pose",
    [
        moved((0.0, 0.0, 0.0), (0.0, 180.0, 0.0)),
        moved((0.0, 0.0, -3.0)),  # through the wall
        moved((0.0, 0.0, -0.6)),  # onto the near thing
        moved((0.3, 0.0, 0.0), (0.0, 90.0, 0.0)),
    ],
)
def test_from_behind_what_was_drawn_something_is_shown_and_nothing_fails(pose: Pose) -> None:
    with np.errstate(all="raise"):
        shown = warp(frame(two_planes(), STILL, FOV), pose, FOV, 64, 60)
    assert shown.shape == (60, 64, 3)
    assert shown.max(-1).min() > 0


def test_what_the_frame_did_not_see_is_counted() -> None:
    image = frame([WALL], STILL, Fov.symmetric(2 * math.atan(1.0), 2 * math.atan(1.0)))
    narrow = Fov.symmetric(2 * math.atan(0.5), 2 * math.atan(0.5))
    wide = Fov.symmetric(2 * math.atan(2.0), 2 * math.atan(1.0))
    assert uncovered_share(image, STILL, narrow) == 0.0
    assert uncovered_share(image, STILL, wide) == 0.5
    assert uncovered_share(image, moved((9.0, 0.0, 0.0)), narrow) == 0.0  # of what is far away
    assert uncovered_share(image, moved((0.0, 0.0, 0.0), (0.0, 180.0, 0.0)), narrow) == 1.0
