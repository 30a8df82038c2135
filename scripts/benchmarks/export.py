"""The network's Gaussians to metres and to a PLY file, beside the specification done plainly.

    scripts/bench export [--json FILE] [--rounds 5]

| figure | what |
|---|---|
| ratio | CPU time of the yardstick over ours, the whole way |
| unproject_s | to metres: means and covariances |
| decompose_s | covariances to quaternions and scales, without the file |
| ply_s | the rest of ``write_ply``: logarithms, sRGB, quantiles, writing |
| yardstick_unproject_s, yardstick_decompose_s, yardstick_ply_s | the same, done plainly |
| difference | the largest between the two files' covariances, over their largest numbers |

Seconds of CPU time, all threads and the kernel's together: medians over rounds in which both take
turns, after a first that is not counted (it compiles). 1,179,648 Gaussians, which is one photo.

The yardstick is sections 8 to 10 of the specification with the libraries that it names: torch for
the products and for the float64 SVD, numpy for rotation to quaternion (whole arrays at a time, a
third of what scipy's takes), plyfile for the file, its columns filled as arrays.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement
from scripts.figures import bench_parser, report
from torch import Tensor

from sharp_xr.formats.ply import PROPERTIES, PhotoCamera, read_ply, write_ply
from sharp_xr.gaussians import Float32, Gaussians, decompose
from sharp_xr.model.sharp.unproject_kernel import unproject_arrays
from sharp_xr.rotation import rotation_rows

COUNT = 2 * 768 * 768
PHOTO = PhotoCamera(4000, 3000, 2800.0)
HALF_VIEW = (PHOTO.width / (2 * PHOTO.focal_px), PHOTO.height / (2 * PHOTO.focal_px))
SH_C0 = 0.28209479177387814


class Prediction(NamedTuple):
    """What the composer makes of a photo, in numpy."""

    means: Float32
    """[N, 3] metres, x and y relative to the view."""
    scales: Float32
    quats: Float32
    """[N, 4] not normalised."""
    colors: Float32
    opacities: Float32


def prediction(count: int = COUNT) -> Prediction:
    """Distributed as the composer's are: base values times activations of random corrections."""
    rng = np.random.default_rng(3)
    z = np.exp(rng.uniform(0, 4, (count, 1)))
    ndc = rng.uniform(-1, 1, (count, 2))
    scales = 4 / 1536 * z * 10 / (1 + 9 * np.exp(rng.normal(0, 2, (count, 3))))
    arrays = (
        np.concatenate([z * ndc, z], axis=1),
        scales,
        [1, 0, 0, 0] + rng.normal(0, 0.5, (count, 4)),
        rng.uniform(0, 1, (count, 3)) ** 2.4,
        1 / (1 + np.exp(rng.normal(0, 3, count))),
    )
    return Prediction(*(np.ascontiguousarray(array, np.float32) for array in arrays))


# --- ours ----------------------------------------------------------------------------------------


def export(scene: Prediction, file: Path) -> dict[str, float]:
    """CPU seconds of each part."""
    seconds: dict[str, float] = {}
    with clocked(seconds, "unproject_s"):
        arrays = unproject_arrays(scene.means, scene.scales, scene.quats, *HALF_VIEW)
        gaussians = Gaussians(*arrays, scene.colors, scene.opacities)
    with clocked(seconds, "ply_s"):
        write_ply(file, gaussians, PHOTO)
    with clocked(seconds, "decompose_s"):
        decompose(gaussians.covariances)
    seconds["ply_s"] -= seconds["decompose_s"]  # which write_ply does too
    return seconds


# --- the yardstick -------------------------------------------------------------------------------


def export_plainly(scene: Prediction, file: Path) -> dict[str, float]:
    seconds: dict[str, float] = {}
    with clocked(seconds, "unproject_s"):
        means, covariances = unproject_plainly(scene)
    with clocked(seconds, "decompose_s"):
        quats, scales = decompose_plainly(covariances)
    with clocked(seconds, "ply_s"):
        write_plainly(file, means.numpy(), scene.colors, scene.opacities, quats, scales)
    return seconds


def unproject_plainly(scene: Prediction) -> tuple[Tensor, Tensor]:
    """[N, 3] and [N, 3, 3]: M R diag(s^2) R^T M^T."""
    unit = torch.nn.functional.normalize(torch.from_numpy(scene.quats)).unbind(-1)
    rotation = torch.stack([torch.stack(row, -1) for row in rotation_rows(*unit)], -2)
    squares = torch.diag_embed(torch.from_numpy(scene.scales) ** 2)
    metric = torch.diag(torch.tensor([*HALF_VIEW, 1.0]))
    covariances = metric @ (rotation @ squares @ rotation.transpose(1, 2)) @ metric.T
    return torch.from_numpy(scene.means) @ metric.T, covariances


