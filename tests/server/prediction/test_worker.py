"""Whatever a photo does to the child, its sender gets one sentence and the next one a result."""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Coroutine
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.server.image_files import encoded, png, quadrants
from tests.server.prediction import predictors
from tests.server.prediction.predictors import Width

from sharp_xr.model import ModelError
from sharp_xr.photo import PhotoError
from sharp_xr.prediction import BusyError, Limits, PredictionWorker
from sharp_xr.prediction.messages import Load

PHOTO = encoded(quadrants(), "PNG")
PHOTO_PIXELS = (64, 48)
DEFAULTS = Limits()
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def ordering(width: int) -> bytes:
    """A photo at whose width the predictor does something; see predictors.py."""
    return encoded(Image.new("RGB", (width, 30)), "PNG")


def worker(
    *, load: Load = predictors.obedient, warm: bool = False, limits: Limits = DEFAULTS
) -> PredictionWorker:
    return PredictionWorker("obedient", load=load, warm=warm, limits=limits)


def run(test: Coroutine[Any, Any, None]) -> None:
    """On a loop of its own, and never longer than a minute."""
    asyncio.run(asyncio.wait_for(test, 60))
    assert children() == [], "a child outlived its worker"


def children() -> list[BaseProcess]:
    return [
        child for child in multiprocessing.active_children() if child.name == "sharp-xr-prediction"
    ]


def pid_of_child() -> int:
    (child,) = children()
    assert child.pid is not None
    return child.pid


async def serves(worker: PredictionWorker) -> bool:
    prediction = await worker.predict(PHOTO)
    return (prediction.width, prediction.height) == PHOTO_PIXELS and len(prediction.gaussians) == 2


class Watch:
    """Progress, and an event once the model is at work."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, float, str]] = []
        self.predicting = asyncio.Event()

    def __call__(self, stage: str, fraction: float, detail: str) -> None:
        self.steps.append((stage, fraction, detail))
        if (stage, fraction) == ("predict", 0.5):
            self.predicting.set()


# --- photos --------------------------------------------------------------------------------------


def test_a_photo_becomes_gaussians_and_a_thumbnail_and_tells_how_far_it_is() -> None:
    async def test() -> None:
        work, watch = worker(warm=True), Watch()
        assert not work.ready
        await work.start()
        assert work.ready
        prediction = await work.predict(encoded(quadrants(960, 720), "JPEG"), watch)
        await work.close()
        assert (prediction.width, prediction.height) == (960, 720)
        assert prediction.focal_px == pytest.approx(30 * 1200 / np.hypot(36, 24))
        np.testing.assert_array_equal(prediction.gaussians.means[:, 2], [1, 2])
        with Image.open(io.BytesIO(prediction.thumbnail)) as small:
            assert (small.format, small.size) == ("JPEG", (320, 240))
        assert watch.steps == [
            ("decode", 0.0, ""),
            ("predict", 0.0, ""),
            ("predict", 0.5, "half of it"),
            ("predict", 1.0, ""),
        ]
        assert not work.ready

    run(test())


@linux
def test_a_refused_photo_costs_a_sentence_and_no_child_and_no_memory() -> None:
    bomb = png(30_000, 30_000, 1, 0)
    jpeg = encoded(quadrants(640, 480), "JPEG")
    refused = {
        b"Dear diary": "this file is text, not a photo that we take: .*",
        bomb: "the photo has 30000 x 30000 pixels, wanted at most 64 megapixels",
        jpeg[: len(jpeg) // 2]: r"the JPEG file is broken or cut short \(.*\): send it again",
    }

    async def test() -> None:
        work = worker()
        assert await serves(work)
        child = pid_of_child()
        before = peak_bytes(child)
        for data, sentence in refused.items():
            with pytest.raises(PhotoError, match=f"^{sentence}$"):
                await work.predict(data)
            assert await serves(work)
        assert pid_of_child() == child
        assert peak_bytes(child) - before < 64 << 20  # one byte a pixel would be 900 MB
        await work.close()

    run(test())


@linux
def test_a_photo_is_read_within_its_limit_of_memory() -> None:
    async def test() -> None:
        work = worker(limits=Limits(decode_bytes=16 << 20))
        with pytest.raises(PhotoError, match="more memory than"):
            await work.predict(png(8000, 8000, 1, 0))
        assert await serves(work)
        await work.close()

    run(test())


def peak_bytes(pid: int) -> int:
    """The most memory that a process has held so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) << 10


