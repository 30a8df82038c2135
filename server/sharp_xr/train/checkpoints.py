"""Checkpoints of trainings: written whole or not at all, read or refused in one sentence."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from sharp_xr.train.stages import StageError


def write(state: Mapping[str, object], path: Path) -> None:
    """In place of what is there."""
    part = path.with_suffix(".part")
    torch.save(dict(state), part)
    part.replace(path)


@contextmanager
def taking_up(path: Path) -> Iterator[None]:
    """Around the reading of a checkpoint and the taking up of all that it holds.

    Raises:
        StageError: something in it is missing, broken, or of another shape.
    """
    try:
        yield
    except (RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise StageError(f"{path} is no checkpoint of this run; name another --out") from error
