"""The SHARP network on a CPU against a plain implementation of the same specification.

    scripts/bench network [--json FILE] [--only PART...] [--outputs FOLDER] [--size tiny]

A part is one fresh process that loads a checkpoint of seeded random weights (made once, in the
cache) and predicts one photo: ``yardstick`` is ``tests/server/model/sharp/oracle.py``, plain torch
in float32; ``fp32`` and ``bf16`` are ``sharp_xr``'s predictor.

| figure | what |
|---|---|
| PART_cpu_s, PART_wall_s | one prediction, CPU seconds over all threads; the loading is apart |
| PART_load_cpu_s | loading the checkpoint, packing included |
| PART_peak_gb | highest resident memory of the process, all included, 1e9 bytes |
| PART_cpu_s_STAGE | of it, by stage, as far as the part tells |
| fp32_ratio, bf16_ratio | CPU seconds of the yardstick over ours |
| fp32_depth_max | largest relative error of depth against the yardstick, both layers |
| fp32_covariance_max | largest error of a covariance, relative to its Frobenius norm |
| fp32_color_max, fp32_opacity_max | largest absolute error |
| bf16_depth_p99, bf16_color_psnr_db | against our own fp32, both layers; linear colours, peak 1 |

``--outputs`` keeps what the parts made: with ``--only`` a later run compares with an earlier one's.
Idle cores are wanted; all three parts take some 10 minutes on two.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scripts.figures import bench_parser, report

# torch is imported by the parts only: a process's peak memory begins with what its parent had.

ROOT = Path(__file__).parents[2]
RANDOM_WEIGHTS = ROOT / "tests/server/model/sharp/random_weights.py"
PARTS = ("yardstick", "fp32", "bf16")

Arrays = dict[str, NDArray[np.float32]]


# --- one part, in a process of its own -----------------------------------------------------------


class Clock:
    """CPU seconds of this process's threads by stage, each told when it is over."""

    def __init__(self) -> None:
        self._last = cpu_s()
        self.stages: dict[str, float] = defaultdict(float)

    def over(self, stage: str) -> None:
        now = cpu_s()
        self.stages[stage] += now - self._last
        self._last = now


@dataclass
class Underway:
    """The same for a part that tells what it is about to do."""

    clock: Clock = field(default_factory=Clock)
    stage: str = "start"

    def __call__(self, fraction: float, detail: str = "", /) -> None:
        self.clock.over(self.stage)
        self.stage = re.sub(r"[\d ]+of[\d ]+|\d+", "", detail).strip() or "rest"


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def run_part(part: str, checkpoint: Path, photo: Path, outputs: Path) -> None:
    """Measures the part here and leaves its figures and its Gaussians in the folder."""
    predict = predict_yardstick if part == "yardstick" else predict_ours
    arrays, figures, stages = predict(part, checkpoint, photo)
    # Linux counts kilobytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    figures["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    figures |= {f"cpu_s_{stage.replace(' ', '_')}": value for stage, value in stages.items()}
    np.savez(outputs / f"{part}.npz", **arrays)  # type: ignore[arg-type]
    (outputs / f"{part}.json").write_text(json.dumps(figures), encoding="utf-8")


def predict_yardstick(
    part: str, checkpoint: Path, path: Path
) -> tuple[Arrays, dict[str, float], dict[str, float]]:
    from safetensors.torch import load_file
    from tests.server.model.sharp import oracle

    from sharp_xr.photo import read_photo

    photo = read_photo(path.read_bytes())
    started_s = cpu_s()
    state = load_file(checkpoint)
    figures = {"load_cpu_s": cpu_s() - started_s}
    started_s, wall_s, clock = cpu_s(), time.monotonic(), Clock()
    result = oracle.predict(photo.image, photo.focal_px / photo.width, state, done=clock.over)
    figures |= {"cpu_s": cpu_s() - started_s, "wall_s": time.monotonic() - wall_s}
    rows, columns = zip(*[(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)], strict=True)
    arrays = {
        "means": result.means.numpy(),
        "covariances": result.covariances.numpy()[:, rows, columns],
        "colors": result.colors.numpy(),
        "opacities": result.opacities.numpy(),
    }
    return arrays, figures, clock.stages


def predict_ours(
    part: str, checkpoint: Path, path: Path
) -> tuple[Arrays, dict[str, float], dict[str, float]]:
    import sharp_xr.model.sharp.predictor  # noqa: F401  its imports are not its loading
    from sharp_xr.model import load_predictor
    from sharp_xr.photo import read_photo

    assert part in ("fp32", "bf16")
    precision: Literal["fp32", "bf16"] = "fp32" if part == "fp32" else "bf16"
    photo = read_photo(path.read_bytes())
    started_s = cpu_s()
    predictor = load_predictor("sharp", checkpoint, "cpu", precision)
    figures = {"load_cpu_s": cpu_s() - started_s}
    started_s, wall_s, progress = cpu_s(), time.monotonic(), Underway()
    result = predictor.predict(photo, progress)
    progress(1.0)
    figures |= {"cpu_s": cpu_s() - started_s, "wall_s": time.monotonic() - wall_s}
    arrays = {
        "means": result.means,
        "covariances": result.covariances,
        "colors": result.colors,
        "opacities": result.opacities,
    }
    return arrays, figures, progress.clock.stages


# --- the checkpoint ------------------------------------------------------------------------------