def decompose_plainly(covariances: Tensor) -> tuple[Float32, Float32]:
    """Quaternions [N, 4] and scales [N, 3], falling."""
    axes, variances, _ = torch.linalg.svd(covariances.double())
    mirrored = torch.linalg.det(axes) < 0
    axes[mirrored, :, 2] *= -1
    quats = quaternions(axes.numpy())
    return quats.astype(np.float32), variances.sqrt().float().numpy()


def quaternions(r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of rotation matrices [N, 3, 3], by the largest of the four numbers (Shepperd 1978)."""
    diagonal = np.stack([r[:, 0, 0], r[:, 1, 1], r[:, 2, 2]], axis=1)
    trace = diagonal.sum(1)
    largest = np.argmax(np.concatenate([trace[:, None], diagonal], axis=1), axis=1)
    quats = np.empty((len(r), 4))
    m = r[largest == 0]
    differences = (m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1])
    quats[largest == 0] = np.stack([1 + trace[largest == 0], *differences], axis=1)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        m = r[largest == i + 1]
        part = np.empty((len(m), 4))
        part[:, 0] = m[:, k, j] - m[:, j, k]
        part[:, 1 + i] = 1 + m[:, i, i] - m[:, j, j] - m[:, k, k]
        part[:, 1 + j] = m[:, j, i] + m[:, i, j]
        part[:, 1 + k] = m[:, k, i] + m[:, i, k]
        quats[largest == i + 1] = part
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    return quats


def write_plainly(
    file: Path,
    means: Float32,
    colors: Float32,
    opacities: Float32,
    quats: Float32,
    scales: Float32,
) -> None:
    srgb = np.where(colors <= 0.0031308, 12.92 * colors, 1.055 * colors ** (1 / 2.4) - 0.055)
    opacities = opacities.clip(1e-6, 1 - 1e-6)
    columns = np.concatenate(
        [
            *(means, (srgb - 0.5) / SH_C0, np.log(opacities / (1 - opacities))[:, None]),
            *(np.log(scales), quats),
        ],
        axis=1,
    )
    vertices = np.empty(len(means), [(name, "f4") for name in PROPERTIES])
    for k, name in enumerate(PROPERTIES):
        vertices[name] = columns[:, k]
    PlyData([PlyElement.describe(vertices, "vertex"), *extras(means)]).write(file)


def extras(means: Float32) -> Iterator[PlyElement]:
    """The seven elements after the vertices."""
    f, w, h = PHOTO.focal_px, PHOTO.width, PHOTO.height
    for name, kind, values in (
        ("extrinsic", "f4", np.eye(4).ravel()),
        ("intrinsic", "f4", [f, 0, w / 2, 0, f, h / 2, 0, 0, 1]),
        ("image_size", "u4", [w, h]),
        ("frame", "i4", [1, len(means)]),
        ("disparity", "f4", np.quantile(1 / means[:, 2], [0.1, 0.9])),
        ("color_space", "u1", [0]),
        ("version", "u1", [1, 5, 0]),
    ):
        yield PlyElement.describe(np.array(values, [(name, kind)]), name)


# --- measuring -----------------------------------------------------------------------------------


@contextmanager
def clocked(seconds: dict[str, float], name: str) -> Iterator[None]:
    """CPU time of this process within the block, all threads."""
    started = time.process_time()
    yield
    seconds[name] = time.process_time() - started


def rounds(count: int, scene: Prediction, folder: Path) -> Iterator[dict[str, float]]:
    """The figures of each round but the first, in which both take a turn."""
    turns: dict[str, Callable[[Prediction, Path], dict[str, float]]] = {
        "": export,
        "yardstick_": export_plainly,
    }
    for number in range(count + 1):
        figures: dict[str, float] = {}
        for prefix, turn in turns.items():
            file = folder / f"{prefix}scene.ply"
            file.unlink(missing_ok=True)
            time.sleep(0.1)  # idle threads of the other's turn have stopped spinning
            figures |= {prefix + name: value for name, value in turn(scene, file).items()}
        if number:
            yield figures


def difference(ours: Path, plain: Path) -> float:
    """The largest between two files' covariances, each over its covariance's largest number."""
    one, other = (read_ply(file)[0].covariances for file in (ours, plain))
    return float((np.abs(one - other) / np.abs(other).max(axis=1, keepdims=True)).max())


def measure(count: int) -> dict[str, float]:
    scene = prediction()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        turns = list(rounds(count, scene, folder))
        apart = difference(folder / "scene.ply", folder / "yardstick_scene.ply")
    if not apart < 1e-4:
        raise SystemExit(f"export: the two files differ by {apart:.1e}, wanted less than 1e-4")
    figures = {key: median(turn[key] for turn in turns) for key in turns[0]}
    parts = ("unproject_s", "decompose_s", "ply_s")
    ours, plain = (sum(figures[p + part] for part in parts) for p in ("", "yardstick_"))
    return {"ratio": plain / ours, **figures, "difference": apart}


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how many to take the median of")
    options = parser.parse_args()
    figures = measure(options.rounds)
    report(figures, options.json)


if __name__ == "__main__":
    main()