def test_the_caller_s_focal_length_wins() -> None:
    async def test() -> None:
        work = worker()
        by_px = await work.predict(PHOTO, focal_px=99.0)
        by_mm = await work.predict(PHOTO, focal_35mm=np.hypot(36, 24))  # the frame's diagonal
        assert by_px.focal_px == 99.0
        assert by_mm.focal_px == pytest.approx(80.0)
        with pytest.raises(PhotoError, match="wanted a positive one"):
            await work.predict(PHOTO, focal_px=-1.0)
        await work.close()

    run(test())


def test_only_a_worker_that_shall_be_warm_lets_its_model_warm_up() -> None:
    async def test() -> None:
        for warm in (False, True):
            work = worker(warm=warm)
            prediction = await work.predict(ordering(Width.WARMTH))
            assert len(prediction.gaussians) == 2 + warm
            await work.close()

    run(test())


# --- predictors ----------------------------------------------------------------------------------


def test_a_predictor_that_fails_is_a_sentence_and_stays() -> None:
    failing = {
        Width.RAISES: "the model obedient failed on this photo: RuntimeError: two lines",
        Width.REFUSES: "the model wants a brighter photo",
        Width.EMPTY: "the model obedient saw nothing in this photo",
    }

    async def test() -> None:
        work = worker()
        for width, sentence in failing.items():
            with pytest.raises(ModelError, match=f"^{sentence}$"):
                await work.predict(ordering(width))
            assert await serves(work)
        prediction = await work.predict(ordering(Width.BROKEN))
        np.testing.assert_array_equal(prediction.gaussians.means[:, 2], [1, 3])
        await work.close()

    run(test())


@pytest.mark.skipif(sys.platform == "win32", reason="kills with signals")
def test_a_child_that_crashes_or_is_killed_at_work_is_replaced() -> None:
    async def test() -> None:
        work, watch = worker(), Watch()
        await work.start()
        first = pid_of_child()
        with pytest.raises(ModelError, match=r"ended \(killed by SIGABRT\) and is started anew"):
            await work.predict(ordering(Width.CRASHES))
        hanging = asyncio.create_task(work.predict(ordering(Width.HANGS), watch))
        await watch.predicting.wait()
        second = pid_of_child()
        os.kill(second, signal.SIGKILL)
        with pytest.raises(ModelError, match=r"ended \(killed by SIGKILL\) and is started anew"):
            await hanging
        assert await serves(work)
        assert len({first, second, pid_of_child()}) == 3
        await work.close()

    run(test())


def test_a_predictor_that_hangs_is_stopped_at_its_limit() -> None:
    async def test() -> None:
        work = worker(limits=Limits(predict_s=0.2))
        await work.start()
        first = pid_of_child()
        with pytest.raises(ModelError, match=r"^the model took longer than 0.2 s and was stopped$"):
            await work.predict(ordering(Width.HANGS))
        await work.start()
        assert work.ready
        assert pid_of_child() != first
        await work.close()

    run(test())


@pytest.mark.parametrize("width", [Width.PATIENT, Width.DEAF])
def test_a_cancelled_photo_makes_room_for_the_next_and_costs_no_child(width: Width) -> None:
    async def test() -> None:
        work, watch = worker(), Watch()
        await work.start()
        child = pid_of_child()
        cancelled = asyncio.create_task(work.predict(ordering(width), watch))
        await watch.predicting.wait()
        waiting = asyncio.create_task(work.predict(PHOTO, waited := Watch()))
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert len((await waiting).gaussians) == 2
        assert pid_of_child() == child and work.ready
        assert waited.steps[0] == ("decode", 0.0, "another photo is before it")
        await work.close()

    run(test())


def test_a_photo_may_be_cancelled_at_any_moment() -> None:
    """Before it is sent, while it is read, when it is done: the next one is always answered."""

    async def test() -> None:
        work = worker()
        await work.start()
        child = pid_of_child()
        for turns in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89):
            cancelled = asyncio.create_task(work.predict(PHOTO))
            for _ in range(turns):
                await asyncio.sleep(0.0001)
            cancelled.cancel()
            await asyncio.wait([cancelled])
            assert await serves(work)
        assert pid_of_child() == child
        await work.close()

    run(test())


