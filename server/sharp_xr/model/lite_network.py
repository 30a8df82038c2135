"""The network of the embedded model `lite`: a photo in, the depth of two layers out.

    photo --stem, stage 0--> 1/2 ---1---> 1/4 ---2---> 1/8 ---3, 4--> 1/16 ---5, 6--> 1/32
    [B, 3, H, W]              |            |            |              |                |
                             skip         skip         skip           skip        top + context
                              |            |            |              |                |
    [B, 2, H/2, W/2] <-head- join <-refine- join <-refine- join <-refine- join <-refine-+

The encoder has the layers of EfficientNet-Lite0 (Tan and Le 2019; the Lite variant has ReLU6 and no
squeeze-and-excitation) up to its last stage, so that its ImageNet weights can start the training.
Residual blocks refine what the decoder has at each size before it is enlarged; at the two smallest
ones each cell also asks all the others.

Units. The network speaks log inverse canonical depth,

    y = -log(z * CANONICAL_FOCAL_PX / focal_px)

with z in metres along the optical axis and focal_px in pixels of the network's input. It is the
depth at which things would look as large, in pixels, through a lens of CANONICAL_FOCAL_PX; so one
network serves all focal lengths and all sizes. Channel 0 is the visible layer; channel 1 the second
layer: the first surface behind it that belongs to another object, which is what the occluded region
holds. It is never nearer than the visible one.

How a predictor uses it, for a photo [h, w, 3] uint8 of focal length focal_px:

1. resize the photo to H x W, both multiples of 32, about 192 to 384 px on the longer side, its
   aspect ratio kept as well as that allows; the result is [H, W, 3], uint8 or float of 0 to 255,
   sRGB as in the file. More show more of edges, fewer more of the picture at once.
2. ``x = normalised(torch.from_numpy(resized)[None])``       [1, 3, H, W]
3. ``y = network(x)``                                        [1, 2, H/2, W/2]
4. ``depth = metric_depth(y, focal_px * W / w)``             [1, 2, H/2, W/2] metres

Averaging y with that of the mirrored photo, mirrored back, costs twice the time and steadies edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from torch import Tensor, nn
from torch.nn import functional

from sharp_xr.model import ModelError
from sharp_xr.model.lite_layers import Block, Join, SameConv, norm, refinement

CANONICAL_FOCAL_PX = 204.8
"""A phone's main camera at 256 px: 0.8 widths of the picture."""
NEAR_M, FAR_M = 0.1, 80.0
"""The depths that come out; the sky is at FAR_M."""
REFINEMENTS = "refinements."
"""What the names of their weights begin with; fresh ones do nothing."""
STRIDE = 32
"""Height and width of the input are multiples of this."""


@dataclass(frozen=True)
class Stage:
    """A run of inverted residual blocks."""

    kernel: int
    stride: int
    """Of the first block."""
    expand: int
    channels: int
    blocks: int


LITE0_STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)
"""EfficientNet-Lite0's, from the published table (Tan and Le 2019, table 1)."""


