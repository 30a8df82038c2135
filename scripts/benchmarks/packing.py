"""Where depth goes in a frame's picture, how large and in which codes: costs and gains.

    scripts/bench packing [--json FILE] [--size 512] [--mbps 10 4] [--photos a.png b.jpg]

As ``bench warp``, but each way of packing codes the same drawn frames at the same rate, without a
margin: what is compared is the middle of the display. The product's own way is the one that is
called "below 2 rim". In the names: a texel's pixels across (and down); "rim", the nearest of one
pixel around it too; "root", the square root of the code is sent.

| figure | what |
|---|---|
| NAME_R_psnr_db | the warped picture against the true one, at R Mbit/s; means |
| NAME_R_colour_db | the decoded colour against the drawn one |
| NAME_R_code_error | of the decoded codes, mean absolute, steps of 219 |
| NAME_R_encode_ms | CPU time of one frame, all threads; the median |
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from scripts.figures import bench_parser, write_json
from scripts.warp.streaming import Coder, Display, draw, later, path, settled_near

from sharp_xr.model import load_predictor
from sharp_xr.photo import read_photo
from sharp_xr.render import Frame, PreparedScene, Renderer, create_renderer
from sharp_xr.stream.colour import new_picture, planes, write_picture
from sharp_xr_client.warp import EyeImage, warp

Array = NDArray[np.float32]
DATA = Path(skimage.__file__).parent / "data"
PHOTOS = [DATA / f"{name}.png" for name in ("astronaut", "coffee", "chelsea", "motorcycle_left")]
MOVES = ("right, turning right", "up, looking down", "nearer, tilting")
DEGREES = 60.0
MIDDLE = 1 / 8
"""Of the display is left out at each side: the frame did not see it."""


@dataclass(frozen=True)
class Packing:
    """Places, sizes and codes of the maps of depth."""

    name: str
    wide: int = 0
    """Pixels of a texel, across and down; 0: there are no maps."""
    tall: int = 0
    rim: int = 0
    is_beside: bool = False
    pool: str = "nearest"
    power: float = 1.0
    """Of the code, before it is sent."""

    def map_size(self, size: int) -> tuple[int, int]:
        return (size // self.wide, size // self.tall) if self.wide else (0, 0)

    def picture_size(self, size: int) -> tuple[int, int]:
        width, height = self.map_size(size)
        return (2 * size + width, size) if self.is_beside else (2 * size, size + height)

    def places(self, size: int) -> list[tuple[slice, slice]]:
        """Rows and columns of the left and the right map."""
        width, height = self.map_size(size)
        if self.is_beside:
            columns = slice(2 * size, 2 * size + width)
            return [(slice(0, height), columns), (slice(height, 2 * height), columns)]
        rows = slice(size, size + height)
        return [(rows, slice(0, width)), (rows, slice(width, 2 * width))]

    def codes(self, depth: Array, near_m: float) -> Array:
        """[h, w] of [H, W]."""
        codes = np.where(depth > 0, np.minimum(near_m / np.maximum(depth, 1e-9), 1), 0)
        height, width = depth.shape
        around = np.pad(codes, self.rim, mode="edge")
        span = range(2 * self.rim + 1)
        codes = np.max([around[y : y + height, x : x + width] for y in span for x in span], 0)
        texels = codes.reshape(height // self.tall, self.tall, width // self.wide, self.wide)
        pooled = texels.mean((1, 3)) if self.pool == "mean" else texels.max((1, 3))
        sent: Array = (pooled**self.power).astype(np.float32)
        return sent

    def write(self, frame: Frame, near_m: float, picture: VideoFrame) -> None:
        size = frame.depth.shape[1]
        y, u, v = planes(picture)
        y[:], u[:], v[:] = 16, 128, 128
        colour = new_picture(2 * size, size)
        write_picture(frame.rgb, colour)
        for plane, part in zip((y, u, v), planes(colour), strict=True):
            plane[: part.shape[0], : part.shape[1]] = part
        if self.wide:
            for place, depth in zip(self.places(size), frame.depth, strict=True):
                y[place] = (16.5 + 219 * self.codes(depth, near_m)).astype(np.uint8)

    def read(self, picture: VideoFrame, size: int, side: int) -> tuple[NDArray[np.uint8], Array]:
        """Colour [S, S, 3] and codes of one eye."""
        rgb = picture.to_ndarray(format="rgb24").astype(np.uint8)
        colour = rgb[:size, side * size : (side + 1) * size]
        if not self.wide:
            return colour, np.zeros((0, 0), np.float32)
        luma = planes(picture)[0][self.places(size)[side]].astype(np.float32)
        sent = np.clip((luma - 16) / 219, 0, 1)
        return colour, (sent ** (1 / self.power)).astype(np.float32)


PACKINGS = [
    Packing("none"),
    Packing("below 1", 1, 1),
    Packing("below 1 x 2", 1, 2),
    Packing("below 1 x 4", 1, 4),
    Packing("below 2", 2, 2),
    Packing("below 2 rim", 2, 2, rim=1),
    Packing("below 2 root", 2, 2, power=0.5),
    Packing("below 2 mean", 2, 2, pool="mean"),
    Packing("below 4", 4, 4),
    Packing("below 4 rim", 4, 4, rim=1),
    Packing("beside 2", 2, 2, is_beside=True),
    Packing("beside 4", 4, 4, is_beside=True),
]


def psnr_db(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(-10 * np.log10(np.mean((a - b) ** 2)))


def drawn(renderer: Renderer, scene: PreparedScene, move: str, display: Display) -> list[Frame]:
    """Copies: a renderer uses its arrays again."""
    frames = []
    for tracking in path(move, display):
        frame = draw(renderer, scene, tracking.head, display.eyes, display.size)
        frames.append(Frame(frame.rgb.copy(), frame.depth.copy(), frame.alpha.copy()))
    return frames


@dataclass(frozen=True)
class Shown:
    """One sequence, packed one way."""

    psnr_db: float
    colour_db: float
    code_error: float
    encode_ms: float


def measure(
    packing: Packing, frames: Sequence[Frame], near_m: float, mbps: float, move: str, true: Frame
) -> Shown:
    size = true.depth.shape[1]
    width, height = packing.picture_size(size)
    coder, picture = Coder(width, height, round(1e6 * mbps)), new_picture(width, height)
    times = []
    for frame in frames:
        packing.write(frame, near_m, picture)
        began_s = time.process_time()
        unit = coder.encode(picture)
        times.append(1e3 * (time.process_time() - began_s))
        coder.decode(unit)
    assert coder.decoded is not None
    eyes = [_eye(packing, coder.decoded, frames[-1], near_m, move, true, side) for side in (0, 1)]
    psnr, colour, error = (float(value) for value in np.mean(eyes, 0))
    return Shown(psnr, colour, error, float(np.median(times)))


def _eye(
    packing: Packing,
    decoded: VideoFrame,
    last: Frame,
    near_m: float,
    move: str,
    true: Frame,
    side: int,
) -> tuple[float, float, float]:
    size = true.depth.shape[1]
    colour, codes = packing.read(decoded, size, side)
    eye = Display(size, DEGREES).eyes[side]
    image = EyeImage(colour, codes if packing.wide else None, near_m, eye.pose, eye.fov)
    shown = warp(image, later(move) @ eye.pose, eye.fov, size, size)
    wanted = true.rgb[side].transpose(1, 2, 0).astype(float)
    inner = slice(round(MIDDLE * size), size - round(MIDDLE * size))
    error = 0.0
    if packing.wide:
        sent = packing.codes(last.depth[side], near_m) ** (1 / packing.power)
        error = 219 * float(np.abs(codes - sent).mean())
    return (
        psnr_db(shown[inner, inner] / 255, wanted[inner, inner]),
        psnr_db(colour / 255, last.rgb[side].transpose(1, 2, 0).astype(float)),
        error,
    )


def sequences(
    options: argparse.Namespace,
) -> Iterator[tuple[str, list[Frame], float, Frame]]:
    """The move, its frames, their near_m, and the true picture at its end."""
    renderer, predictor = create_renderer("cpu"), load_predictor("lite")
    display = Display(options.size, DEGREES)
    for photo in options.photos:
        scene = renderer.prepare(predictor.predict(read_photo(photo.read_bytes())))
        near_m = settled_near(renderer, scene, display).near_m
        for move in MOVES:
            frames = drawn(renderer, scene, move, display)
            yield (
                move,
                frames,
                near_m,
                draw(renderer, scene, later(move), display.eyes, options.size),
            )


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--photos", type=Path, nargs="+", default=PHOTOS)
    parser.add_argument("--size", type=int, default=512, help="pixels of an eye's sides")
    parser.add_argument("--mbps", type=float, nargs="+", default=[10.0, 4.0])
    options = parser.parse_args()
    found: dict[tuple[str, float], list[Shown]] = {}
    for move, frames, near_m, true in sequences(options):
        for packing in PACKINGS:
            for mbps in options.mbps:
                shown = measure(packing, frames, near_m, mbps, move, true)
                found.setdefault((packing.name, mbps), []).append(shown)
    figures: dict[str, float] = {}
    print(f"{'':16} {'Mbit/s':>8} {'PSNR':>8} {'colour':>8} {'codes':>8} {'encode':>8}")
    for (name, mbps), cases in found.items():
        values = {
            key: float(np.mean([vars(case)[key] for case in cases])) for key in vars(cases[0])
        }
        print(f"{name:16} {mbps:8g} " + " ".join(f"{value:8.2f}" for value in values.values()))
        figures |= {f"{name.replace(' ', '_')}_{mbps:g}_{key}": v for key, v in values.items()}
    write_json(figures, options.json)


if __name__ == "__main__":
    main()