def test_a_photo_that_waits_for_its_turn_is_cancelled_at_once() -> None:
    async def test() -> None:
        work, watch = worker(), Watch()
        hanging = asyncio.create_task(work.predict(ordering(Width.HANGS), watch))
        await watch.predicting.wait()
        waiting = asyncio.create_task(work.predict(PHOTO))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not hanging.done()
        await work.close()
        with pytest.raises(ModelError, match="^the server is stopping$"):
            await hanging

    run(test())


def test_a_cancelled_photo_that_does_not_let_go_is_killed_for_the_one_who_waits() -> None:
    async def test() -> None:
        work, watch = worker(limits=Limits(cancel_s=0.1)), Watch()
        hanging = asyncio.create_task(work.predict(ordering(Width.HANGS), watch))
        await watch.predicting.wait()
        waiting = asyncio.create_task(work.predict(PHOTO))
        hanging.cancel()
        assert len((await waiting).gaussians) == 2
        await work.close()

    run(test())


def test_one_photo_too_many_is_told_to_come_again_and_closing_answers_the_rest() -> None:
    async def test() -> None:
        work, watch = worker(limits=Limits(waiting=1)), Watch()
        hanging = asyncio.create_task(work.predict(ordering(Width.HANGS), watch))
        await watch.predicting.wait()
        waiting = asyncio.create_task(work.predict(PHOTO))
        await asyncio.sleep(0)  # lets it take its place
        with pytest.raises(BusyError, match="^2 photos are waiting already: try again in a moment"):
            await work.predict(PHOTO)
        await work.close()
        for asked in (hanging, waiting):
            with pytest.raises(ModelError, match="^the server is stopping$"):
                await asked

    run(test())


# --- loading -------------------------------------------------------------------------------------


def test_a_worker_says_why_a_photo_would_wait() -> None:
    async def test() -> None:
        work = worker()
        assert work.trouble == "the model obedient is not loaded"
        starting = asyncio.create_task(work.start())
        await asyncio.sleep(0)
        assert work.trouble == "the model obedient is being loaded"
        await starting
        assert work.trouble is None
        with pytest.raises(ModelError):
            await work.predict(ordering(Width.CRASHES))
        assert work.trouble == "the model obedient is being loaded"
        await work.start()
        assert work.trouble is None
        await work.close()
        assert work.trouble == "the server is stopping"
        broken = worker(load=predictors.unloadable)
        with pytest.raises(ModelError):
            await broken.start()
        assert "the next photo tries again: the weights of obedient" in str(broken.trouble)
        await broken.close()

    run(test())


def test_a_model_that_does_not_load_says_so_in_one_sentence() -> None:
    async def test() -> None:
        for load, sentence in (
            (predictors.unloadable, "the weights of obedient on cpu are missing"),
            (predictors.endless, "the model obedient did not load within 0.5 s"),
            (predictors.crashing, r"the process of .* ended while loading \(exit status 3\)"),
        ):
            limit = 0.5 if load is predictors.endless else 60.0
            work = worker(load=load, limits=Limits(load_s=limit))
            with pytest.raises(ModelError, match=f"^{sentence}$"):
                await work.start()
            assert not work.ready
            await work.close()

    run(test())


PARENT = """
import asyncio, multiprocessing
from tests.server.prediction import test_worker

async def main():
    work, watch = test_worker.worker(), test_worker.Watch()
    photo = test_worker.ordering(test_worker.Width.HANGS)
    task = asyncio.create_task(work.predict(photo, watch))
    await watch.predicting.wait()
    print(test_worker.pid_of_child(), flush=True)
    await task

if __name__ == "__main__":
    asyncio.run(main())
"""


@linux
def test_the_child_ends_with_a_killed_parent_even_at_work() -> None:
    command = [sys.executable, "-c", PARENT]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            ended, _, _ = select.select([child], [], [], 30)  # readable when the process is gone
            assert ended, "the child outlived its parent"
        finally:
            os.close(child)


def test_a_worker_knows_which_weights_it_works_with(tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    first.write_bytes(b"weights")
    second.write_bytes(b"other weights")

    async def test() -> None:
        identities = []
        for weights in (first, second, None):
            work = PredictionWorker(
                "obedient", weights, "cpu", "fp32", load=predictors.obedient, warm=False
            )
            prediction = await work.predict(PHOTO)
            assert prediction.predictor == await work.identity()
            identities.append(prediction.predictor)
            await work.close()
        assert len(set(identities)) == 3
        assert all(identity.startswith("obedient ") for identity in identities)

    run(test())
