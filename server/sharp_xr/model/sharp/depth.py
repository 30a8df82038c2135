"""The depth model: a picture in, the disparity of two layers out (sections 2 and 3).

    picture --encoder--> e0 ... e4 --decoder--> [B, 256, S/2, S/2] --head--> [B, 2, S, S]

Depth Pro (Bochkovskii et al. 2024) with a head for two layers: the visible surface and the one
behind it. Disparity is the network's unit: metric depth = (f_px / width) / disparity.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sharp_xr.model.sharp.config import LAYERS, SharpConfig
from sharp_xr.model.sharp.decoder import MultiresDecoder
from sharp_xr.model.sharp.pyramid import SlidingPyramid


class DepthPredictor(nn.Module):
    """See the module. Names are the checkpoint's."""

    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        self.encoder = SlidingPyramid(config)
        self.decoder = MultiresDecoder(config.encoder_dims, config.depth_dim)
        self.head = disparity_head(config)

    def forward(self, picture: Tensor) -> tuple[Tensor, list[Tensor]]:
        """[B, 3, S, S] in -1..1 -> disparity [B, 2, S, S], not negative; and e0 ... e4."""
        features = self.encoder(picture)
        narrow = self.head[:-2](self.decoder(features))
        # Depth is one over these: in float32 also where all else is computed in bf16.
        with torch.autocast(picture.device.type, enabled=False):
            return self.head[-2:](narrow.to(picture.dtype)), features


class DepthModel(nn.Module):
    """The checkpoint's name around the predictor; no more."""

    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        self.monodepth_predictor = DepthPredictor(config)

    def forward(self, picture: Tensor) -> tuple[Tensor, list[Tensor]]:
        """As :class:`DepthPredictor`."""
        result: tuple[Tensor, list[Tensor]] = self.monodepth_predictor(picture)
        return result


def disparity_head(config: SharpConfig) -> nn.Sequential:
    """[B, C, S/2, S/2] -> [B, 2, S, S] (section 3.3); linear up to its first ReLU."""
    wide, narrow = config.depth_head_dims
    return nn.Sequential(
        nn.Conv2d(config.depth_dim, wide, 3, padding=1),
        nn.ConvTranspose2d(wide, wide, 2, stride=2),
        nn.Conv2d(wide, narrow, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(narrow, LAYERS, 1),
        nn.ReLU(),
    )
