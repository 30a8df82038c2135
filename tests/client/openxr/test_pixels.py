"""What the compositor of a simulated headset shows: the scene, where the head says."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scripts.openxr.gaze import STANDING, WRONG_POSE, Gaze
from scripts.openxr.monado import Monado
from scripts.openxr.stand import Stand
from scripts.openxr.wearer import Wearer

from sharp_xr_protocol.geometry import Pose, from_rotation_vector

pytestmark = [pytest.mark.monado, pytest.mark.slow, pytest.mark.timeout(240)]

Look = Callable[..., Gaze]

TURNED_LEFT = Pose((0.0, 0.0, 0.0), from_rotation_vector((0.0, math.radians(10), 0.0)))
FULL = ("--quality", "full")
"""Pixels are compared: of the size that they are wanted in."""
ASIDE = Pose((0.1, 0.0, 0.0))
RIGHT_PX = 1.5
"""A dot that is off by less is in its place."""


@pytest.fixture
def look(
    seen_monado: Monado, stand: Stand, wear: Callable[..., Wearer]
) -> Iterator[Callable[..., Gaze]]:
    """``look(*arguments)``: a client that shows all in its place; it must leave well afterwards."""
    clients: list[Wearer] = []

    def start(*arguments: str, code: str | None = None) -> Gaze:
        clients.append(wear(seen_monado, *FULL, *arguments, code=code))
        gaze = Gaze(seen_monado, stand, clients[-1])
        assert max(gaze.begin()) < RIGHT_PX
        return gaze

    yield start
    for client in clients:
        assert client.leave()[0] == 0, client.said()


def test_a_turn_moves_a_frozen_picture_as_it_must(look: Look) -> None:
    gaze = look()
    gaze.freeze()
    assert max(gaze.move(TURNED_LEFT)) < RIGHT_PX


def test_a_picture_that_is_said_to_be_of_another_pose_is_seen_to_be_wrong(look: Look) -> None:
    gaze = look(code=WRONG_POSE)  # who stands still does not see the mistake
    gaze.freeze()
    assert max(gaze.move(TURNED_LEFT)) > 20


def test_a_step_aside_moves_near_things_more_than_far_ones(look: Look) -> None:
    gaze = look()
    gaze.freeze()
    *far, left_near, right_near = gaze.move(ASIDE)
    # The near dot has moved by 26 px, the far ones by 7. The far side of the near one is
    # smeared a little where nothing behind it was seen, which pulls its centre.
    assert max(far) < RIGHT_PX
    assert max(left_near, right_near) < 3.0


def test_what_streams_on_is_in_its_place_after_a_step(look: Look) -> None:
    assert max(look().move(ASIDE @ TURNED_LEFT)) < RIGHT_PX


def test_far_from_the_photos_camera_or_where_much_is_empty_a_still_vignette_is_seen(
    look: Look, seen_monado: Monado, stand: Stand
) -> None:
    def is_vignette() -> bool:
        pixels = seen_monado.pixels()
        # Dark, not black.
        return bool((np.ptp(pixels, axis=(0, 1)) < 4).all()) and 10 < pixels.mean() < 40

    gaze = look()
    seen_monado.move(STANDING @ Pose((0.0, 0.0, 1.5)))
    gaze.until(is_vignette, "a vignette, far away")
    seen_monado.move(STANDING)
    gaze.until(lambda: max(gaze.look()) < RIGHT_PX, "the scene")
    stand.dots.is_torn = True
    seen_monado.move(STANDING @ Pose((0.01, 0.0, 0.0)))
    gaze.until(is_vignette, "a vignette, where much is empty")
    stand.dots.is_torn = False
    seen_monado.move(STANDING)
    gaze.until(lambda: max(gaze.look()) < RIGHT_PX, "the scene again")


def test_the_panel_of_figures_is_seen_where_it_is_wished_and_the_world_around_it(
    look: Look, seen_monado: Monado
) -> None:
    look("--panel")
    # A metre ahead and 0.42 m below, 0.4 m wide: in the left eye's picture.
    panel = seen_monado.pixels()[365:405, 200:290]
    dark, ink = (panel.max(-1) < 40).mean(), (panel.min(-1) > 120).mean()
    assert dark > 0.6 and 0.02 < ink < 0.4, (dark, ink)
