"""Camera paths."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from sharp_xr.render import View
from sharp_xr.render.trajectories import PhotoLens, TrajectoryName, look_at, trajectory

LENS = PhotoLens(400, 300, 250.0)
# Nearest 1 m (0.1 % quantile), a tenth of it nearer than 3 m; two points behind count for nothing.
DEPTHS = np.concatenate([np.full(100, 1.0), np.full(400, 3.0), np.full(500, 9.0), [-5.0, -1.0]])
MEANS = np.stack([np.zeros_like(DEPTHS), np.zeros_like(DEPTHS), DEPTHS], axis=1).astype(np.float32)
LATERAL = 0.08 * math.hypot(400 / 250, 300 / 250) * 1.0
MEDIAL = 0.15 * 1.0


def eyes(name: TrajectoryName, steps: int = 60) -> NDArray[np.float64]:
    """[steps, 3] where the cameras stand, photo axes."""
    views = trajectory(name, MEANS, LENS, steps=steps)
    return np.array([np.linalg.inv(view.camera_from_photo)[:3, 3] for view in views])


def seen_at(view: View, point: tuple[float, float, float]) -> tuple[float, float]:
    x, y, z = view.camera_from_photo[:3, :3] @ point + view.camera_from_photo[:3, 3]
    return (view.fx * x / z + view.cx, view.fy * y / z + view.cy)


@pytest.mark.parametrize("name", get_args(TrajectoryName))
def test_the_camera_keeps_what_it_looks_at_in_the_middle_and_upright(name: TrajectoryName) -> None:
    for view in trajectory(name, MEANS, LENS, steps=9):
        focus = float(np.quantile(DEPTHS[DEPTHS > 0].astype(np.float32), 0.1))
        assert seen_at(view, (0.0, 0.0, max(2.0, focus))) == pytest.approx((200, 150), abs=1e-6)
        assert view.camera_from_photo[0, 1] == pytest.approx(0)  # no roll
        rotation = view.camera_from_photo[:3, :3]
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)


def test_rotate_forward_starts_and_ends_at_the_photo() -> None:
    where = eyes("rotate_forward")
    np.testing.assert_allclose(where[[0, -1]], 0, atol=1e-12)
    assert where[:, 0].max() == pytest.approx(LATERAL, rel=1e-2)
    assert where[:, 0].argmax() < where[:, 0].argmin()  # right first
    assert where[:, 2].max() == pytest.approx(MEDIAL, rel=1e-2)
    assert not where[:, 1].any()
    first = trajectory("rotate_forward", MEANS, LENS)[0]
    np.testing.assert_allclose(first.camera_from_photo, np.eye(4), atol=1e-12)


def test_swipe_goes_from_left_to_right() -> None:
    where = eyes("swipe", 5)
    np.testing.assert_allclose(where[:, 0], LATERAL * np.array([-1, -0.5, 0, 0.5, 1]), atol=1e-9)
    np.testing.assert_allclose(where[:, 1:], 0, atol=1e-12)


def test_shake_goes_sideways_then_up_and_down() -> None:
    where = eyes("shake", 60)
    assert np.ptp(where[:30, 0]) == pytest.approx(2 * LATERAL, rel=1e-2)
    assert np.ptp(where[30:, 1]) == pytest.approx(2 * LATERAL, rel=1e-2)
    np.testing.assert_allclose(where[:30, 1], 0, atol=1e-12)
    np.testing.assert_allclose(where[30:, 0], 0, atol=1e-12)


def test_rotate_is_a_circle() -> None:
    where = eyes("rotate")
    np.testing.assert_allclose(np.hypot(where[:, 0], where[:, 1]), LATERAL, rtol=1e-9)


def test_a_camera_right_of_the_photo_sees_near_things_left_of_far_ones() -> None:
    view = LENS.view(look_at(np.array([0.2, 0.0, 0.0]), np.array([0.0, 0.0, 3.0])))
    near, far = seen_at(view, (0, 0, 1))[0], seen_at(view, (0, 0, 9))[0]
    assert near < 200 < far


def test_a_lens_keeps_its_field_of_view_when_it_is_fitted() -> None:
    small = PhotoLens(4000, 3001, 3000.0).fitted(512)
    assert (small.width, small.height) == (512, 384)
    assert small.width / small.focal_px == pytest.approx(4000 / 3000)
    assert PhotoLens(1, 3000, 10.0).fitted(100).width == 2


def test_a_scene_with_nothing_ahead_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="nothing before the photo's camera"):
        trajectory("swipe", -np.abs(MEANS), LENS)
    with pytest.raises(ValueError, match="0 steps"):
        trajectory("swipe", MEANS, LENS, steps=0)
