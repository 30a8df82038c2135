"""Which poses are drawn: the loop alone, without a network, on a clock that the test sets."""

import asyncio
import dataclasses
import math
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.server.stream.barcode import BarcodeRenderer, read_barcode, tracking

from sharp_xr.gaussians import Gaussians
from sharp_xr.render import Frame, PreparedScene, RenderSettings, View
from sharp_xr.render.camera import view_from_eye
from sharp_xr.stream.colour import planes
from sharp_xr.stream.loop import BUDGET_MS, KEEP_ALIVE_S, STILL_FRAMES, DrawLoop, Drawn, ShownScene
from sharp_xr.stream.overscan import overscanned
from sharp_xr.stream.poses import Poses
from sharp_xr.stream.turns import Turns
from sharp_xr_protocol.messages import Video

VIDEO = Video(eye_width=128, eye_height=64, max_hz=50.0)
EMPTY = Gaussians(*(np.zeros((0, *shape), np.float32) for shape in ((3,), (6,), (3,), ())))
SCENE = ShownScene("one", EMPTY)


class Bench:
    """A running loop whose pictures are taken at once."""

    def __init__(
        self, renderer: BarcodeRenderer, render_thread: ThreadPoolExecutor, *, overscan: bool
    ) -> None:
        self.now_s = 10.0
        self.may_draw = True
        self.must_draw = False
        self.failures: list[str] = []
        self.key = 0
        self.renderer = renderer
        self.turns = Turns()
        self.poses = Poses(clock=lambda: self.now_s)
        self.loop = DrawLoop(
            renderer,
            render_thread,
            VIDEO,
            RenderSettings(),
            self.poses,
            may_draw=lambda: self.may_draw,
            must_draw=lambda: self.must_draw,
            on_failure=self.failures.append,
            overscan=overscan,
            turns=self.turns,
            clock=lambda: self.now_s,
        )
        self.loop.scene = SCENE

    async def pose(self, identity: int, after_s: float = 0.02) -> Drawn | None:
        """Send one pose; the picture that it made, if it made one."""
        self.now_s += after_s
        self.key += 1800
        self.poses.put(tracking(identity, self.key))
        await until(lambda: self.poses._slot._value is None)
        await self._idle()
        drawn = self.loop.pictures.take()
        if drawn is not None:
            self.loop.give_back(drawn.picture)
        return drawn

    async def _idle(self) -> None:
        """Until the render thread has done what it was given."""
        render_thread = self.loop._render_thread
        await asyncio.get_running_loop().run_in_executor(render_thread, lambda: None)
        for _ in range(3):
            await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("waited in vain")


