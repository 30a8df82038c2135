"""Depth in colours."""

from __future__ import annotations

import numpy as np

from sharp_xr.render.turbo import far_of, turbo


def test_near_is_blue_far_is_red_and_nothing_is_black() -> None:
    near, middle, far, beyond, nothing = turbo(np.array([1, 5, 9, 99, 0], np.float32), 10.0)
    assert near.argmax() == 2
    assert middle.argmax() == 1  # green
    assert far.argmax() == 0
    assert beyond.tolist() == [0x7A, 0x04, 0x03]  # the map's last colour
    assert nothing.tolist() == [0, 0, 0]


def test_the_map_has_no_steps() -> None:
    colors = turbo(np.linspace(0.01, 1.0, 1000, dtype=np.float32), 1.0).astype(int)
    assert np.abs(np.diff(colors, axis=0)).max() <= 2
    assert len(np.unique(colors, axis=0)) > 500


def test_the_range_ends_where_the_scene_does_but_at_fifty_metres() -> None:
    assert far_of(np.array([[1.0, 7.5]], np.float32)) == 7.5
    assert far_of(np.array([[1.0, 700.0]], np.float32)) == 50.0
    assert far_of(np.zeros((2, 2), np.float32)) == 0.0
    assert not turbo(np.zeros((2, 2), np.float32), 0.0).any()
