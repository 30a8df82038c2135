"""How near an implementation of the network is to the oracle, and how near it has to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tests.server.model.sharp import oracle
from tests.server.model.sharp.oracle import Prediction, State
from tests.server.model.sharp.random_weights import random_state
from torch import Tensor

from sharp_xr.gaussians import COVARIANCE_ENTRIES
from sharp_xr.model import silent
from sharp_xr.model.sharp.composer import NdcGaussians
from sharp_xr.model.sharp.config import SharpConfig
from sharp_xr.model.sharp.cpu.engine import Engine
from sharp_xr.model.sharp.network import SharpNetwork
from sharp_xr.model.sharp.preparation import squeezed
from sharp_xr.model.sharp.unprojection import unproject

Implementation = Callable[[NDArray[np.uint8], float, State, SharpConfig], Prediction]
"""Image [height, width, 3], focal length over width, checkpoint -> float32 Gaussians."""


@dataclass(frozen=True)
class Errors:
    """The largest ones of a prediction, both layers, but for the covariance."""

    position: float
    """Of a mean, any axis, relative to its depth."""
    covariance: float
    """Of the matrix, relative to its Frobenius norm; 999 of 1000 are nearer."""
    worst_covariance: float
    """The largest one."""
    color: float
    opacity: float

    def __le__(self, bars: Errors) -> bool:
        """False also for a NaN."""
        return (
            self.position <= bars.position
            and self.covariance <= bars.covariance
            and self.worst_covariance <= bars.worst_covariance
            and self.color <= bars.color
            and self.opacity <= bars.opacity
        )


BARS = Errors(position=1e-4, covariance=3e-5, worst_covariance=1e-4, color=1e-5, opacity=1e-5)
"""What float32 may differ by. A random network has quaternions near zero, and the rotation of such
a one is any rounding error upstream many times over: the worst says less than the rest."""


def errors(ours: Prediction, wanted: Prediction) -> Errors:
    """Compares Gaussian by Gaussian."""
    depth = wanted.means[:, 2:]
    covariance = (ours.covariances - wanted.covariances).flatten(1).norm(dim=1)
    covariance = covariance / wanted.covariances.flatten(1).norm(dim=1)
    return Errors(
        position=float(((ours.means - wanted.means).abs() / depth).max()),
        covariance=float(covariance.quantile(0.999)),
        worst_covariance=float(covariance.max()),
        color=float((ours.colors - wanted.colors).abs().max()),
        opacity=float((ours.opacities - wanted.opacities).abs().max()),
    )


def weights(config: SharpConfig, seed: int = 0) -> dict[str, Tensor]:
    """A random checkpoint, float32."""
    with torch.device("meta"):
        network = SharpNetwork(config)
    return random_state({name: t.shape for name, t in network.state_dict().items()}, seed)


def reference(
    image: NDArray[np.uint8], disparity_factor: float, state: State, config: SharpConfig
) -> Prediction:
    """The oracle in float64."""
    precise = {name: tensor.double() for name, tensor in state.items()}
    return oracle.predict(image, disparity_factor, precise, config.vit_heads, config.hooks)


class StateWeights:
    """A checkpoint in memory as the CPU's engine reads one."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __call__(self, key: str, /) -> Tensor:
        return self._state[key]

    def release(self) -> None:
        pass


def engine(
    image: NDArray[np.uint8],
    disparity_factor: float,
    state: State,
    config: SharpConfig,
    dtype: torch.dtype = torch.float32,
) -> Prediction:
    """The CPU's arrangement of it, ``cpu.engine.Engine``."""
    forward = Engine(StateWeights(state), config, dtype)
    square, factor = squeezed(image, config.side_px), torch.tensor([disparity_factor])
    return metric(forward(square, factor, silent), image, disparity_factor)


@torch.no_grad()
def modules(
    image: NDArray[np.uint8], disparity_factor: float, state: State, config: SharpConfig
) -> Prediction:
    """The network's definition, ``SharpNetwork``, as an implementation."""
    network = SharpNetwork(config)
    network.load_state_dict(dict(state))
    ndc = network(squeezed(image, config.side_px), torch.tensor([disparity_factor]))
    return metric(ndc, image, disparity_factor)


def metric(ndc: NdcGaussians, image: NDArray[np.uint8], disparity_factor: float) -> Prediction:
    """Unprojected."""
    height, width, _ = image.shape
    means, covariances = unproject(ndc, width, height, disparity_factor * width)
    return Prediction(means[0], symmetric(covariances[0]), ndc.colors[0], ndc.opacities[0])


def symmetric(upper: Tensor) -> Tensor:
    """[N, 6] of the upper triangle -> [N, 3, 3]."""
    full = upper.new_empty(len(upper), 3, 3)
    for k, (i, j) in enumerate(COVARIANCE_ENTRIES):
        full[:, i, j] = full[:, j, i] = upper[:, k]
    return full