def checkpoint_file(size: str) -> Path:
    """Where it is or will be; its name tells the recipe, so another recipe makes it anew."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    recipe = hashlib.sha256(RANDOM_WEIGHTS.read_bytes()).hexdigest()[:8]
    return cache / "sharp-xr" / "bench" / f"random-{size}-{recipe}.safetensors"


def make_checkpoint(size: str, path: Path) -> None:
    """Writes it, 2.8 GB at full size, and removes what older recipes left."""
    import torch
    from safetensors.torch import save_file
    from tests.server.model.sharp.random_weights import random_state

    from sharp_xr.model.sharp.config import SHARP, TINY
    from sharp_xr.model.sharp.network import SharpNetwork

    with torch.device("meta"):
        network = SharpNetwork(TINY if size == "tiny" else SHARP)
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f"random-{size}-*"):
        old.unlink()
    unfinished = path.with_suffix(".part")
    save_file(random_state(shapes), unfinished)
    unfinished.rename(path)


# --- comparing -----------------------------------------------------------------------------------


def figures_of(outputs: Path) -> Iterator[tuple[str, float]]:
    """Of all parts that the folder has, and of those that can be compared."""
    found: dict[str, dict[str, float]] = {}
    for part in PARTS:
        file = outputs / f"{part}.json"
        if file.exists():
            found[part] = json.loads(file.read_text(encoding="utf-8"))
    for part in ("fp32", "bf16"):
        if part in found and "yardstick" in found:
            yield f"{part}_ratio", found["yardstick"]["cpu_s"] / found[part]["cpu_s"]
    if {"yardstick", "fp32"} <= found.keys():
        yield from parity(load(outputs, "fp32"), load(outputs, "yardstick"))
    if {"fp32", "bf16"} <= found.keys():
        yield from loss(load(outputs, "bf16"), load(outputs, "fp32"))
    for part, figures in found.items():
        yield from ((f"{part}_{name}", value) for name, value in figures.items())


def load(outputs: Path, part: str) -> Arrays:
    with np.load(outputs / f"{part}.npz") as file:
        return {name: np.asarray(file[name], np.float32) for name in file.files}


def depth_errors(ours: Arrays, wanted: Arrays) -> NDArray[np.float32]:
    """[N] relative."""
    z = wanted["means"][:, 2]
    error: NDArray[np.float32] = np.abs(ours["means"][:, 2] - z) / z
    return error


def frobenius(covariances: NDArray[np.float32]) -> NDArray[np.float64]:
    """[N, 6] xx, xy, xz, yy, yz, zz -> [N]."""
    twice = np.array([1, 2, 2, 1, 2, 1], np.float64)
    return np.sqrt(np.square(covariances, dtype=np.float64) @ twice)


def parity(ours: Arrays, wanted: Arrays) -> Iterator[tuple[str, float]]:
    """How near our float32 is to the yardstick's."""
    yield "fp32_depth_max", float(depth_errors(ours, wanted).max())
    covariances = wanted["covariances"]
    error = frobenius(ours["covariances"] - covariances) / frobenius(covariances)
    yield "fp32_covariance_max", float(error.max())
    for name, key in (("color", "colors"), ("opacity", "opacities")):
        yield f"fp32_{name}_max", float(np.abs(ours[key] - wanted[key]).max())


def loss(ours: Arrays, wanted: Arrays) -> Iterator[tuple[str, float]]:
    """What bfloat16 costs."""
    errors = depth_errors(ours, wanted)
    yield "bf16_depth_mean", float(errors.mean())
    yield "bf16_depth_p99", float(np.quantile(errors, 0.99))
    yield "bf16_depth_max", float(errors.max())
    mse = np.square(ours["colors"] - wanted["colors"], dtype=np.float64).mean()
    yield "bf16_color_psnr_db", float(-10 * np.log10(max(mse, 1e-20)))
    opacity = np.abs(ours["opacities"] - wanted["opacities"])
    yield "bf16_opacity_p99", float(np.quantile(opacity, 0.99))


# --- the command ---------------------------------------------------------------------------------


def in_child(*arguments: str | Path) -> None:
    """This file again, in a fresh process that finds ``tests``."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    # A thread that waits for another one sleeps: CPU seconds are of work.
    environment["OMP_WAIT_POLICY"] = "PASSIVE"
    subprocess.run([sys.executable, __file__, *arguments], check=True, env=environment)


def measure(size: str, parts: list[str], photo: Path | None, outputs: Path) -> dict[str, float]:
    checkpoint = checkpoint_file(size)
    if not checkpoint.exists():
        print(f"network: writing {checkpoint}", file=sys.stderr)
        in_child("--size", size, "--make", checkpoint)
    for part in parts:
        print(f"network: {part} ...", file=sys.stderr)
        in_child("--part", part, checkpoint, photo or coffee(), outputs)
    return dict(figures_of(outputs))


def coffee() -> Path:
    """A photo that scikit-image brings along."""
    import skimage

    return Path(skimage.__file__).parent / "data" / "coffee.png"


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--photo", type=Path, help="instead of scikit-image's cup of coffee")
    parser.add_argument("--outputs", type=Path, help="keep what the parts made in this folder")
    parser.add_argument("--size", choices=("full", "tiny"), default="full")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--part", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        return make_checkpoint(options.size, options.make)
    if options.part:
        return run_part(options.part[0], *map(Path, options.part[1:]))
    with tempfile.TemporaryDirectory() as name:
        outputs = options.outputs or Path(name)
        outputs.mkdir(parents=True, exist_ok=True)
        figures = measure(options.size, options.only, options.photo, outputs)
    report(figures, options.json)


if __name__ == "__main__":
    main()
