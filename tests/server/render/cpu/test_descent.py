"""Steps go down, as far as they should, and stay within what Gaussians can be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.server.render.scenes import random_scene

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render.cpu.backward import Gradients
from sharp_xr.render.cpu.descent import NUMBERS, RATES, Descent, number, slopes_of, tell

SCENE = random_scene(40, seed=3, sizes_m=(0.05, 0.3), opacities=(0.05, 0.99))


def arrays_of(scene: Gaussians) -> tuple[Float32, ...]:
    return scene.means, scene.covariances, scene.colors, scene.opacities


def gradients(scene: Gaussians, seed: int = 0, scale: float = 1.0) -> Gradients:
    random = np.random.default_rng(seed)

    def noise(array: Float32) -> Float32:
        return (scale * random.standard_normal(array.shape)).astype(np.float32)

    means, covariances, colors, opacities = (noise(array) for array in arrays_of(scene))
    return Gradients(means, covariances, colors, opacities, np.zeros((1, 12)))


def test_a_descent_begins_where_it_was_put() -> None:
    start = Descent(SCENE, 10).gaussians
    for ours, given in zip(arrays_of(start), arrays_of(SCENE), strict=True):
        np.testing.assert_allclose(ours, given, rtol=1e-3, atol=1e-4)
    assert start.means is not SCENE.means


def test_slopes_are_those_of_the_numbers() -> None:
    numbers = np.empty((len(SCENE), NUMBERS), np.float32)
    sizes = np.empty(len(SCENE), np.float32)
    number(SCENE.means, SCENE.covariances, SCENE.colors, SCENE.opacities, numbers, sizes)
    asked = gradients(SCENE)
    told = [np.empty_like(array) for array in arrays_of(SCENE)]

    def losses(at: Float32) -> Float32:
        told[0][:] = SCENE.means
        tell(at, *told)
        parts = zip(told, (asked.means, asked.covariances, asked.colors), strict=False)
        total = sum((a.astype(np.float64) * b).sum(1) for a, b in parts)
        return np.asarray(total + told[3].astype(np.float64) * asked.opacities)

    slope = np.empty(NUMBERS, np.float32)
    for k in range(NUMBERS):
        # What is counted in sizes moves by them.
        unit = sizes if k < 8 else np.ones_like(sizes)
        step = np.zeros_like(numbers)
        step[:, k] = 0.02 * unit
        expected = (losses(numbers + step) - losses(numbers - step)) / 0.04
        ours = []
        for i in range(len(SCENE)):
            rows = asked.means[i], asked.covariances[i], asked.colors[i], asked.opacities[i]
            slopes_of(numbers[i], sizes[i], *rows, slope)
            ours.append(slope[k])
        np.testing.assert_allclose(ours, expected, rtol=0.02, atol=2e-4 * np.abs(ours).max())


def test_steps_against_one_slope_are_of_the_rates_size() -> None:
    descent, asked = Descent(SCENE, 2), gradients(SCENE, scale=100.0)
    descent.step(asked)
    moved = (descent.gaussians.means - SCENE.means)[:, :2]
    assert (np.sign(moved) == -np.sign(asked.means[:, :2])).all()
    xx, xy, yy = SCENE.covariances[:, [0, 1, 3]].T.astype(np.float64)
    sizes = (xx * yy - xy * xy) ** 0.25
    expected = RATES[0] * np.stack([sizes, sizes], axis=1)
    np.testing.assert_allclose(np.abs(moved), expected, rtol=0.05, atol=1e-6)


def test_depths_and_what_nobody_sees_stay() -> None:
    descent = Descent(SCENE, 5)
    before = [array.copy() for array in arrays_of(descent.gaussians)]
    for seed in range(5):
        descent.step(gradients(SCENE, seed, scale=0))
    for now, then in zip(arrays_of(descent.gaussians), before, strict=True):
        np.testing.assert_array_equal(now, then)
    descent.step(gradients(SCENE))
    np.testing.assert_array_equal(descent.gaussians.means[:, 2], SCENE.means[:, 2])


@pytest.mark.parametrize("sign", [-1, 1])
def test_however_far_it_goes_gaussians_remain_gaussians(sign: int) -> None:
    flat = np.zeros_like(SCENE.covariances)
    extreme = dataclasses.replace(
        SCENE,
        covariances=np.where(np.arange(len(SCENE))[:, None] % 2, flat, SCENE.covariances),
        opacities=np.where(np.arange(len(SCENE)) % 3, 1.0, 0.0).astype(np.float32),
        colors=SCENE.colors * (np.arange(len(SCENE)) % 5 > 0)[:, None],
    )
    descent = Descent(extreme, 200)
    means, covariances, colors, opacities = (
        np.full_like(array, sign) for array in arrays_of(SCENE)
    )
    one_way = Gradients(means, covariances, colors, opacities, np.zeros((1, 12)))
    for _ in range(200):
        descent.step(one_way)
    now = descent.gaussians
    assert now.finite()[1] == 0
    assert 1 / 255 < now.opacities.min() <= now.opacities.max() < 0.9991
    assert 0 < now.colors.min() <= now.colors.max() < 2.3
    matrices = now.covariances[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3)
    eigenvalues = np.linalg.eigvalsh(matrices.astype(np.float64))
    assert (eigenvalues[:, 0] > -1e-5 * eigenvalues[:, 2]).all()
