"""Measures: known values, and that they look at the region alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from tests.server.eval.synthetic import board_pair
from torch import Tensor
from torch.nn import functional

from sharp_xr.eval.measures import Measure, perceptual, psnr, ssim


class Blurs:
    """A network whose features are the picture at four sizes."""

    name = "vgg16-hed"

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, srgb: Tensor, /) -> list[Tensor]:
        self.calls += 1
        return [functional.avg_pool2d(srgb, 2**level, ceil_mode=True) for level in range(4)]


MEASURES = [Measure("psnr", psnr), Measure("ssim", ssim), perceptual(Blurs())]


def noisy(picture: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, deviation, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def test_psnr_is_of_the_squared_error_in_the_region() -> None:
    true = np.full((4, 4, 3), 100, np.uint8)
    predicted = true.copy()
    predicted[0] = 110
    region = np.ones((4, 4), bool)
    assert psnr(predicted, true, region) == pytest.approx(10 * np.log10(255**2 / 25))
    region[1:] = False
    assert psnr(predicted, true, region) == pytest.approx(10 * np.log10(255**2 / 100))
    assert psnr(true, true, region) == 100


def test_ssim_is_scikit_images() -> None:
    true = board_pair().left
    predicted = noisy(true, 20)
    whole = structural_similarity(predicted, true, channel_axis=2, full=True)[1].mean()  # type: ignore[no-untyped-call]
    assert ssim(predicted, true, np.ones(true.shape[:2], bool)) == pytest.approx(whole)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
def test_what_is_outside_of_the_region_does_not_count(measure: Measure) -> None:
    true = board_pair().left
    region = np.zeros(true.shape[:2], bool)
    region[20:70, 40:120] = True
    predicted = noisy(true, 15)
    elsewhere = np.where(region[..., None], predicted, 255 - true).astype(np.uint8)
    assert measure.of(predicted, true, region) == measure.of(elsewhere, true, region)
    assert measure.of(predicted, true, region) != measure.of(true, true, region)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
def test_more_noise_is_worse(measure: Measure) -> None:
    true = board_pair().left
    region = np.ones(true.shape[:2], bool)
    values = [measure.of(noisy(true, deviation), true, region) for deviation in (4, 12, 40)]
    assert values == sorted(values, reverse=measure.larger_is_better)
    assert len(set(values)) == 3


def test_the_distance_is_of_unit_vectors_and_sees_the_truth_once() -> None:
    network = Blurs()
    vgg = perceptual(network)
    assert vgg.name == "vgg"
    true = np.full((16, 16, 3), 0, np.uint8)
    true[..., 0] = 200
    region = np.ones((16, 16), bool)
    assert vgg.of(true // 2, true, region) == pytest.approx(
        0, abs=1e-6
    )  # darker: the same direction
    green = np.roll(true, 1, 2)
    assert vgg.of(green, true, region) == pytest.approx(4 * 2, rel=1e-4)  # |a - b|^2 = 2 a level
    assert network.calls == 3
    assert vgg.of(true, green, region) == pytest.approx(8, rel=1e-4)
    assert not torch.is_inference_mode_enabled()
