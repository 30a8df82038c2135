"""What the network's tensors are called and how large they are: as in the released checkpoint."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sharp_xr.model import ModelError
from sharp_xr.model.sharp.config import SHARP, TINY, SharpConfig, config_of
from sharp_xr.model.sharp.network import SharpNetwork

RELEASED = Path(__file__).parent / "state_dict.txt"

Shapes = dict[str, tuple[int, ...]]


def released() -> Shapes:
    lines = (line.split() for line in RELEASED.read_text(encoding="utf-8").splitlines()[1:])
    return {
        name.replace("*", str(block)): tuple(map(int, shape))
        for name, *shape in lines
        for block in range(24 if "*" in name else 1)
    }


def shapes_of(config: SharpConfig) -> Shapes:
    with torch.device("meta"):
        network = SharpNetwork(config)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def test_names_and_shapes_are_those_of_the_released_checkpoint() -> None:
    assert shapes_of(SHARP) == released()


def test_there_are_702_305_169_numbers_in_1038_float32_tensors_and_no_buffers() -> None:
    with torch.device("meta"):
        network = SharpNetwork(SHARP)
    parameters = list(network.parameters())
    assert sum(math.prod(shape) for shape in released().values()) == 702_305_169
    assert sum(parameter.numel() for parameter in parameters) == 702_305_169
    assert len(parameters) == 1038 and {p.dtype for p in parameters} == {torch.float32}
    assert not list(network.buffers())


WIDE = SharpConfig(
    vit_width=128,
    vit_depth=8,
    vit_heads=2,
    vit_mlp=320,
    vit_classes=7,
    hooks=(1, 3),
    grid=16,
    encoder_dims=(24, 32, 40, 48, 56),
    depth_dim=16,
    depth_head_dims=(12, 6),
    gaussian_dim=24,
    gaussian_hidden=16,
    gaussian_features=10,
    alignment_dims=(8, 16, 24, 32, 40),
)
"""Every size another one, but for the patches: a tile has 16 pixels for each in all the family."""


@pytest.mark.parametrize("config", [SHARP, WIDE], ids=["released", "another size"])
def test_a_checkpoint_tells_its_sizes(config: SharpConfig) -> None:
    assert config_of(shapes_of(config)) == config


def test_heads_narrower_than_the_familys_are_not_told_by_a_checkpoint() -> None:
    assert config_of(shapes_of(replace(TINY, vit_heads=4))) == TINY


@pytest.mark.parametrize("name", ["pos_embed", "blocks.0.mlp.fc1.weight"])
def test_a_checkpoint_without_what_sizes_are_read_from_is_refused_by_name(name: str) -> None:
    shapes = {key: shape for key, shape in shapes_of(TINY).items() if not key.endswith(name)}
    with pytest.raises(ModelError, match=rf"no monodepth_model.*patch_encoder\.{name}"):
        config_of(shapes)
