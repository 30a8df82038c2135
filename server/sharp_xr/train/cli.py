"""`sharp-xr train lite-data` and `sharp-xr train lite`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import tyro

from sharp_xr.train.data.lite_data import LiteData
from sharp_xr.train.depth_training import TrainLite

Command = (
    Annotated[LiteData, tyro.conf.subcommand("lite-data")]
    | Annotated[TrainLite, tyro.conf.subcommand("lite")]
)


def main(args: Sequence[str]) -> int:
    """Does what the words after `sharp-xr train` say. Returns the exit code."""
    from sharp_xr.train.data.furniture import AssetError

    command = tyro.cli(
        Command,
        args=args,
        prog="sharp-xr train",
        description="How the embedded model is made: draw scenes, then train on them.",
    )
    try:
        command.run()
    except (AssetError, FileNotFoundError) as error:
        print(f"sharp-xr: {error}", file=sys.stderr)
        return 1
    return 0
