"""Predictors that do at once what real ones do seldom. A worker's child imports them by name."""

from __future__ import annotations

import os
import threading
from enum import IntEnum
from pathlib import Path

import numpy as np
from tests.server.straw import some_gaussians

from sharp_xr.gaussians import Gaussians
from sharp_xr.model import ModelError, Predictor, Progress
from sharp_xr.photo import Photo


class Width(IntEnum):
    """Of photos, in pixels: what :class:`Obedient` does at it. It takes all others."""

    HANGS = 40
    CRASHES = 41
    RAISES = 42
    REFUSES = 43
    EMPTY = 44
    BROKEN = 45


class Obedient:
    """Two Gaussians of each photo, unless its width orders something else."""

    name = "obedient"

    def predict(self, photo: Photo, progress: Progress = lambda fraction: None) -> Gaussians:
        progress(0.5)
        match photo.width:
            case Width.HANGS:
                threading.Event().wait()
            case Width.CRASHES:
                os.abort()
            case Width.RAISES:
                raise RuntimeError("two\nlines")
            case Width.REFUSES:
                raise ModelError("the model wants a brighter photo")
            case Width.EMPTY:
                return some_gaussians(0)
            case Width.BROKEN:
                gaussians = some_gaussians(3)
                gaussians.means[1] = np.nan
                return gaussians
        progress(1.0)
        return some_gaussians(2)


def obedient(name: str, checkpoint: Path | None, device: str) -> Predictor:
    """As load_predictor."""
    return Obedient()


def unloadable(name: str, checkpoint: Path | None, device: str) -> Predictor:
    """Its weights are missing."""
    raise ModelError(f"the weights of {name} on {device} are missing")


def endless(name: str, checkpoint: Path | None, device: str) -> Predictor:
    """Never loaded."""
    threading.Event().wait()
    raise AssertionError("unreachable")


def crashing(name: str, checkpoint: Path | None, device: str) -> Predictor:
    """Takes its process with it."""
    os._exit(3)
