"""The SHARP network (Mescheder et al. 2025, arXiv 2512.10685): one photo in, 3D Gaussians out.

    image [B, 3, 1536, 1536], 0..1
      |  2 v - 1
      v
    monodepth_model   depth.py             disparity of two layers [B, 2, 1536, 1536], e0 ... e4
      |                 pyramid.py, vit.py   encoder: 35 tiles through one ViT, one through another
      |                 decoder.py           five scales -> one
      v
    metric_depth      initializer.py       metres = (f_px / width) / disparity
      |  x depth_alignment (training only)   depth_alignment.py
      v
    initialize        initializer.py       2 x 768 x 768 base Gaussians; 5 channels of features
      v
    feature_model     gaussian_decoder.py  e0 ... e4 and those features -> geometry, texture
      v
    prediction_head   gaussian_decoder.py  14 corrections for each Gaussian
      v
    compose           composer.py          Gaussians, x and y still relative to the view
      v
    unproject         unprojection.py      metres, covariances

"Section" in these files is one of the specification that README.md here sums up. This is the
definition, used for training and on CUDA; cpu/ is the same function arranged for a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from sharp_xr.model.sharp.composer import NdcGaussians, compose
from sharp_xr.model.sharp.config import SHARP, SharpConfig
from sharp_xr.model.sharp.depth import DepthModel
from sharp_xr.model.sharp.depth_alignment import DepthAlignment
from sharp_xr.model.sharp.gaussian_decoder import GaussianDecoder, PredictionHead
from sharp_xr.model.sharp.initializer import Base, initialize, metric_depth


@dataclass(frozen=True)
class Parts:
    """A prediction and what it is made of, which training's losses ask for."""

    gaussians: NdcGaussians
    base: Base
    delta: Tensor
    """[B, 14, L, h, w] raw corrections of the base."""
    depth: Tensor
    """[B, 2, S, S] metres, after adjustment."""
    scale: Tensor | None
    """[B, 1, S, S] the adjustment; None without true depth."""


class SharpNetwork(nn.Module):
    """See the module. Names and shapes of the state dict are the released checkpoint's."""

    def __init__(self, config: SharpConfig = SHARP) -> None:
        super().__init__()
        self.config = config
        self.monodepth_model = DepthModel(config)
        self.feature_model = GaussianDecoder(config)
        self.prediction_head = PredictionHead(config)
        self.depth_alignment = DepthAlignment(config)

    @staticmethod
    def half_view(height: int, width: int) -> tuple[float, float]:
        """Pixels of one unit of NDC along x and y, in a picture of that size."""
        return width / 2, height / 2

    def forward(
        self, image: Tensor, disparity_factor: Tensor, true_depth: Tensor | None = None
    ) -> NdcGaussians:
        """Predicts; see :meth:`parts`."""
        return self.parts(image, disparity_factor, true_depth).gaussians

    def parts(
        self, image: Tensor, disparity_factor: Tensor, true_depth: Tensor | None = None
    ) -> Parts:
        """Predicts.

        Args:
            image: [B, 3, S, S] sRGB 0..1, the photo squeezed into a square (S is 1536).
            disparity_factor: [B] the photo's focal length over its width, both in its pixels.
            true_depth: [B, 1, S, S] metres, in training; predicted depth is brought to its scale.
                Where it is 0 it is not known, and taken for right.
        """
        disparity, features = self.monodepth_model(image * 2.0 - 1.0)
        depth = metric_depth(disparity, disparity_factor)
        scale = None
        if true_depth is not None:
            scale = self.depth_alignment(depth, true_depth)
            depth = depth * scale
        base, initial = initialize(image, depth)
        geometry, texture = self.feature_model(initial, features)
        delta = self.prediction_head(geometry, texture)
        return Parts(compose(base, delta), base, delta, depth, scale)
