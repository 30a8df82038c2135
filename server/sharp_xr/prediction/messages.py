"""What the server and its predicting process say to each other, through a pipe.

    server -> child     Wish | Cancel
    child -> server     Loaded | Failed, once; then for each Wish Step..., Done | Failed

A Cancel is answered by one Cancelled, always, and then nothing of an earlier photo comes any more:
where a photo is at work, in place of its Done; else, for a Cancel that came too late, at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sharp_xr.gaussians import Gaussians
from sharp_xr.model import ModelError, Precision, Predictor
from sharp_xr.photo import PhotoError

Stage = Literal["decode", "predict"]

Load = Callable[[str, Path | None, str, Precision], Predictor]
"""As :func:`sharp_xr.model.load_predictor`; must be importable, for it is sent by name."""


@dataclass(frozen=True)
class Prediction:
    """What became of a photo."""

    width: int
    """Pixels of the upright photo."""
    height: int
    focal_px: float
    gaussians: Gaussians
    """All finite."""
    thumbnail: bytes
    """A JPEG of the photo."""
    predictor: str
    """Its identity."""
    decode_s: float
    """Seconds that reading the photo took."""
    predict_s: float
    """Seconds that the model took."""


@dataclass(frozen=True)
class Order:
    """What a child is to be, as ``PredictionWorker`` says it."""

    model: str
    checkpoint: Path | None
    device: str
    precision: Precision
    load: Load
    warm: bool
    threads: int | None
    decode_bytes: int
    niceness: int = 0
    """Added to the priority number: more lets frames go first, and a photo wait while they do."""
    thumbnail_px: int = 320
    """Its longer side."""


@dataclass(frozen=True)
class Wish:
    """A photo to be predicted."""

    data: bytes
    focal_35mm: float | None = None
    """As for :func:`sharp_xr.photo.read_photo`."""
    focal_px: float | None = None


@dataclass(frozen=True)
class Cancel:
    """Nobody wants the photo at work any more."""


@dataclass(frozen=True)
class Loaded:
    """The predictor is ready for photos."""

    identity: str
    """See :func:`sharp_xr.prediction.child.identity`."""


@dataclass(frozen=True)
class Step:
    """How far a photo is: the done fraction of its stage."""

    stage: Stage
    fraction: float
    detail: str = ""
    """For a person, where the model says it."""


@dataclass(frozen=True)
class Done:
    """The photo's last message."""

    prediction: Prediction


@dataclass(frozen=True)
class Failed:
    """The last message instead: what the caller is to raise."""

    error: PhotoError | ModelError


@dataclass(frozen=True)
class Cancelled:
    """Answers Cancel."""


Message = Loaded | Step | Done | Failed | Cancelled
