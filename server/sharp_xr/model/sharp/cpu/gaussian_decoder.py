"""The Gaussian decoder on a CPU; the same function as ../gaussian_decoder.py on maps [h, w, C]."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from sharp_xr.model.sharp.config import LAYERS, SharpConfig
from sharp_xr.model.sharp.cpu.decoder import Decoder, convolution, refined
from sharp_xr.model.sharp.cpu.encoder import Features
from sharp_xr.model.sharp.cpu.group_norm import group_norm
from sharp_xr.model.sharp.cpu.packed import Linear, Weights

PREFIX = "feature_model"


class GaussianDecoder:
    """Reads its weights step by step."""

    def __init__(
        self, weights: Weights, config: SharpConfig, step: Callable[[float], None]
    ) -> None:
        """``step`` is told the done fraction after each few convolutions."""
        self._weights = weights
        self._config = config
        self._step = step

    def __call__(self, initial: Tensor, features: Features) -> Tensor:
        """[1, 5, S, S] -> deltas [1, 14, 2, S/2, S/2] in float32."""
        skip = self._image_encoder(initial)
        x = self._decoded(features)
        x += refined(self._weights, f"{PREFIX}.fusion.resnet1", skip)
        del skip
        self._step(0.5)
        x = refined(self._weights, f"{PREFIX}.fusion.resnet2", x)
        self._step(0.6)
        x = self._linear(f"{PREFIX}.fusion.out_conv")(x)
        # Both heads begin with a norm of the same map.
        geometry = self._head("geometry", x.clone())
        self._step(0.8)
        return torch.cat([geometry, self._head("texture", x)], dim=1)

    def _decoded(self, features: Features) -> Tensor:
        has_lateral = self._config.encoder_dims[0] != self._config.gaussian_dim
        decoder = Decoder(
            self._weights, f"{PREFIX}.decoder", has_lateral, lambda part: self._step(0.4 * part)
        )
        x = decoder(features)
        return self._linear(f"{PREFIX}.decoder.fusions.0.out_conv")(x)

    def _image_encoder(self, initial: Tensor) -> Tensor:
        """A 2 x 2 convolution of stride 2 is a linear layer on blocks of pixels."""
        name = f"{PREFIX}.image_encoder.conv"
        _, channels, height, width = initial.shape
        blocks = initial.view(channels, height // 2, 2, width // 2, 2).permute(1, 3, 0, 2, 4)
        weight = self._weights(f"{name}.weight").flatten(1)
        layer = Linear(weight, self._weights(f"{name}.bias"))
        return layer(blocks.reshape(height // 2, width // 2, -1))

    def _head(self, kind: str, x: Tensor) -> Tensor:
        """Features and their prediction: deltas [1, A, 2, h, w]; ``x`` is changed."""
        for index in (0, 1):
            prefix = f"{PREFIX}.{kind}_head.{index}.residual"
            narrow = convolution(self._weights, f"{prefix}.2")
            wide = convolution(self._weights, f"{prefix}.5")
            inner = self._normed(f"{prefix}.3", narrow(self._normed(f"{prefix}.0", x)))
            x = wide(inner, add=x, out=x)
        features = self._linear(f"{PREFIX}.{kind}_head.3")(x.relu_()).relu_()
        name = f"prediction_head.{kind}_prediction_head"
        weight, bias = self._weights(f"{name}.weight"), self._weights(f"{name}.bias")
        deltas = functional.linear(features, weight.flatten(1), bias)
        height, width, _ = deltas.shape
        return deltas.permute(2, 0, 1).reshape(1, -1, LAYERS, height, width)

    def _normed(self, name: str, x: Tensor) -> Tensor:
        """relu(GroupNorm(x)), as a new map."""
        weight, bias = self._weights(f"{name}.weight"), self._weights(f"{name}.bias")
        groups = self._config.gaussian_groups
        return group_norm(x, groups, weight, bias).relu_()

    def _linear(self, name: str) -> Linear:
        weight = self._weights(f"{name}.weight").flatten(1)
        return Linear(weight, self._weights(f"{name}.bias"))