@dataclass(frozen=True)
class LiteConfig:
    """What the network is made of."""

    stem: int = 32
    """Channels after the first convolution."""
    stages: tuple[Stage, ...] = LITE0_STAGES
    decoder: tuple[int, int, int, int] = (128, 96, 64, 32)
    """Channels at 1/16, 1/8, 1/4 and 1/2 of the size."""
    top: int = 160
    """Channels at 1/32."""
    refined: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Residual blocks at 1/32, 1/16, 1/8 and 1/4 of the size, in the decoder. (Networks from before
    there were any do not say so in their files.)"""


LITE = LiteConfig(refined=(2, 2, 2, 1))
"""What is shipped: 4.5 M parameters."""

TINY = LiteConfig(
    stem=8,
    stages=(
        Stage(3, 1, 1, 8, 1),
        Stage(3, 2, 2, 8, 1),
        Stage(3, 2, 2, 16, 1),
        Stage(3, 2, 2, 16, 1),
        Stage(3, 2, 2, 16, 1),
    ),
    decoder=(16, 16, 8, 8),
    top=16,
    refined=(1, 1, 1, 0),
)
"""For tests: the same shapes at the ends, nothing learned."""


class Encoder(nn.Module):
    """[B, 3, H, W] -> features at 1/2, 1/4, 1/8, 1/16 and 1/32, each the last of its size."""

    def __init__(self, config: LiteConfig):
        super().__init__()
        self.stem = nn.Sequential(
            SameConv(3, config.stem, 3, 2), norm(config.stem), nn.ReLU6(inplace=True)
        )
        blocks: list[Block] = []
        self.taps: list[int] = []  # the blocks whose result is the last of its size
        self.channels: list[int] = []
        width = config.stem
        for stage in config.stages:
            if stage.stride == 2:
                self.taps.append(len(blocks) - 1)
                self.channels.append(width)
            for k in range(stage.blocks):
                stride = stage.stride if k == 0 else 1
                blocks.append(Block(width, stage.channels, stage.kernel, stride, stage.expand))
                width = stage.channels
        self.taps.append(len(blocks) - 1)
        self.channels.append(width)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        features: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.taps:
                features.append(x)
        return features


class LiteNetwork(nn.Module):
    """See the module. Height and width must be multiples of STRIDE."""

    def __init__(self, config: LiteConfig = LITE):
        super().__init__()
        self.encoder = Encoder(config)
        c2, c4, c8, c16, c32 = self.encoder.channels
        d16, d8, d4, d2 = config.decoder
        self.top = nn.Sequential(
            nn.Conv2d(c32, config.top, 1, bias=False), norm(config.top), nn.ReLU(inplace=True)
        )
        self.context = nn.Linear(c32, config.top)  # what the whole picture shows
        self.refinements = nn.ModuleList(
            [
                refinement(config.top, config.refined[0], 4, attentive=True),
                refinement(d16, config.refined[1], 4, attentive=True),
                refinement(d8, config.refined[2], 4, attentive=False),
                refinement(d4, config.refined[3], 2, attentive=False),
            ]
        )
        self.joins = nn.ModuleList(
            [
                Join(config.top, c16, d16, (3, 5)),
                Join(d16, c8, d8, (3, 5)),
                Join(d8, c4, d4, (3, 5)),
                Join(d4, c2, d2, (5,)),  # at this size every filter is dear
            ]
        )
        self.head = nn.Conv2d(d2, 2, 3, padding=1)
        with torch.no_grad():  # starts at about 2.7 m, the second layer a little behind
            self.head.bias = nn.Parameter(torch.tensor([-1.0, -2.0]))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, H, W] from :func:`normalised` -> y [B, 2, H/2, W/2], see the module."""
        if x.shape[-1] % STRIDE or x.shape[-2] % STRIDE:
            raise ValueError(
                f"got {tuple(x.shape)}, expected multiples of {STRIDE} in the last two"
            )
        return self.layers(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] -> the decoder's last map, [B, C, H/2, W/2]."""
        *skips, deepest = self.encoder(x)
        t: Tensor = self.top(deepest) + self.context(deepest.mean((2, 3)))[:, :, None, None]
        for refine, join, skip in zip(self.refinements, self.joins, reversed(skips), strict=True):
            t = join(refine(t), skip)
        return t

    def layers(self, features: Tensor) -> Tensor:
        """That map -> y [B, 2, H/2, W/2]."""
        visible, gap = self.head(features).split(1, 1)
        return torch.cat([visible, visible - functional.softplus(gap)], 1)


def normalised(rgb: Tensor) -> Tensor:
    """Pixels [B, H, W, 3], sRGB 0 to 255, any dtype -> the network's input [B, 3, H, W] float32."""
    return (rgb.permute(0, 3, 1, 2).float() - 127) / 128  # EfficientNet-Lite's


def metric_depth(y: Tensor, focal_px: float) -> Tensor:
    """The network's output [..., H, W] -> depth in metres, within NEAR_M to FAR_M.

    focal_px is the focal length in pixels of the network's input: the photo's own, times W / w.
    """
    return (torch.exp(-y) * (focal_px / CANONICAL_FOCAL_PX)).clamp(NEAR_M, FAR_M)


def load_lite(path: Path | None = None, device: str = "cpu") -> LiteNetwork:
    """The network with trained weights, in float32 and ready to predict.

    Args:
        path: a safetensors file in place of the packaged one.
        device: a torch device.

    Raises:
        ModelError: no such file, or weights of another network.
    """
    network = LiteNetwork()
    try:
        tensors = load_bytes(_read(path))
        if not any(name.startswith(REFINEMENTS) for name in tensors):  # a file from before them
            fresh = network.state_dict()
            tensors |= {name: fresh[name] for name in fresh if name.startswith(REFINEMENTS)}
        network.load_state_dict({name: t.float() for name, t in tensors.items()})
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot read the weights {path or 'of lite'}: {error}") from error
    except RuntimeError as error:
        raise ModelError(f"{path} holds the weights of another network than lite") from error
    return network.to(device).eval()


def _read(path: Path | None) -> bytes:
    if path is not None:
        return path.read_bytes()
    return (resources.files("sharp_xr.model") / "weights" / "lite.safetensors").read_bytes()
