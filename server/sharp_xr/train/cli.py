"""`sharp-xr train data synth`, `data look` and `sharp-xr train lite`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import tyro

from sharp_xr.train.data.look import Look
from sharp_xr.train.data.synth import SettingError, Synth
from sharp_xr.train.depth_training import TrainLite

Data = (
    Annotated[Synth, tyro.conf.subcommand("synth")] | Annotated[Look, tyro.conf.subcommand("look")]
)
Command = (
    Annotated[
        Data,
        tyro.conf.subcommand("data", description="Draw scenes into shards; look at shards."),
    ]
    | Annotated[TrainLite, tyro.conf.subcommand("lite")]
)


def main(args: Sequence[str]) -> int:
    """Does what the words after `sharp-xr train` say. Returns the exit code."""
    from sharp_xr.train.data.furniture import AssetError
    from sharp_xr.train.data.shards import ShardError

    command = tyro.cli(
        Command,
        args=args,
        prog="sharp-xr train",
        description="How the embedded model is made: draw scenes, then train on them.",
    )
    try:
        command.run()
    except (AssetError, SettingError, ShardError, FileNotFoundError) as error:
        print(f"sharp-xr: {error}", file=sys.stderr)
        return 1
    return 0
