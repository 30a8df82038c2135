"""The whole network in float32 against the oracle in float64, on random weights."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.server.model.sharp import oracle
from tests.server.model.sharp.oracle import Prediction
from tests.server.model.sharp.parity import (
    BARS,
    Implementation,
    engine,
    errors,
    modules,
    reference,
    weights,
)
from torch import Tensor

from sharp_xr.model.sharp.config import TINY
from sharp_xr.model.sharp.cpu import packed

IMPLEMENTATIONS: dict[str, Implementation] = {"modules": modules, "engine": engine}

PHOTOS = {
    "landscape": (300, 451, 1.1),
    "portrait, long lens": (437, 251, 9.0),
    "panorama": (60, 1200, 0.31),
}
"""Height, width, focal length over width."""

SIZES = {
    "tiny": TINY,
    # The Gaussian decoder's lateral projection is the identity here, the depth decoder's is not.
    "other widths": replace(
        TINY,
        vit_width=96,
        vit_depth=5,
        vit_heads=3,
        hooks=(1, 3),
        encoder_dims=(24, 16, 40, 24, 48),
        gaussian_dim=24,
        depth_dim=16,
    ),
}

UNUSED = ("depth_alignment.", "_encoder.head.", "decoder.fusions.4.resnet1.")
"""Parts of the names of what the checkpoint carries along: 48.3 of 702.3 million numbers."""

DISPARITY_BIAS = "monodepth_model.monodepth_predictor.head.4.bias"


@lru_cache
def photo(height: int, width: int) -> NDArray[np.uint8]:
    """[height, width, 3] out of a real photo, details and all."""
    data = pytest.importorskip("skimage.data", reason="its photos are test photos")
    picture = np.tile(np.asarray(data.coffee()), (1, 1 + width // 600, 1))
    return np.ascontiguousarray(picture[-height:, :width])


@lru_cache
def state(size: str) -> dict[str, Tensor]:
    return weights(SIZES[size])


@lru_cache
def wanted(size: str, name: str) -> Prediction:
    height, width, factor = PHOTOS[name]
    return reference(photo(height, width), factor, state(size), SIZES[size])


def predicted(implementation: Implementation, size: str, name: str) -> Prediction:
    height, width, factor = PHOTOS[name]
    return implementation(photo(height, width), factor, state(size), SIZES[size])


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request: pytest.FixtureRequest) -> Implementation:
    name: str = request.param
    return IMPLEMENTATIONS[name]


@pytest.mark.parametrize("name", PHOTOS)
def test_photos_of_any_aspect_and_focal_length_give_the_oracles_gaussians(
    implementation: Implementation, name: str
) -> None:
    assert errors(predicted(implementation, "tiny", name), wanted("tiny", name)) <= BARS


def test_a_network_of_another_size_gives_the_oracles_gaussians(
    implementation: Implementation,
) -> None:
    ours = predicted(implementation, "other widths", "portrait, long lens")
    assert errors(ours, wanted("other widths", "portrait, long lens")) <= BARS


@lru_cache
def far_case() -> tuple[dict[str, Tensor], Prediction]:
    """Weights whose disparity ends at 0 in much of the picture, and what they predict."""
    far = {**state("tiny"), DISPARITY_BIAS: state("tiny")[DISPARITY_BIAS] - 2.5}
    height, width, factor = PHOTOS["panorama"]
    return far, reference(photo(height, width), factor, far, TINY)


def test_where_disparity_ends_the_farthest_depth_is_the_oracles_too(
    implementation: Implementation,
) -> None:
    far, expected = far_case()
    depth = expected.means[:, 2]
    assert (depth > 80 * depth.min()).double().mean() > 0.005, "nothing is far in this test"
    height, width, factor = PHOTOS["panorama"]
    assert errors(implementation(photo(height, width), factor, far, TINY), expected) <= BARS


def test_the_focal_length_changes_scale_and_view_and_nothing_else(
    implementation: Implementation,
) -> None:
    height, width, factor = PHOTOS["landscape"]
    image = photo(height, width)
    one = implementation(image, factor, state("tiny"), TINY)
    other = implementation(image, 1.5 * factor, state("tiny"), TINY)
    stretch = torch.tensor([1.0, 1.0, 1.5])
    # 1e-6 m is added to the nearest depth, of 5 cm here.
    torch.testing.assert_close(other.means, one.means * stretch, rtol=1e-4, atol=0)
    torch.testing.assert_close(other.colors, one.colors, rtol=0, atol=1e-6)
    torch.testing.assert_close(other.opacities, one.opacities, rtol=0, atol=1e-6)


def test_weights_that_inference_does_not_use_may_be_anything(
    implementation: Implementation,
) -> None:
    weights = {
        name: torch.full_like(tensor, torch.nan) if any(part in name for part in UNUSED) else tensor
        for name, tensor in state("tiny").items()
    }
    assert sum(bool(tensor.isnan().any()) for tensor in weights.values()) == 160
    height, width, factor = PHOTOS["portrait, long lens"]
    ours = implementation(photo(height, width), factor, weights, TINY)
    assert errors(ours, wanted("tiny", "portrait, long lens")) <= BARS


def test_the_engine_leaves_the_weights_as_they_are() -> None:
    before = {name: tensor.clone() for name, tensor in state("tiny").items()}
    predicted(engine, "tiny", "panorama")
    assert all(torch.equal(tensor, before[name]) for name, tensor in state("tiny").items())


def test_a_torch_without_packed_layers_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "PACKS", False)
    assert errors(predicted(engine, "tiny", "panorama"), wanted("tiny", "panorama")) <= BARS


def test_bfloat16_stays_near_float32() -> None:
    """Half its errors are those of the maps' last of 8 bits; at full size the bench measures."""
    height, width, factor = PHOTOS["landscape"]
    ours = engine(photo(height, width), factor, state("tiny"), TINY, torch.bfloat16)
    expected = wanted("tiny", "landscape")
    depth = expected.means[:, 2]
    off = ((ours.means[:, 2] - depth).abs() / depth).quantile(0.99)
    noise = (ours.colors - expected.colors).square().mean().sqrt()
    assert 1e-4 < off < 0.03, "p99 of relative depth"
    assert noise < 1e-3, "60 dB"
    assert all(x.dtype == torch.float32 for x in (ours.means, ours.covariances, ours.colors))