def on_bench(
    render_thread: ThreadPoolExecutor,
    test: Callable[[Bench], Coroutine[None, None, None]],
    renderer: BarcodeRenderer | None = None,
    overscan: bool = False,
) -> None:
    async def run() -> None:
        bench = Bench(renderer or BarcodeRenderer(), render_thread, overscan=overscan)
        task = asyncio.create_task(bench.loop.run())
        try:
            await test(bench)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def test_a_pose_becomes_a_picture_of_both_eyes_that_bears_its_key(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        drawn = await bench.pose(321)
        assert drawn is not None
        assert (drawn.tracking.key, drawn.scene.id) == (1800, "one")
        luma = planes(drawn.picture)[0]
        assert luma.shape == (64, 256)
        assert read_barcode(luma) == read_barcode(luma[:, 128:]) == 321

    on_bench(render_thread, test)


@pytest.mark.parametrize("overscan", [False, True])
def test_what_the_header_will_say_is_drawn_and_the_margin_is_only_for_those_who_want_it(
    render_thread: ThreadPoolExecutor, overscan: bool
) -> None:
    async def test(bench: Bench) -> None:
        drawn = await bench.pose(321)
        assert drawn is not None
        asked = drawn.tracking.eyes
        assert drawn.eyes == (overscanned(drawn.tracking, math.inf) if overscan else asked)
        assert (drawn.eyes == asked) is not overscan
        for eye, view in zip(drawn.eyes, bench.renderer.views, strict=True):
            world_from_eye = drawn.tracking.head @ eye.pose
            wanted = view_from_eye(world_from_eye, eye.fov, VIDEO.eye_width, VIDEO.eye_height)
            assert (view.fx, view.fy) == (wanted.fx, wanted.fy)
            assert (view.cx, view.cy) == (wanted.cx, wanted.cy)

    on_bench(render_thread, test, overscan=overscan)


def test_the_newest_pose_at_the_beginning_of_drawing_is_drawn(
    render_thread: ThreadPoolExecutor,
) -> None:
    """Another session keeps the render thread busy; meanwhile newer poses come."""

    async def test(bench: Bench) -> None:
        busy = asyncio.Event()
        loop = asyncio.get_running_loop()
        blocked = loop.run_in_executor(
            render_thread, lambda: asyncio.run_coroutine_threadsafe(busy.wait(), loop).result()
        )
        for identity in (1, 2, 3):
            bench.poses.put(tracking(identity, key=identity))
            for _ in range(5):
                await asyncio.sleep(0)
        busy.set()
        await blocked
        drawn = await bench.loop.pictures.get()
        assert drawn.tracking.key == 3
        assert bench.renderer.drawn == [3]

    on_bench(render_thread, test)


def test_without_a_scene_or_a_ready_connection_nothing_is_drawn(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        bench.loop.scene = None
        assert await bench.pose(1) is None
        bench.loop.scene = SCENE
        bench.may_draw = False
        assert await bench.pose(2) is None
        bench.may_draw = True
        assert await bench.pose(3) is not None
        assert bench.renderer.drawn == [3]

    on_bench(render_thread, test)


def test_a_still_head_is_sharpened_and_then_left_alone(render_thread: ThreadPoolExecutor) -> None:
    async def test(bench: Bench) -> None:
        drawn = [await bench.pose(5) for _ in range(STILL_FRAMES + 20)]
        assert all(drawn[: STILL_FRAMES + 1])
        assert not any(drawn[STILL_FRAMES + 1 :])
        assert await bench.pose(5, after_s=KEEP_ALIVE_S) is not None
        assert await bench.pose(5) is None
        assert await bench.pose(6) is not None

    on_bench(render_thread, test)


def test_a_moving_head_is_drawn_in_time_and_a_still_one_in_full(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        for identity in (5, 5, 5, 6):
            await bench.pose(identity)
        assert bench.renderer.budgets_ms == [BUDGET_MS, None, None, BUDGET_MS]

    on_bench(render_thread, test)


def test_two_who_draw_have_half_of_the_time_each(render_thread: ThreadPoolExecutor) -> None:
    async def test(bench: Bench) -> None:
        bench.turns.sharers("another stream", bench.now_s)
        await bench.pose(5)
        await bench.pose(6, after_s=2.0)  # the other one has stopped
        assert bench.renderer.budgets_ms == [BUDGET_MS / 2, BUDGET_MS]

    on_bench(render_thread, test)


def test_a_still_head_sees_a_new_scene_and_gets_key_frames(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        for _ in range(STILL_FRAMES + 2):
            await bench.pose(5)
        assert await bench.pose(5) is None
        bench.must_draw = True
        assert await bench.pose(5) is not None
        bench.must_draw = False
        assert await bench.pose(5) is None
        bench.loop.scene = ShownScene("two", EMPTY)
        drawn = await bench.pose(5)
        assert drawn is not None and drawn.scene.id == "two"
        assert await bench.pose(5) is not None  # and sharpens

    on_bench(render_thread, test)


def test_a_still_head_sees_a_scene_that_changes(render_thread: ThreadPoolExecutor) -> None:
    """Its Gaussians are others, its id is not."""

    async def test(bench: Bench) -> None:
        for _ in range(STILL_FRAMES + 2):
            await bench.pose(5)
        assert await bench.pose(5) is None
        bench.loop.scene = dataclasses.replace(SCENE)
        assert await bench.pose(5) is not None

    on_bench(render_thread, test)


@pytest.mark.parametrize(("poses_hz", "share"), [(50, 1.0), (100, 0.5), (25, 1.0)])
def test_no_more_is_drawn_than_the_video_allows(
    poses_hz: float, share: float, render_thread: ThreadPoolExecutor
) -> None:
    async def test(bench: Bench) -> None:
        jitter = np.random.default_rng(0).uniform(-0.2, 0.2, 60)
        drawn = [await bench.pose(n, (1 + jitter[n]) / poses_hz) for n in range(60)]
        assert sum(one is not None for one in drawn) == pytest.approx(60 * share, abs=3)

    on_bench(render_thread, test)


def test_a_picture_that_nobody_takes_is_replaced_and_reused(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        pictures = set()
        for identity in range(10):
            bench.now_s += 0.02
            bench.poses.put(tracking(identity, key=identity))
            await until(lambda n=identity: len(bench.renderer.drawn) > n)  # type: ignore[misc]
            await bench._idle()
            assert bench.loop.pictures._value is not None
            pictures.add(id(bench.loop.pictures._value.picture))
        assert bench.loop.dropped == 9
        assert len(pictures) <= 3

    on_bench(render_thread, test)


class BrokenRenderer(BarcodeRenderer):
    """Fails for identity 13."""

    def render(
        self,
        scene: PreparedScene,
        views: Sequence[View],
        settings: RenderSettings = RenderSettings(),
    ) -> Frame:
        frame = super().render(scene, views, settings)
        if self.drawn[-1] == 13:
            raise ZeroDivisionError("a fault of the renderer")
        return frame


def test_a_failing_renderer_is_reported_once_and_the_loop_goes_on(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        assert await bench.pose(1) is not None
        assert await bench.pose(13) is None
        assert await bench.pose(13) is None
        assert bench.failures == ["this scene could not be drawn; the server's log says why"]
        bench.loop.scene = SCENE
        assert await bench.pose(2) is not None

    on_bench(render_thread, test, BrokenRenderer())
