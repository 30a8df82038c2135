"""A photo in, Gaussians out: predictors and how to get one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sharp_xr.gaussians import Gaussians
from sharp_xr.photo import Photo

__all__ = ["MODEL_NAMES", "ModelError", "Predictor", "Progress", "load_predictor"]

MODEL_NAMES = ("lite",)
"""What ``--model`` takes."""

Progress = Callable[[float], None]
"""Told the done fraction, 0 to 1, as the work goes on."""


class ModelError(Exception):
    """A predictor could not be made or run; the message is one sentence for the user."""


class Predictor(Protocol):
    """Turns one photo into metric Gaussians in the photo camera's axes (OpenCV)."""

    @property
    def name(self) -> str:
        """As in ``--model``."""
        ...

    def predict(self, photo: Photo, progress: Progress = lambda fraction: None) -> Gaussians:
        """All Gaussians of the photo, metric by its focal length."""
        ...


def load_predictor(name: str, checkpoint: Path | None = None, device: str = "cpu") -> Predictor:
    """The predictor of that name, its weights loaded.

    Args:
        name: one of :data:`MODEL_NAMES`.
        checkpoint: weights in place of the packaged ones.
        device: a torch device, "cpu" or "cuda:0".

    Raises:
        ModelError: an unknown name, or weights that do not fit.
    """
    match name:
        case "lite":
            from sharp_xr.model.lite import LitePredictor

            return LitePredictor(checkpoint, device)
        case _:
            raise ModelError(f"there is no model {name!r}, wanted one of {', '.join(MODEL_NAMES)}")
