"""Predictors that do at once what real ones do seldom. A worker's child imports them by name."""

from __future__ import annotations

import contextlib
import os
import threading
from enum import IntEnum
from pathlib import Path

import numpy as np
from tests.server.straw import some_gaussians

from sharp_xr.gaussians import Gaussians
from sharp_xr.model import ModelError, Precision, Predictor, Progress, silent
from sharp_xr.photo import Photo


class Width(IntEnum):
    """Of photos, in pixels: what :class:`Obedient` does at it. It takes all others."""

    HANGS = 40
    PATIENT = 46
    DEAF = 47
    WARMTH = 48
    CRASHES = 41
    RAISES = 42
    REFUSES = 43
    EMPTY = 44
    BROKEN = 45


class Obedient:
    """Two Gaussians of each photo, unless its width orders something else."""

    name = "obedient"
    is_warm = False

    def warm_up(self) -> None:
        """See Width.WARMTH."""
        self.is_warm = True

    def predict(self, photo: Photo, progress: Progress = silent) -> Gaussians:
        progress(0.5, "half of it")
        match photo.width:
            case Width.HANGS:
                threading.Event().wait()
            case Width.PATIENT:
                while True:
                    progress(0.5, "half of it")
            case Width.DEAF:
                work_without_hearing(progress)
                return some_gaussians(2)
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
            case Width.WARMTH:
                return some_gaussians(2 + self.is_warm)
        progress(1.0)
        return some_gaussians(2)


def work_without_hearing(progress: Progress) -> None:
    """Until it was told to stop; then it goes on to its end all the same."""
    with contextlib.suppress(Exception):
        while True:
            progress(0.5, "half of it")


def obedient(name: str, checkpoint: Path | None, device: str, precision: Precision) -> Predictor:
    """As load_predictor."""
    return Obedient()


def unloadable(name: str, checkpoint: Path | None, device: str, precision: Precision) -> Predictor:
    """Its weights are missing."""
    raise ModelError(f"the weights of {name} on {device} are missing")


def endless(name: str, checkpoint: Path | None, device: str, precision: Precision) -> Predictor:
    """Never loaded."""
    threading.Event().wait()
    raise AssertionError("unreachable")


def crashing(name: str, checkpoint: Path | None, device: str, precision: Precision) -> Predictor:
    """Takes its process with it."""
    os._exit(3)
