"""What the warp makes of a streamed frame, against a true picture from where it is shown.

    scripts/bench warp [--json FILE] [--size 384] [--degrees 60] [--photos a.png b.jpg] [--keep DIR]

Each photo goes through the lite model. A head moves at 5 cm and 5 degrees in 80 ms, in six ways;
its frames are drawn with their margin and their depth, go through x264 at the rate that a session
begins with, and the twelfth is shown 80 ms after its pose. It is compared, over the whole display
and with the eyes taken in turn, with what the renderer draws from there. Errors are mean absolute
differences of sRGB.

| figure | what |
|---|---|
| error_vs_none, error_vs_rotation | of the warp, as a fraction of those of the frame as it is |
| | and of the frame turned alone: means of all cases |
| worst_vs_none, worst_vs_rotation | the same of the worst case |
| psnr_db, ssim; psnr_none_db, psnr_rotation_db | means; ssim of luma |
| uncovered_share | of the display, what the frame did not see; the worst case |
| numpy_eye_ms | the plain warp, CPU time of one eye |
| gl_eye_ms, gl_difference | the OpenXR client's shader on this machine's GL, wall clock; and mean |
| | absolute difference from the plain warp, 0 to 255 |
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image
from scripts.figures import bench_parser, report
from scripts.warp.offscreen import GlWarp, NoGlError, offscreen
from scripts.warp.streaming import MOVES, Display, Shot, draw, later, stream
from skimage.metrics import structural_similarity

from sharp_xr.model import load_predictor
from sharp_xr.photo import read_photo
from sharp_xr.render import PreparedScene, Renderer, create_renderer
from sharp_xr_client.reprojection import reproject
from sharp_xr_client.warp import EyeImage, warp
from sharp_xr_protocol.geometry import Pose

DATA = Path(skimage.__file__).parent / "data"
PHOTOS = [
    DATA / name
    for name in ("astronaut.png", "coffee.png", "chelsea.png", "motorcycle_left.png", "rocket.jpg")
]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """One photo, one move, one eye."""

    name: str
    true: Picture
    none: Picture
    rotation: Picture
    warped: Picture
    uncovered: float
    numpy_ms: float
    gl_ms: float | None
    gl_difference: float | None

    def error(self, shown: Picture) -> float:
        return float(np.abs(shown.astype(float) - self.true).mean() / 255)


def psnr_db(a: Picture, b: Picture) -> float:
    return float(-20 * np.log10(np.sqrt(np.mean((a.astype(float) - b) ** 2)) / 255))


def ssim(a: Picture, b: Picture) -> float:
    grey = [picture @ np.array([0.2126, 0.7152, 0.0722]) for picture in (a, b)]
    found = structural_similarity(*grey, data_range=255.0)  # type: ignore[no-untyped-call]
    return float(found)


def without_depth(image: EyeImage) -> EyeImage:
    return EyeImage(image.colour, None, 0.0, image.world_from_eye, image.fov)


class Bench:
    """One renderer, one display."""

    def __init__(self, renderer: Renderer, display: Display, gl: GlWarp | None) -> None:
        self._renderer, self._display, self._gl = renderer, display, gl

    def case(self, name: str, scene: PreparedScene, move: str, side: int) -> Case:
        display, size = self._display, self._display.size
        shot = stream(self._renderer, scene, move, display)
        image, eye = shot.image(side), display.eyes[side]
        pose = later(move) @ eye.pose
        frame = draw(self._renderer, scene, later(move), display.eyes, size)
        true = (frame.rgb[side].transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8)
        began_s = time.thread_time()
        warped = warp(image, pose, eye.fov, size, size)
        numpy_ms = 1e3 * (time.thread_time() - began_s)
        gl_ms, gl_picture = self._by_gl(shot, later(move), side)
        bare = without_depth(image)
        return Case(
            name=f"{name}: {move}",
            true=true,
            none=warp(bare, eye.pose, eye.fov, size, size),
            rotation=warp(bare, pose, eye.fov, size, size),
            warped=warped,
            uncovered=self._uncovered(shot, later(move), side),
            numpy_ms=numpy_ms,
            gl_ms=gl_ms,
            gl_difference=None
            if gl_picture is None
            else float(np.abs(gl_picture.astype(float) - warped).mean()),
        )

    def _uncovered(self, shot: Shot, head: Pose, side: int) -> float:
        """Marks what is beyond the frame, and looks how much of it is shown."""
        image, eye, size = shot.image(side), self._display.eyes[side], self._display.size
        marked = np.zeros_like(image.colour)
        marked[[0, -1]] = marked[:, [0, -1]] = 255
        shown = warp(
            EyeImage(marked, image.codes, image.near_m, image.world_from_eye, image.fov),
            *(head @ eye.pose, eye.fov, size, size),
        )
        return float((shown[..., 0] > 250).mean())

    def _by_gl(self, shot: Shot, head: Pose, side: int) -> tuple[float | None, Picture | None]:
        if self._gl is None:
            return None, None
        left, right = (
            reproject(
                drawn.pose,
                drawn.fov,
                head @ shown.pose,
                shown.fov,
                shot.header.layout,
                shot.header.near_m,
            )
            for drawn, shown in zip(shot.header.eyes, self._display.eyes, strict=True)
        )
        self._gl.upload(shot.picture)
        both_ms = min(self._gl.paint(shot.header.layout, (left, right)) for _ in range(4))
        size = self._display.size
        return both_ms / 2, self._gl.pixels()[:, side * size : (side + 1) * size]


def figures_of(cases: Sequence[Case]) -> dict[str, float]:
    warped, none, rotation = (
        np.array([case.error(getattr(case, kind)) for case in cases])
        for kind in ("warped", "none", "rotation")
    )
    figures = {
        "error_vs_none": warped.mean() / none.mean(),
        "error_vs_rotation": warped.mean() / rotation.mean(),
        "worst_vs_none": (warped / none).max(),
        "worst_vs_rotation": (warped / rotation).max(),
        "psnr_db": np.mean([psnr_db(case.warped, case.true) for case in cases]),
        "psnr_none_db": np.mean([psnr_db(case.none, case.true) for case in cases]),
        "psnr_rotation_db": np.mean([psnr_db(case.rotation, case.true) for case in cases]),
        "ssim": np.mean([ssim(case.warped, case.true) for case in cases]),
        "uncovered_share": max(case.uncovered for case in cases),
        "numpy_eye_ms": np.median([case.numpy_ms for case in cases]),
    }
    times = [case.gl_ms for case in cases if case.gl_ms is not None]
    apart = [case.gl_difference for case in cases if case.gl_difference is not None]
    if times:
        figures |= {"gl_eye_ms": np.median(times), "gl_difference": np.mean(apart)}
    return {name: float(value) for name, value in figures.items()}


def row(case: Case) -> str:
    errors = [case.error(shown) for shown in (case.none, case.rotation, case.warped)]
    return f"{case.name:40} {errors[0]:8.4f} {errors[1]:9.4f} {errors[2]:8.4f}"


def keep(case: Case, folder: Path) -> None:
    """As it is, turned, warped, true; side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = (case.none, case.rotation, case.warped, case.true)
    Image.fromarray(np.concatenate(pictures, 1)).save(folder / f"{case.name}.png")


