"""One photo against what a second camera saw: the left photo of a pair, made the right one.

    scripts/bench fidelity [--json FILE] [--pilot WEIGHTS.pt] [--checkpoint FILE] [--keep FOLDER]
                           [--quick]

Seven rectified pairs (scripts/fidelity/developers.py), scored where both cameras see. Every method
gives a depth of the left photo, and the same warp makes the right view of it (eval/warping.py):

| none | the left photo as it is |
| plane | one depth: the scene's true median; plane_metric: the mean of the other scenes' medians |
| pilot | the network before lite; needs its weights (--pilot, $SHARP_XR_PILOT), else left out |
| lite | the embedded model |
| lite_gaussians | the same, but its Gaussians are drawn, second layer and all, as users see them |
| stereo | matched in both photos: the ceiling |

Names by themselves are the column *scaled*: depth times median(true / predicted). M_metric: as it
is.

| M_psnr (dB), M_ssim, M_vgg (a distance) | means over the pairs; M_psnr_se: standard error |
| lite_over_plane_psnr, ..._se; ..._pilot_... | mean difference over the pairs, its error |
| lite_closes_psnr, ... | share of the way from plane to stereo, scaled |
| M_absrel_metric | mean of |depth - true| / true |
| photo_to_gaussians_s | a JPEG of 4000 x 2667 read and predicted, median of five, all threads |
| model_mb | the weights in the package |
"""

from __future__ import annotations

import io
import os
import sys
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image
from scripts.fidelity.developers import pairs
from scripts.fidelity.packages import HED, HED_WEIGHTS, PackageError
from scripts.figures import bench_parser, write_json

from sharp_xr.eval.judges import judges
from sharp_xr.eval.measures import Measure, perceptual
from sharp_xr.eval.pair import StereoPair
from sharp_xr.eval.predicted import left_depth
from sharp_xr.eval.scoring import (
    Scored,
    Truth,
    judge_gaussians,
    score,
    score_depth,
    standard_measures,
    truth_of,
)
from sharp_xr.eval.stereo import filled, matched_disparity
from sharp_xr.eval.table import Table
from sharp_xr.gaussians import Float32
from sharp_xr.model import ModelError, Predictor, WarmsUp, load_predictor
from sharp_xr.model.lite import LitePredictor
from sharp_xr.model.lite_gaussians_predictor import LiteGaussiansPredictor
from sharp_xr.perceptual import load_features
from sharp_xr.photo import read_photo
from sharp_xr.render import Renderer, create_renderer

Figures = dict[str, float]
Depths = dict[str, Float32]
SHOWN = ("none", "plane", "pilot", "lite", "lite_gaussians", "stereo")


def depths_of(pair: StereoPair, lite: Predictor, pilot: Path | None, renderer: Renderer) -> Depths:
    """What each network says of the left photo, metres."""
    if isinstance(lite, LitePredictor | LiteGaussiansPredictor):
        found = {"lite": lite.depth(pair.photo)}
    else:  # a checkpoint whose Gaussians are all that it says
        seen = left_depth(renderer, lite.predict(pair.photo), pair)
        found = {"lite": np.where(np.isfinite(seen), seen, np.float32(np.nanmedian(seen)))}
    if pilot is not None:
        from scripts.fidelity.pilot import load_pilot, pilot_depth

        found["pilot"] = pilot_depth(load_pilot(pilot), pair.photo)
    return found


