"""SHARP's forward pass on a CPU: the same function as ../network.py, in little memory.

    picture --Encoder--> features --Decoder, DepthHead--> disparity --> depth --> base Gaussians
                            |                                                       |
                            +-------------------GaussianDecoder---------------------+--> deltas

Weights stay where they are (a file mapped into memory) and each part reads its own when its turn
comes. ``dtype`` is that of the transformers' matrices, three quarters of the work: behind them all
is float32, where Winograd's convolutions are quicker than direct ones in bf16, and exact.
"""

from __future__ import annotations

from collections.abc import Callable

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

ENCODED = {torch.float32: 0.8, torch.bfloat16: 0.7}
"""The share of the encoder in all work; of the rest the disparity takes a good half."""
DISPARITY = 0.55


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

        encoded = ENCODED.get(self._dtype, 0.75)

        def on_tile(done: float) -> None:
            detail = f"tile {min(int(done) + 1, TILES)} of {TILES}"
            progress(encoded * done / TILES, detail)

        def on_depth(part: float) -> None:
            progress(encoded + (1 - encoded) * DISPARITY * part, "depth")

        def on_gaussians(part: float) -> None:
            progress(encoded + (1 - encoded) * (DISPARITY + (1 - DISPARITY) * part), "Gaussians")

        features = Encoder(self._weights, self._config, self._dtype)(image * 2 - 1, on_tile)
        on_depth(0.0)
        depth = metric_depth(self._disparity(features, on_depth), disparity_factor)
        on_gaussians(0.0)
        base, initial = initialize(image, depth)
        del depth
        deltas = GaussianDecoder(self._weights, self._config, on_gaussians)(initial, features)
        gaussians = compose(base, deltas)
        progress(1.0, "")
        return gaussians

    def _disparity(self, features: Features, step: Callable[[float], None]) -> Tensor:
        """[1, 2, S, S]."""
        has_lateral = self._config.encoder_dims[0] != self._config.depth_dim
        decoder = Decoder(self._weights, f"{PREDICTOR}.decoder", has_lateral, step)
        return DepthHead(self._weights, PREDICTOR)(decoder(features))
