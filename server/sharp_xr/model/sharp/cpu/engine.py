"""SHARP's forward pass on a CPU: the same function as ../network.py, in little memory.

    picture --Encoder--> features --Decoder, DepthHead--> disparity --> depth --> base Gaussians
                            |                                                       |
                            +-------------------GaussianDecoder---------------------+--> deltas

Weights stay where they are (a file mapped into memory) and each part reads its own when its turn
comes. ``dtype`` is that of the transformers' matrices, three quarters of the work: behind them all
is float32, where Winograd's convolutions are quicker than direct ones in bf16, and exact.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sharp_xr.model import Progress
from sharp_xr.model.sharp.composer import NdcGaussians, compose
from sharp_xr.model.sharp.config import SharpConfig
from sharp_xr.model.sharp.cpu.decoder import Decoder
from sharp_xr.model.sharp.cpu.depth_head import DepthHead
from sharp_xr.model.sharp.cpu.encoder import Encoder, Features
from sharp_xr.model.sharp.cpu.gaussian_decoder import GaussianDecoder
from sharp_xr.model.sharp.cpu.packed import Weights
from sharp_xr.model.sharp.initializer import initialize, metric_depth
from sharp_xr.model.sharp.pyramid import TILES

PREDICTOR = "monodepth_model.monodepth_predictor"

SHARES = {"encoder": 0.70, "depth": 0.87, "gaussians": 1.0}
"""The done fraction of all work at the end of each stage; float32 and bf16 hardly differ."""


class Engine:
    """See the module."""

    def __init__(self, weights: Weights, config: SharpConfig, dtype: torch.dtype) -> None:
        self._weights = weights
        self._config = config
        self._dtype = dtype

    def warm_up(self) -> None:
        """Nothing: a photo takes minutes, and what is read or compiled first a second of them."""

    @torch.inference_mode()
    def __call__(
        self,
        image: Tensor,
        disparity_factor: Tensor,
        progress: Progress,
        /,
    ) -> NdcGaussians:
        """As ``SharpNetwork.forward`` for one photo: [1, 3, S, S] 0..1, [1]."""

        def on_tile(done: float) -> None:
            detail = f"tile {min(int(done) + 1, TILES)} of {TILES}"
            progress(SHARES["encoder"] * done / TILES, detail)

        features = Encoder(self._weights, self._config, self._dtype)(image * 2 - 1, on_tile)
        progress(SHARES["encoder"], "depth")
        depth = metric_depth(self._disparity(features), disparity_factor)
        progress(SHARES["depth"], "Gaussians")
        base, initial = initialize(image, depth)
        del depth
        deltas = GaussianDecoder(self._weights, self._config)(initial, features)
        gaussians = compose(base, deltas)
        progress(SHARES["gaussians"], "")
        return gaussians

    def _disparity(self, features: Features) -> Tensor:
        """[1, 2, S, S]."""
        has_lateral = self._config.encoder_dims[0] != self._config.depth_dim
        decoder = Decoder(self._weights, f"{PREDICTOR}.decoder", has_lateral)
        return DepthHead(self._weights, PREDICTOR)(decoder(features))