def measure(options: argparse.Namespace, gl: GlWarp | None) -> list[Case]:
    renderer, predictor = create_renderer("cpu"), load_predictor("lite")
    bench = Bench(renderer, Display(options.size, options.degrees), gl)
    print(f"{'mean absolute error':40} {'as it is':>8} {'turned':>9} {'warped':>8}")
    cases: list[Case] = []
    for photo in options.photos:
        scene = renderer.prepare(predictor.predict(read_photo(photo.read_bytes())))
        for move in MOVES:
            cases.append(bench.case(photo.stem, scene, move, len(cases) % 2))
            print(row(cases[-1]), flush=True)
            if options.keep:
                keep(cases[-1], options.keep)
    return cases


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = bench_parser(__doc__)
    parser.add_argument("--photos", type=Path, nargs="+", default=PHOTOS)
    parser.add_argument("--size", type=int, default=384, help="pixels of the display's sides")
    parser.add_argument("--degrees", type=float, default=60.0, help="the display's field of view")
    parser.add_argument("--keep", type=Path, help="write the pictures into this folder")
    return parser.parse_args(arguments)


def main() -> None:
    options = parsed()
    with ExitStack() as stack:
        gl: GlWarp | None = None
        try:
            gl = stack.enter_context(offscreen(options.size, options.size))
        except NoGlError as error:
            print(f"warp: no figures of GL: {error}", file=sys.stderr)
        figures = figures_of(measure(options, gl))
    report(figures, options.json)


if __name__ == "__main__":
    main()
