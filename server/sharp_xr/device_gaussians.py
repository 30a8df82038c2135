"""Gaussians that a network left on a GPU: a renderer there takes them as they are.

That holds across processes as well: a prediction process shares its GPU's memory (CUDA IPC).
Everybody else sees plain :class:`Gaussians`: an array comes to the host when it is first asked for,
which is after the first frame (a file, a thumbnail).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from sharp_xr.gaussians import Float32, Gaussians


@dataclass(frozen=True)
class DeviceTensors:
    """The fields of :class:`Gaussians`, float32, all on one device."""

    means: Tensor
    covariances: Tensor
    colors: Tensor
    opacities: Tensor

    def __getitem__(self, keep: Tensor) -> DeviceTensors:
        """Those that a mask on the device chooses."""
        return DeviceTensors(
            self.means[keep], self.covariances[keep], self.colors[keep], self.opacities[keep]
        )


class DeviceGaussians(Gaussians):
    """See the module."""

    tensors: DeviceTensors

    def __init__(self, tensors: DeviceTensors) -> None:
        """Raises ValueError: shapes that do not fit each other."""
        count = len(tensors.means)
        shapes = [tuple(tensor.shape) for tensor in vars(tensors).values()]
        if shapes != [(count, 3), (count, 6), (count, 3), (count,)]:
            raise ValueError(f"means, covariances, colors and opacities have shapes {shapes}")
        object.__setattr__(self, "tensors", tensors)

    def __len__(self) -> int:
        return len(self.tensors.means)

    @cached_property
    def means(self) -> Float32:
        """As of Gaussians."""
        return _host(self.tensors.means)

    @cached_property
    def covariances(self) -> Float32:
        """As of Gaussians."""
        return _host(self.tensors.covariances)

    @cached_property
    def colors(self) -> Float32:
        """As of Gaussians."""
        return _host(self.tensors.colors)

    @cached_property
    def opacities(self) -> Float32:
        """As of Gaussians."""
        return _host(self.tensors.opacities)

    def finite(self) -> tuple[Gaussians, int]:
        """As of Gaussians; only a number comes to the host."""
        parts = vars(self.tensors).values()
        keep = torch.stack([part.isfinite().view(len(self), -1).all(1) for part in parts]).all(0)
        dropped = len(self) - int(keep.count_nonzero())
        return (DeviceGaussians(self.tensors[keep]) if dropped else self), dropped

    def refocused(self, ratio: float) -> DeviceGaussians:
        """As of Gaussians; stays on the device."""
        along = self.tensors.means.new_tensor([1, 1, ratio])
        twice = self.tensors.means.new_tensor([1, 1, ratio, 1, ratio, ratio * ratio])
        return DeviceGaussians(
            DeviceTensors(
                self.tensors.means * along,
                self.tensors.covariances * twice,
                self.tensors.colors,
                self.tensors.opacities,
            )
        )

    def depth_quantile(self, share: float) -> float | None:
        """As of Gaussians; only a number comes to the host."""
        depths = self.tensors.means[:, 2]
        depths = depths[depths > 0]
        if not len(depths):
            return None
        # torch.quantile takes at most 16 million numbers; a nearest rank is near enough here.
        rank = 1 + round(share * (len(depths) - 1))
        return float(depths.kthvalue(rank).values)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process gets the memory on the GPU, not the numbers through the host."""
        if sys.platform == "win32":  # torch shares no CUDA memory there
            arrays = self.means, self.covariances, self.colors, self.opacities
            return Gaussians, arrays
        return _received, tuple(vars(self.tensors).values())


def _received(*shared: Tensor) -> DeviceGaussians:
    """A copy of its own, on the device: the process that shares the tensors may end."""
    return DeviceGaussians(DeviceTensors(*(tensor.clone() for tensor in shared)))


def _host(tensor: Tensor) -> NDArray[Any]:
    return tensor.cpu().numpy()
