"""ResNet-50 (He et al. 2016), for weights that a user has: torchvision's, or LaMa's.

SHARP's perceptual loss takes the features of LaMa (Suvorov et al. 2022): a ResNet-50 trained to
segment ADE20K, with three 3 x 3 convolutions for a stem and dilation in place of the last two
strides. The file's tensors say which of the two it is.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharp_xr.perceptual import PerceptualError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, RGB of 0 to 1."""
LAYERS = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Inner channels and blocks of the four layers, whose results are the levels."""
EXPANSION = 4


class ResNet50(nn.Module):
    """See the module. Names are torchvision's."""

    def __init__(self, *, lama: bool) -> None:
        super().__init__()
        self.name = "resnet50-lama" if lama else "resnet50"
        self.stem: tuple[str, ...] = ("1", "2", "3") if lama else ("1",)
        if lama:
            self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64)
            self.conv2, self.bn2 = nn.Conv2d(64, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
            self.conv3, self.bn3 = nn.Conv2d(64, 128, 3, 1, 1, bias=False), nn.BatchNorm2d(128)
        else:
            self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        width = 128 if lama else 64
        for number, (inner, blocks) in enumerate(LAYERS, start=1):
            # (stride, dilation of the first block, dilation of the others)
            first = (1, 1, 1) if number == 1 else (2, 1, 1)
            if lama and number > 2:
                first = (1, 2 ** (number - 3), 2 ** (number - 2))
            self.add_module(f"layer{number}", _layer(width, inner, blocks, *first))
            width = EXPANSION * inner
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises PerceptualError: the file holds no ResNet-50."""
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise PerceptualError(f"{path} cannot be read as weights of torch") from error
        if not isinstance(state, dict) or "conv1.weight" not in state:
            raise PerceptualError(f"{path} holds no ResNet-50: there is no conv1.weight")
        network = cls(lama="conv3.weight" in state)
        counters = "num_batches_tracked"  # old files have none, and nothing reads them
        wanted = [key for key in network.state_dict() if not key.endswith(counters)]
        missing = [key for key in wanted if key not in state]
        if missing:
            raise PerceptualError(f"{path} holds no ResNet-50: there is no {missing[0]}")
        try:
            network.load_state_dict({key: state[key] for key in wanted}, strict=False)
        except RuntimeError as error:
            raise PerceptualError(f"{path} holds a ResNet of other sizes than ResNet-50") from error
        return network

    def train(self, mode: bool = True) -> Self:
        """Statistics are those of the file, whatever a training does to the modules around it."""
        return super().train(False)

    def forward(self, srgb: Tensor) -> list[Tensor]:
        """See ``Features``."""
        x = (srgb - self.get_buffer("mean")) / self.get_buffer("std")
        for name in self.stem:
            norm = self.get_submodule(f"bn{name}")
            x = functional.relu(norm(self.get_submodule(f"conv{name}")(x)))
        x = functional.max_pool2d(x, 3, 2, 1)
        levels = []
        for number in range(1, len(LAYERS) + 1):
            x = self.get_submodule(f"layer{number}")(x)
            levels.append(x)
        return levels


class Bottleneck(nn.Module):
    """Narrow 1 x 1, filter 3 x 3, widen 1 x 1; the stride is at the filter, as in torchvision."""

    def __init__(self, inputs: int, inner: int, stride: int, dilation: int) -> None:
        super().__init__()
        outputs = EXPANSION * inner
        self.conv1, self.bn1 = nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(
            inner, inner, 3, stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, 4 inner, H / stride, W / stride]."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def _layer(
    inputs: int, inner: int, blocks: int, stride: int, first: int, others: int
) -> nn.Sequential:
    rest = (Bottleneck(EXPANSION * inner, inner, 1, others) for _ in range(blocks - 1))
    return nn.Sequential(Bottleneck(inputs, inner, stride, first), *rest)
