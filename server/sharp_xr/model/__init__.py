"""A photo in, Gaussians out: predictors and how to get one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from sharp_xr.gaussians import Gaussians
from sharp_xr.photo import Photo

__all__ = [
    "MODEL_NAMES",
    "Identified",
    "ModelError",
    "Precision",
    "Predictor",
    "Progress",
    "WarmsUp",
    "check_name",
    "file_mark",
    "load_predictor",
    "silent",
]

MODEL_NAMES = ("lite", "sharp")
"""What ``--model`` takes, besides files of weights (``family.py``)."""

Precision = Literal["auto", "fp32", "bf16"]
"""What a network computes in; auto is bf16 where the hardware has it, else fp32."""


class Progress(Protocol):
    """Told how the work goes on; what it raises ends the work and comes out of ``predict``."""

    def __call__(self, fraction: float, detail: str = "", /) -> None:
        """``fraction`` of the whole, 0 to 1; ``detail`` for a person, as "tile 12 of 35"."""
        ...


def silent(fraction: float, detail: str = "", /) -> None:
    """The progress that nobody wants to know."""


class ModelError(Exception):
    """A predictor could not be made or run; the message is one sentence for the user."""


class Predictor(Protocol):
    """Turns one photo into metric Gaussians in the photo camera's axes (OpenCV)."""

    @property
    def name(self) -> str:
        """As in ``--model``."""
        ...

    def predict(self, photo: Photo, progress: Progress = silent) -> Gaussians:
        """All Gaussians of the photo, metric by its focal length."""
        ...


@runtime_checkable
class WarmsUp(Protocol):
    """A predictor whose first photo would wait for something that can be done before it comes."""

    def warm_up(self) -> None:
        """Seconds at most."""
        ...


@runtime_checkable
class Identified(Protocol):
    """A predictor that says which of its kind it is."""

    @property
    def identity(self) -> str:
        """Weights and precision, as far as its name leaves them open. Results of equal identity
        are equal, so that they need not be made twice."""
        ...


def load_predictor(
    name: str,
    checkpoint: Path | None = None,
    device: str = "cpu",
    precision: Precision = "auto",
    *,
    compiled: bool = False,
) -> Predictor:
    """The predictor of that name, its weights loaded.

    Args:
        name: one of :data:`MODEL_NAMES`.
        checkpoint: weights in place of the packaged (lite) or the fetched ones (sharp).
        device: a torch device, "cpu" or "cuda:0".
        precision: of sharp; lite is too small for it to matter.
        compiled: put sharp through torch.compile on a GPU; a CPU has its own forward pass.

    Raises:
        ModelError: an unknown name, weights that are missing or do not fit, or no such device.
    """
    match name:
        case "lite":
            from sharp_xr.model.lite_gaussians_file import holds_lite_gaussians

            if checkpoint is not None and holds_lite_gaussians(checkpoint):
                from sharp_xr.model.lite_gaussians_predictor import LiteGaussiansPredictor

                return LiteGaussiansPredictor(checkpoint, device)
            from sharp_xr.model.lite import LitePredictor

            return LitePredictor(checkpoint, device)
        case "sharp":
            from sharp_xr.model.sharp.predictor import SharpPredictor
            from sharp_xr.model.sharp.released import find_sharp_weights

            weights = checkpoint or find_sharp_weights()
            return SharpPredictor(weights, device, precision, compiled=compiled)
        case _:
            raise _unknown(name)


def file_mark(checkpoint: Path) -> str:
    """Tells files of weights apart, by size and time: their content would take seconds to hash."""
    there = checkpoint.stat()
    return f"{checkpoint.name} {there.st_size} {there.st_mtime_ns}"


def check_name(name: str) -> None:
    """Raises ModelError for a name that is none of :data:`MODEL_NAMES`."""
    if name not in MODEL_NAMES:
        raise _unknown(name)


def _unknown(name: str) -> ModelError:
    return ModelError(f"there is no model {name!r}, wanted one of {', '.join(MODEL_NAMES)}")
