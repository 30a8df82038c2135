"""A training on made-up planes as a process: python -m tests.server.train.training OUT JSON."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import msgspec
import torch
from tests.server.train.planes import Planes

from sharp_xr.train.processes import processes
from sharp_xr.train.run import Run
from sharp_xr.train.running import run
from sharp_xr.train.stages import Stage1, configured


def stage_of(out: Path, changes: dict[str, object]) -> Stage1:
    stage = configured(1, "tiny-lite")
    assert isinstance(stage, Stage1)
    return dataclasses.replace(stage, out=out, height=32, width=32, **changes)  # type: ignore[arg-type]


def train(out: Path, changes: dict[str, object]) -> Run:
    torch.set_num_threads(1)
    with processes("cpu") as world:
        return run(stage_of(out, changes), Planes(), world)


if __name__ == "__main__":
    train(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=dict[str, object]))