class Bench:
    """All scores of all pairs, gathered in one table."""

    def __init__(self, scenes: list[StereoPair], by: list[Measure], keep: Path | None) -> None:
        self.scenes, self.by, self.keep = scenes, by, keep
        self.truths = [truth_of(pair) for pair in scenes]
        self.table = Table([pair.name for pair in scenes])
        self.absrel = Table([pair.name for pair in scenes])

    def run(self, lite: Predictor, pilot: Path | None, renderer: Renderer) -> None:
        """One pair after the other."""
        for index, (pair, truth) in enumerate(zip(self.scenes, self.truths, strict=True)):
            self.keep_picture(pair, "left", pair.left)
            self.keep_picture(pair, "right", pair.right)
            self.put(pair, "none", score(pair.left, pair, truth, self.by))
            others = [t.median_m for i, t in enumerate(self.truths) if i != index]
            shape = pair.left.shape[:2]
            plane = np.full(shape, float(np.mean(others)), np.float32)
            self.put_both(pair, truth, "plane", plane)
            for name, depth in depths_of(pair, lite, pilot, renderer).items():
                self.put_both(pair, truth, name, depth)
            self.put_gaussians(pair, truth, lite, renderer)
            matched = pair.calibration.depth(filled(matched_disparity(pair)))
            self.put(pair, "stereo", score_depth(matched, pair, truth, self.by))
            print(f"{pair.name} done", file=sys.stderr, flush=True)

    def put_both(self, pair: StereoPair, truth: Truth, name: str, depth: Float32) -> None:
        """Scaled and metric."""
        in_scale = depth * np.float32(truth.factor(depth))
        self.put(pair, name, score_depth(in_scale, pair, truth, self.by))
        self.put(pair, f"{name}_metric", score_depth(depth, pair, truth, self.by))
        errors = {"absrel_metric": truth.absrel(depth), "absrel": truth.absrel(in_scale)}
        self.absrel.add(name, errors)

    def put_gaussians(
        self, pair: StereoPair, truth: Truth, lite: Predictor, renderer: Renderer
    ) -> None:
        gaussians = lite.predict(pair.photo)
        done = judge_gaussians(gaussians, renderer, pair, truth, self.by)
        self.put(pair, "lite_gaussians", done.scaled)
        self.put(pair, "lite_gaussians_metric", done.metric)
        errors = {"absrel_metric": done.absrel_metric, "absrel": done.absrel_scaled}
        self.absrel.add("lite_gaussians", errors)

    def put(self, pair: StereoPair, name: str, scored: Scored) -> None:
        self.table.add(name, scored.values)
        self.keep_picture(pair, name, scored.picture)

    def keep_picture(self, pair: StereoPair, name: str, picture: np.ndarray) -> None:
        if self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(self.keep / f"{pair.name}_{name}.png")

    def figures(self) -> Figures:
        """Everything, flat."""
        table = self.table
        result = table.figures() | self.absrel.figures()
        for measure in table.measures:
            for name in table.rows:
                result[f"{name}_{measure}_se"] = table.mean(name, measure).error
            for other in ("none", "plane", "pilot"):
                for column in ("", "_metric"):
                    rival = other if other == "none" else other + column
                    if rival in table.rows:
                        gain = table.gain(f"lite{column}", rival, measure)
                        key = f"lite{column}_over_{rival}_{measure}"
                        result |= {key: gain.value, f"{key}_se": gain.error}
            result[f"lite_closes_{measure}"] = table.closed("lite", "plane", "stereo", measure)
        return result

    def report(self) -> str:
        """For a person."""
        measure = self.table.measures[0]
        gains = [
            f"{key}: {value:+.3f} ± {self.figures()[key + '_se']:.3f}"
            for key, value in self.figures().items()
            if "_over_" in key and not key.endswith("_se")
        ]
        scenes = Table(self.table.scenes, {n: r for n, r in self.table.rows.items() if n in SHOWN})
        parts = [self.table.markdown(), scenes.scenes_markdown(measure), self.absrel.markdown()]
        return "\n\n".join([*parts, self.absrel.scenes_markdown("absrel_metric"), "\n".join(gains)])


def photo_to_gaussians_s(lite: Predictor, repeats: int = 5) -> float:
    """Seconds from a JPEG's bytes; what is compiled is compiled before."""
    coffee = Image.open(io.BytesIO((files("skimage") / "data" / "coffee.png").read_bytes()))
    file = io.BytesIO()
    coffee.convert("RGB").resize((4000, 2667), Image.Resampling.BICUBIC).save(file, "JPEG")
    if isinstance(lite, WarmsUp):
        lite.warm_up()
    times = []
    for _ in range(repeats):
        began_s = time.perf_counter()
        lite.predict(read_photo(file.getvalue()))
        times.append(time.perf_counter() - began_s)
    return float(np.median(times))


def measures_there_are(*, quick: bool) -> list[Measure]:
    """PSNR, SSIM, VGG16; LPIPS and DISTS where they can be had."""
    if quick:
        return standard_measures()
    more, missing = judges()
    for sentence in missing:
        print(f"fidelity: {sentence}", file=sys.stderr)
    return [*standard_measures(), perceptual(load_features(HED.unpacked(HED_WEIGHTS))), *more]


def pilot_path(wanted: Path | None) -> Path | None:
    """Where the pilot's weights are; a line says so where they are not."""
    path = wanted or (
        Path(os.environ["SHARP_XR_PILOT"]) if "SHARP_XR_PILOT" in os.environ else None
    )
    if path is not None and path.is_file():
        return path
    where = f"at {path}" if path else "named by --pilot or $SHARP_XR_PILOT"
    print(f"fidelity: the pilot is left out: there are no weights {where}", file=sys.stderr)
    return None


def main() -> int:
    parser = bench_parser(__doc__)
    parser.add_argument("--pilot", type=Path, help="weights of the pilot (.pt)")
    parser.add_argument("--checkpoint", type=Path, help="weights of lite in place of the packaged")
    parser.add_argument("--keep", type=Path, help="write all views to this folder")
    parser.add_argument(
        "--quick", action="store_true", help="PSNR and SSIM only: a tenth of the time"
    )
    options = parser.parse_args()
    try:
        lite = load_predictor("lite", options.checkpoint)
        bench = Bench(pairs(), measures_there_are(quick=options.quick), options.keep)
    except (PackageError, ModelError) as error:
        print(f"fidelity: {error}", file=sys.stderr)
        return 1
    bench.run(lite, pilot_path(options.pilot), create_renderer("cpu"))
    weights = options.checkpoint or files("sharp_xr.model") / "weights" / "lite.safetensors"
    figures = bench.figures()
    figures["photo_to_gaussians_s"] = photo_to_gaussians_s(lite)
    figures["model_mb"] = len(weights.read_bytes()) / 1e6
    print(bench.report())
    for key in ("photo_to_gaussians_s", "model_mb"):
        print(f"{key}: {figures[key]:.3f}")
    write_json(figures, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
