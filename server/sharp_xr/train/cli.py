"""`sharp-xr train data synth|look`, `train lite`, `train run` and `train ablate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from sharp_xr.train.ablate import Ablate
from sharp_xr.train.data.look import Look
from sharp_xr.train.data.settings import SettingError
from sharp_xr.train.data.synth import Synth
from sharp_xr.train.depth_training import TrainLite

Data = (
    Annotated[Synth, tyro.conf.subcommand("synth")] | Annotated[Look, tyro.conf.subcommand("look")]
)


@dataclass(frozen=True)
class RunStage:
    """Train a whole network: Gaussians, with rendering losses; see `sharp-xr train run --help`."""

    rest: tyro.conf.Positional[tuple[str, ...]] = ()
    """Passed on."""

    def run(self) -> None:
        """Never called: `main` passes on before."""
        raise AssertionError


Command = (
    Annotated[
        Data,
        tyro.conf.subcommand("data", description="Draw scenes into shards; look at shards."),
    ]
    | Annotated[TrainLite, tyro.conf.subcommand("lite")]
    | Annotated[RunStage, tyro.conf.subcommand("run")]
    | Annotated[Ablate, tyro.conf.subcommand("ablate")]
)


def main(args: Sequence[str]) -> int:
    """Does what the words after `sharp-xr train` say. Returns the exit code."""
    from sharp_xr.model import ModelError
    from sharp_xr.perceptual import PerceptualError
    from sharp_xr.train.data.furniture import AssetError
    from sharp_xr.train.data.shards import ShardError
    from sharp_xr.train.stages import StageError

    wrong = (AssetError, SettingError, ShardError, StageError, ModelError, PerceptualError)
    if args and args[0] == "run":  # has options that depend on each other
        from sharp_xr.train import running

        return running.main(list(args[1:]))
    command = tyro.cli(
        Command,
        args=args,
        prog="sharp-xr train",
        description="How the embedded model is made: draw scenes, then train on them.",
    )
    try:
        command.run()
    except (*wrong, FileNotFoundError) as error:
        print(f"sharp-xr: {error}", file=sys.stderr)
        return 1
    return 0