def test_every_other_weight_counts() -> None:
    """Held of the oracle itself: what it ignored, nobody would be held to."""
    height, width, factor = PHOTOS["portrait, long lens"]
    used = {
        name: tensor.clone().requires_grad_()
        for name, tensor in state("tiny").items()
        if not any(part in name for part in UNUSED)
    }
    with_gradient = oracle.predict.__wrapped__  # type: ignore[attr-defined]
    result = with_gradient(photo(height, width), factor, used, TINY.vit_heads)
    outputs = (result.means, result.covariances, result.colors, result.opacities)
    gradients = torch.autograd.grad(sum(x.sum() for x in outputs), list(used.values()))
    silent = [name for name, gradient in zip(used, gradients, strict=True) if not gradient.any()]
    assert not silent


def deviation(x: Tensor) -> float:
    return float(x.std())


def test_random_weights_make_a_scene_in_which_everything_differs() -> None:
    """Else the comparisons above would hold little."""
    scene = wanted("tiny", "landscape")
    layers = scene.means[:, 2].reshape(2, -1)
    assert all(deviation(layer.log()) > 0.2 for layer in layers), "flat"
    assert deviation((layers[1] / layers[0]).log()) > 0.2, "one layer is the other"
    scales = torch.linalg.eigvalsh(scene.covariances).clamp(min=1e-30).sqrt()
    assert float((scales[:, 2] / scales[:, 0]).median()) > 2, "balls"
    assert deviation(scene.opacities) > 0.05 and deviation(scene.colors) > 0.1
