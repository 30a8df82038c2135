"""The network of `lite`: its shapes, its units, its weights, and what it sees on photos."""

from __future__ import annotations

import dataclasses
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from sharp_xr.model import ModelError
from sharp_xr.model.lite_layers import Attention
from sharp_xr.model.lite_network import (
    CANONICAL_FOCAL_PX,
    FAR_M,
    LITE,
    NEAR_M,
    TINY,
    LiteNetwork,
    load_lite,
    metric_depth,
    normalised,
)

PHOTOS = ("astronaut", "coffee", "chelsea", "rocket", "china", "flower")
FOCAL_WIDTHS = 1.0


def photo(name: str) -> NDArray[np.uint8]:
    """[H, W, 3]; scikit-image's and scikit-learn's own pictures."""
    if name in ("china", "flower"):
        datasets = pytest.importorskip("sklearn.datasets", reason="its photos are test photos")
        return np.asarray(datasets.load_sample_image(f"{name}.jpg"))
    data = pytest.importorskip("skimage.data", reason="its photos are test photos")
    return np.asarray(getattr(data, name)())


@pytest.fixture(scope="module")
def network() -> LiteNetwork:
    return load_lite()


def small(rgb: NDArray[np.uint8], width: int = 384) -> NDArray[np.uint8]:
    height = round(width * rgb.shape[0] / rgb.shape[1] / 32) * 32
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BOX))


