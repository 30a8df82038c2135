"""`sharp-xr train run`: a stage, from its first step or from where it was cut off, to its last.

sharp-xr train run --stage 1 --config lite --data data/synth --out runs/lite-gaussians
torchrun --nproc-per-node 8 -m sharp_xr.train.running --stage 1 --config sharp ...
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import tyro
from tyro.conf import arg

from sharp_xr.model import ModelError
from sharp_xr.perceptual import PerceptualError
from sharp_xr.train.journal import Journal
from sharp_xr.train.processes import Processes, processes
from sharp_xr.train.run import Run
from sharp_xr.train.samples import Samples
from sharp_xr.train.sheets import sheet
from sharp_xr.train.stages import NAMED, Stage, Stage2, StageError, configured, written

CONFIG = "config.json"
"""A run's settings, in its folder."""
SHEET_ROWS = 4
SHEET_STEP = 1 << 40
"""The step whose batch the sheets show: no training comes that far."""


@dataclass(frozen=True)
class Which:
    """Which stage, set how; all other options are the stage's fields."""

    stage: Literal[1, 2] = 1
    config: Annotated[str, arg(metavar="|".join(NAMED) + "|FILE")] = "lite"


def stage_of(args: Sequence[str]) -> Stage:
    """The stage that the words after `sharp-xr train run` set. Ends the process for --help.

    Raises:
        StageError: there is no such configuration.
    """
    which, rest = tyro.cli(Which, args=args, return_unknown_args=True, add_help=False)
    default = configured(which.stage, which.config)
    stage: Stage = tyro.cli(
        type(default),
        args=rest,
        default=default,
        prog=f"sharp-xr train run --stage {which.stage} --config {which.config}",
    )
    return stage


def run(stage: Stage, samples: Samples, world: Processes) -> Run:
    """Trains to the end. Returns the run, whose average is what it came to.

    Raises:
        StageError, ShardError, ModelError, PerceptualError: something that it needs is not there.
    """
    training = Run(stage, samples, world)
    training.resume()
    training.agree()
    journal = Journal(stage.out, training.step, stage.steps) if world.is_first else None
    if journal is not None:
        (stage.out / CONFIG).write_bytes(written(stage))
    try:
        while training.step < stage.steps:
            rate = stage.rate(training.step)
            values = training.one_step()
            if journal is not None:
                journal.tell(training.step, rate, values)
                if training.step % stage.sheet_every == 0 or training.step == stage.steps:
                    shown = training.batch(SHEET_STEP, range(SHEET_ROWS))
                    journal.show(training.step, sheet(training.step_module, shown))
            if training.step % stage.save_every == 0 or training.step == stage.steps:
                training.save()
    finally:
        training.close()
        if journal is not None:
            journal.end(f"{training.step} of {stage.steps} steps are done, see {stage.out}")
    return training


def open_samples(stage: Stage) -> Samples:
    """What a stage trains on.

    Raises:
        ShardError, StageError: there is nothing in its folder.
    """
    if isinstance(stage, Stage2):
        from sharp_xr.train.data.photo_folder import PhotoFolder

        return PhotoFolder(stage.data)
    from sharp_xr.train.data.reading import ShardSamples

    return ShardSamples(stage.data)


def main(args: Sequence[str]) -> int:
    """Does what the words after `sharp-xr train run` say. Returns the exit code."""
    from sharp_xr.train.data.shards import ShardError

    try:
        stage = stage_of(args)
        stage.checked()
        _find_device(stage)
        torch.set_num_threads(stage.threads)
        samples = open_samples(stage)
        with processes(stage.device) as world:
            run(stage, samples, world)
    except (StageError, ShardError, ModelError, PerceptualError, OSError) as error:
        print(f"sharp-xr: {error}", file=sys.stderr)
        return 1
    return 0


def _find_device(stage: Stage) -> None:
    """Raises StageError: a GPU is wanted that torch has not."""
    if stage.device != "cpu" and not torch.cuda.is_available():
        raise StageError(
            f"torch {torch.__version__} has no GPU here, and device is {stage.device!r}: "
            "--device cpu trains without"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
