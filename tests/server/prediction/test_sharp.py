"""The SHARP network in the worker's process, tiny and with random weights."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import numpy as np
import pytest
from tests.server.image_files import encoded, quadrants
from tests.server.model.sharp.random_weights import random_state

from sharp_xr.model.sharp.checkpoint import expected_shapes, save_network
from sharp_xr.model.sharp.config import TINY
from sharp_xr.model.sharp.network import SharpNetwork
from sharp_xr.prediction import PredictionWorker

PHOTO = encoded(quadrants(96, 64), "PNG")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    network = SharpNetwork(TINY)
    network.load_state_dict(random_state(expected_shapes(TINY)))
    save_network(network, path, {"license": "none"})
    return path


def test_sharp_tells_its_tiles_is_cancelled_between_them_and_knows_its_weights(
    checkpoint: Path,
) -> None:
    told: list[str] = []
    is_under_way = asyncio.Event()

    def on_progress(stage: str, fraction: float, detail: str) -> None:
        told.append(detail)
        if detail.startswith("tile"):
            is_under_way.set()

    async def test() -> None:
        worker = PredictionWorker("sharp", checkpoint, "cpu", "fp32", threads=1)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(worker.close)
            cancelled = asyncio.create_task(worker.predict(PHOTO, on_progress))
            await is_under_way.wait()
            cancelled.cancel()
            whole = await worker.predict(PHOTO, on_progress)
            wide = await worker.predict(PHOTO, focal_px=whole.focal_px * 0.7)
            assert worker.ready
            assert (await worker.identity()).startswith("sharp ")
            assert "fp32" in whole.predictor and whole.predictor == wide.predictor
        assert {"tile 1 of 35", "tile 35 of 35"} <= set(told)
        side = TINY.side_px // 2
        assert len(whole.gaussians) == 2 * side * side
        # Another focal length is a stretch of the same result: no second forward pass is needed.
        stretched = whole.gaussians.refocused(0.7)
        np.testing.assert_allclose(stretched.means, wide.gaussians.means, rtol=1e-3)
        size = np.abs(wide.gaussians.covariances).max(1, keepdims=True)
        error = np.abs(stretched.covariances - wide.gaussians.covariances) / size
        assert error.max() < 1e-3
        np.testing.assert_allclose(stretched.colors, wide.gaussians.colors, atol=1e-4)

    asyncio.run(asyncio.wait_for(test(), 100))
