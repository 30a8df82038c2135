"""The pilot: the network that came before `lite`, as a yardstick. Its weights are not shipped
(textures under GPL were among its rooms), so that only who has them has its column.

EfficientNet-Lite0 and a small decoder, 256 px wide; out comes the log of the inverse canonical
depth at half the size. Attribute names are the checkpoint's keys.
"""

from __future__ import annotations

from pathlib import Path

import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional

from sharp_xr.gaussians import Float32
from sharp_xr.model.grid import resized
from sharp_xr.model.lite_network import STRIDE, normalised
from sharp_xr.photo import Photo

WIDTH = 256
CANONICAL_FOCAL_PX = 0.8 * WIDTH
NEAREST_M, FARTHEST_M = 0.1, 40.0


class Join(nn.Module):
    """Doubles the size of x and joins the encoder's features of that size."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.sk = nn.Conv2d(skip, outputs // 2, 1)
        layers: list[nn.Module] = [
            *_activated(nn.Conv2d(inputs + outputs // 2, outputs, 1, bias=False))
        ]
        for kernel in (3, 5):
            padding = kernel // 2
            layers += _activated(
                nn.Conv2d(outputs, outputs, kernel, padding=padding, groups=outputs, bias=False)
            )
            if kernel == 3:
                layers += _activated(nn.Conv2d(outputs, outputs, 1, bias=False))
        self.c = nn.Sequential(*layers)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        larger = functional.interpolate(
            x, size=features.shape[-2:], mode="bilinear", align_corners=False
        )
        joined: Tensor = self.c(torch.cat([larger, self.sk(features)], 1))
        return joined


def _activated(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(True)]


class Pilot(nn.Module):
    """[B, 3, H, W], multiples of 32 -> y [B, H/2, W/2]."""

    def __init__(self) -> None:
        super().__init__()
        self.e = EfficientNet.from_name("efficientnet-lite0")
        del self.e._fc, self.e._conv_head, self.e._bn1
        self.top = nn.Sequential(*_activated(nn.Conv2d(320, 128, 1, bias=False)))
        self.g = nn.Linear(320, 128)
        self.d4, self.d3 = Join(128, 112, 96), Join(96, 40, 64)
        self.d2, self.d1 = Join(64, 24, 48), Join(48, 16, 32)
        self.o = nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self.e._swish(self.e._bn0(self.e._conv_stem(x)))
        skips: list[Tensor] = []
        for block in self.e._blocks:
            y = block(x)
            if y.shape[-1] < x.shape[-1]:
                skips.append(x)
            x = y
        t = self.top(x) + self.g(x.mean((2, 3)))[:, :, None, None]
        for join, skip in zip((self.d4, self.d3, self.d2, self.d1), reversed(skips), strict=True):
            t = join(t, skip)
        log_inverse: Tensor = self.o(t)[:, 0]
        return log_inverse


def load_pilot(path: Path) -> Pilot:
    """With the weights of that file."""
    network = Pilot()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()


def pilot_depth(network: Pilot, photo: Photo) -> Float32:
    """[H, W] metres, of the photo and its mirror image."""
    rows = max(1, round(WIDTH * photo.height / photo.width / STRIDE)) * STRIDE
    picture = torch.from_numpy(resized(photo.image, rows, WIDTH).copy())[None]
    x = normalised(picture)
    with torch.inference_mode():
        plain, mirrored = network(torch.cat([x, x.flip(3)])).split(1)
        y = (plain + mirrored.flip(2)) / 2
        depth = torch.exp(-y) * (photo.focal_px * WIDTH / photo.width / CANONICAL_FOCAL_PX)
        size = (photo.height, photo.width)
        full = functional.interpolate(depth[None], size=size, mode="bilinear", align_corners=False)
    result: Float32 = full[0, 0].clamp(NEAREST_M, FARTHEST_M).numpy()
    return result
