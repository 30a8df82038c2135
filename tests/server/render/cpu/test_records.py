"""What a fast picture's splats remember of colour and depth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.server.render.scenes import front_view, linear_from_srgb, one_gaussian

from sharp_xr.render import RenderSettings
from sharp_xr.render.cpu.projection import PEAK
from sharp_xr.render.cpu.records import LEAST_TINT, SHORT_RECORD, SHORT_TINT, write_tint
from sharp_xr.render.cpu.renderer import CpuRenderer

random = np.random.default_rng(0)
OFF = 2.0**-8
"""Half of the last of eight binary digits, relative, and a little."""


@pytest.mark.parametrize("peak", [0.0, -1e-3, 1.06e9, 8.4e8, -3e38])
def test_four_numbers_by_sixteen_bits_each_are_near_themselves(peak: float) -> None:
    tints = np.exp(random.uniform(-60, 60, (2000, 4))) * random.choice([-1, 1], (2000, 4))
    record = np.zeros(SHORT_RECORD, np.float32)
    for tint in tints.astype(np.float32):
        record[PEAK] = peak
        write_tint(record, 0, tint[0], tint[1], tint[2], tint[3], True)
        assert record[PEAK] == np.float32(peak)
        read = [np.frombuffer(record.tobytes(), np.float32, 1, place)[0] for place in SHORT_TINT]
        np.testing.assert_allclose(read, tint, rtol=OFF)


@pytest.mark.parametrize("nothing", [0.0, -0.0, 1e-45, -1e-38, 1e-31])
def test_next_to_nothing_is_read_as_next_to_nothing(nothing: float) -> None:
    record = np.full(SHORT_RECORD, 8.4e8, np.float32)
    value = np.float32(nothing)
    write_tint(record, 0, value, value, value, value, True)
    read = [np.frombuffer(record.tobytes(), np.float32, 1, place)[0] for place in SHORT_TINT]
    assert np.abs(read).max() < 1.01 * LEAST_TINT


@pytest.mark.parametrize(
    "color", [(0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (-0.3, 0.5, 40.0), (1e-40, 0.01, 0.99)]
)
def test_a_fast_picture_s_colour_and_depth_are_the_gaussian_s(
    cpu: CpuRenderer, color: tuple[float, float, float]
) -> None:
    gaussian = dataclasses.replace(
        one_gaussian((0.0, 0.0, 3.7), 2.0), colors=np.array([color], np.float32)
    )
    scene = cpu.prepare(gaussian)
    exact = cpu.render(scene, [front_view()])
    rgb, depth = exact.rgb.copy(), exact.depth.copy()
    fast = cpu.render(scene, [front_view()], RenderSettings(fast=True))
    off = np.abs(linear_from_srgb(fast.rgb) - linear_from_srgb(rgb))
    assert off.max() < 1.5 * OFF  # the exponential's 0.35 % are in it
    np.testing.assert_allclose(fast.depth, depth, rtol=OFF)
