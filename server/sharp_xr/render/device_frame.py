"""A frame that is still on the GPU: only what is asked for crosses to the host, and once.

A film or a thumbnail asks for ``rgb``, seldom anybody for depth. The stream takes the tensor, and
what crosses then is what its encoder wants (stream/colour.py): 1.5 bytes a pixel, not 20.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render import Frame

if TYPE_CHECKING:  # who has no tensors need not wait for torch
    from torch import Tensor


@dataclass(frozen=True)
class FrameTensors:
    """The fields of :class:`Frame`, float32, all on one device."""

    rgb: Tensor
    depth: Tensor
    alpha: Tensor


class DeviceFrame(Frame):
    """See the module."""

    tensors: FrameTensors

    def __init__(self, tensors: FrameTensors) -> None:
        object.__setattr__(self, "tensors", tensors)

    @cached_property
    def rgb(self) -> Float32:
        """As of Frame."""
        return to_host(self.tensors.rgb)

    @cached_property
    def depth(self) -> Float32:
        """As of Frame."""
        return to_host(self.tensors.depth)

    @cached_property
    def alpha(self) -> Float32:
        """As of Frame."""
        return to_host(self.tensors.alpha)


def to_host(tensor: Tensor) -> NDArray[Any]:
    """The one way off the device; waits until the device has drawn."""
    return tensor.cpu().numpy()