def layers(network: LiteNetwork, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Metres [2, h, w] at half the size of rgb."""
    with torch.no_grad():
        y = network(normalised(torch.from_numpy(rgb.copy())[None]))
    return np.asarray(metric_depth(y, FOCAL_WIDTHS * rgb.shape[1])[0].numpy())


@pytest.mark.parametrize(("height", "width"), [(32, 32), (96, 64), (192, 256)])
def test_two_layers_come_out_at_half_the_size(height: int, width: int) -> None:
    torch.manual_seed(0)
    y = LiteNetwork(TINY).eval()(torch.randn(2, 3, height, width))
    assert y.shape == (2, 2, height // 2, width // 2)
    assert (y[:, 1] <= y[:, 0]).all(), "the second layer is never nearer than the first"


def test_other_sizes_are_refused_with_what_is_wanted() -> None:
    with pytest.raises(ValueError, match=r"\(1, 3, 100, 64\), expected multiples of 32"):
        LiteNetwork(TINY)(torch.zeros(1, 3, 100, 64))


def test_depth_is_proportional_to_the_focal_length_and_within_bounds() -> None:
    y = torch.tensor([0.0, -1.0, 20.0, -20.0])
    depth = metric_depth(y, CANONICAL_FOCAL_PX)
    assert depth.tolist() == pytest.approx([1, np.e, NEAR_M, FAR_M])
    assert metric_depth(y, 2 * CANONICAL_FOCAL_PX)[:2].tolist() == pytest.approx([2, 2 * np.e])


def test_the_packaged_weights_are_small() -> None:
    weights = resources.files("sharp_xr.model") / "weights" / "lite.safetensors"
    assert len(weights.read_bytes()) < 10 << 20


def test_missing_weights_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="none.safetensors"):
        load_lite(tmp_path / "none.safetensors")


@pytest.mark.parametrize("content", [b"", b"no safetensors at all" * 9])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="broken.safetensors"):
        load_lite(path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    save_file(LiteNetwork(TINY).state_dict(), path)
    with pytest.raises(ModelError, match="another network"):
        load_lite(path)


def test_refinements_begin_by_doing_nothing_and_files_from_before_them_are_read(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    plain = LiteNetwork(dataclasses.replace(LITE, refined=(0, 0, 0, 0))).eval()
    save_file(plain.state_dict(), tmp_path / "plain.safetensors")
    network, x = load_lite(tmp_path / "plain.safetensors"), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(network(x), plain(x))
        for blocks in network.refinements:
            before = network(x)
            for weight in blocks.parameters():
                weight.add_(torch.randn_like(weight), alpha=0.1)
            assert not torch.equal(network(x), before)


def test_each_cell_asks_all_the_others() -> None:
    torch.manual_seed(0)
    attention = Attention(8, heads=2)
    nn.init.normal_(attention.told.weight)
    x = torch.randn(1, 8, 3, 5)
    with torch.no_grad():
        before = attention(x)
        x[0, 0, 2, 4] += 3
        changed = (attention(x) - before).abs().amax(1)
    assert (changed > 1e-4).all()


def explained(target: NDArray[np.float64], causes: list[NDArray[np.float64]]) -> float:
    """Share of the variance of target that a linear sum of the causes explains, 0 to 1."""
    a = np.stack([np.ones(target.size), *(c.ravel() for c in causes)], 1)
    residual = target.ravel() - a @ np.linalg.lstsq(a, target.ravel(), rcond=None)[0]
    return float(1 - residual.var() / target.var())


@pytest.mark.parametrize("name", PHOTOS)
def test_depth_is_no_plane_no_gradient_and_no_brightness(network: LiteNetwork, name: str) -> None:
    rgb = small(photo(name))
    inverse = 1 / layers(network, rgb)[0].astype(np.float64)
    h, w = inverse.shape
    y, x = np.mgrid[:h, :w] / float(w)
    grey = np.asarray(Image.fromarray(rgb).convert("L").resize((w, h)), np.float64)
    assert inverse.std() / inverse.mean() > 0.1, "almost a constant"
    assert explained(inverse, [x, y]) < 0.9, "almost a plane"
    # A bright sky is far indeed: brightness may explain a good part.
    assert explained(inverse, [grey]) < 0.8, "almost the brightness"


@pytest.mark.parametrize("name", PHOTOS)
def test_a_mirrored_photo_has_the_mirrored_depth(network: LiteNetwork, name: str) -> None:
    rgb = small(photo(name))
    straight = np.log(layers(network, rgb)[0])
    mirrored = np.log(layers(network, rgb[:, ::-1])[0])[:, ::-1]
    assert np.corrcoef(straight.ravel(), mirrored.ravel())[0, 1] > 0.8


NEARER = [
    # photo, nearer point, farther point; x, y in shares of width and height
    ("astronaut", (0.42, 0.65), (0.62, 0.08)),  # her suit, the backdrop
    ("astronaut", (0.45, 0.2), (0.62, 0.08)),  # her face, the backdrop
    ("chelsea", (0.45, 0.6), (0.9, 0.15)),  # the cat's face, the cushion behind it
    ("rocket", (0.5, 0.7), (0.3, 0.2)),  # the rocket, the sky
    ("china", (0.3, 0.6), (0.6, 0.1)),  # the tower, the sky
    ("china", (0.1, 0.95), (0.3, 0.6)),  # the trees in front, the tower
    ("coffee", (0.5, 0.8), (0.05, 0.05)),  # the saucer's front, the far end of the table
]


@pytest.mark.parametrize(("name", "near", "far"), NEARER)
def test_the_subject_is_nearer_than_what_is_behind_it(
    network: LiteNetwork, name: str, near: tuple[float, float], far: tuple[float, float]
) -> None:
    depth = layers(network, small(photo(name)))[0]
    h, w = depth.shape

    def around(point: tuple[float, float]) -> float:
        x, y = int(point[0] * w), int(point[1] * h)
        return float(np.median(depth[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4]))

    assert around(near) < 0.9 * around(far)


@pytest.mark.parametrize("name", ["rocket", "china"])
def test_the_sky_is_far(network: LiteNetwork, name: str) -> None:
    depth = layers(network, small(photo(name)))[0]
    top = depth[: len(depth) // 6, depth.shape[1] // 3 : -depth.shape[1] // 3]
    assert np.median(top) > 25
