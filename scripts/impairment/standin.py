"""A real server whose pictures cost nothing: crops of a photo, moved by the head.

    python standin.py FOLDER      prints "open URL", serves until it is terminated

Everything but renderer and predictor is the product's: routes, page, sessions, stream, encoder,
sender. So what is measured with it is the stream, on machines that cannot draw 60 frames a second.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image

from sharp_xr.app import App, AppConfig
from sharp_xr.formats.ply import PhotoCamera, write_ply
from sharp_xr.gaussians import Gaussians
from sharp_xr.http.web_server import Server, uvicorn_config
from sharp_xr.model import ModelError
from sharp_xr.prediction import OnProgress, Prediction
from sharp_xr.render import Frame, PreparedScene, Renderer, RenderSettings, View
from sharp_xr.routes import create_app
from sharp_xr.serve import bind

DISTANCE_M = 2.0
"""Of the wall that the photo hangs on."""
GRAIN = 0.03
"""Standard deviation of the noise on it: without, a photo at this size is too easy to code to fill
a link, and a rate that is not used up cannot be tested."""


class CropRenderer:
    """Cuts each view out of one large picture: translation and turning move the cut."""

    name = "crops"

    def __init__(self) -> None:
        self._wall = _wall()

    def warm_up(self) -> None:
        """Nothing to compile."""

    def prepare(self, gaussians: Gaussians) -> PreparedScene:
        return gaussians

    def render(
        self,
        scene: PreparedScene,
        views: Sequence[View],
        settings: RenderSettings = RenderSettings(),
    ) -> Frame:
        rgb = np.stack([self._cut(view) for view in views])
        shape = (len(views), *rgb.shape[2:])
        distance = np.full(shape, DISTANCE_M, np.float32)
        return Frame(rgb, distance, np.ones(shape, np.float32))

    def _cut(self, view: View) -> NDArray[np.float32]:
        """[3, H, W]"""
        rotation, translation = view.camera_from_photo[:3, :3], view.camera_from_photo[:3, 3]
        x, y, z = rotation @ (0.0, 0.0, DISTANCE_M) + translation
        _, height, width = self._wall.shape
        left = _within(width / 2 - view.cx - view.fx * x / z, width - view.width)
        top = _within(height / 2 - view.cy - view.fy * y / z, height - view.height)
        return self._wall[:, top : top + view.height, left : left + view.width]


def _within(value: float, limit: int) -> int:
    return min(max(round(value), 0), limit)


def _wall() -> NDArray[np.float32]:
    """[3, 1536, 2048] sRGB, four photos side by side and above each other, grained."""
    folder = Path(skimage.__file__).parent / "data"
    tiles = []
    for name in ("astronaut.png", "coffee.png", "chelsea.png"):
        with Image.open(folder / name) as photo:
            tiles.append(np.asarray(photo.convert("RGB"))[:300, :400])
    rows = [np.concatenate([tiles[(row + i) % 3] for i in range(6)], axis=1) for row in range(6)]
    wall = np.concatenate(rows, axis=0)[:1536, :2048].transpose(2, 0, 1) / 255.0
    grain = np.random.default_rng(1).normal(0.0, GRAIN, wall.shape)
    return np.clip(wall + grain, 0.0, 1.0).astype(np.float32)


class NoWorker:
    """This server predicts nothing."""

    trouble: str | None = None

    async def start(self) -> None:
        return

    async def identity(self) -> str:
        return "none"

    async def close(self) -> None:
        return

    async def predict(self, data: bytes, on_progress: OnProgress) -> Prediction:
        raise ModelError("this server predicts nothing")


async def serve(folder: Path, renderer: Renderer) -> None:
    """Until SIGTERM."""
    app = App(AppConfig(folder / "scenes", "none"), renderer, NoWorker())
    listening = bind("127.0.0.1", 0)
    server = Server(uvicorn_config(create_app(app)))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    serving = asyncio.create_task(server.serve([listening]))
    await app.start()
    await app.uploads.make(await asyncio.to_thread(_ply, folder / "dot.ply"), "crops")
    print(f"open http://127.0.0.1:{listening.getsockname()[1]}/", flush=True)
    await stop.wait()
    await app.drain()
    server.should_exit = True
    await serving
    await app.stop()


def _ply(file: Path) -> bytes:
    """A scene needs a Gaussian, even where none is drawn."""
    covariance = np.array([[0.01, 0, 0, 0.01, 0, 0.01]], np.float32)
    mean, grey = np.array([[0, 0, DISTANCE_M]], np.float32), np.full((1, 3), 0.5, np.float32)
    write_ply(file, Gaussians(mean, covariance, grey, grey[:, 0]), PhotoCamera(640, 480, 560.0))
    return file.read_bytes()


def main() -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(Path(sys.argv[1]), CropRenderer()))
    else:
        uvloop.run(serve(Path(sys.argv[1]), CropRenderer()))


if __name__ == "__main__":
    main()
