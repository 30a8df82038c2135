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

from torch import Tensor, nn

from sharp_xr.model.sharp.composer import NdcGaussians, compose
from sharp_xr.model.sharp.config import SHARP, SharpConfig
from sharp_xr.model.sharp.depth import DepthModel
from sharp_xr.model.sharp.depth_alignment import DepthAlignment
from sharp_xr.model.sharp.gaussian_decoder import GaussianDecoder, PredictionHead
from sharp_xr.model.sharp.initializer import initialize, metric_depth


class SharpNetwork(nn.Module):
    """See the module. Names and shapes of the state dict are the released checkpoint's."""

    def __init__(self, config: SharpConfig = SHARP) -> None:
        super().__init__()
        self.config = config
        self.monodepth_model = DepthModel(config)
        self.feature_model = GaussianDecoder(config)
        self.prediction_head = PredictionHead(config)
        self.depth_alignment = DepthAlignment(config)

    def forward(
        self, image: Tensor, disparity_factor: Tensor, true_depth: Tensor | None = None
    ) -> NdcGaussians:
        """Predicts.

        Args:
            image: [B, 3, S, S] sRGB 0..1, the photo squeezed into a square (S is 1536).
            disparity_factor: [B] the photo's focal length over its width, both in its pixels.
            true_depth: [B, 1, S, S] metres, in training; predicted depth is brought to its scale.
        """
        disparity, features = self.monodepth_model(image * 2.0 - 1.0)
        depth = metric_depth(disparity, disparity_factor)
        if true_depth is not None:
            depth = depth * self.depth_alignment(depth[:, :1], true_depth)
        base, initial = initialize(image, depth)
        geometry, texture = self.feature_model(initial, features)
        return compose(base, self.prediction_head(geometry, texture))
