"""The control of quality at a stream: what reaches the drawing, and what is told."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.server.stream.barcode import BarcodeRenderer, tracking

from sharp_xr.gaussians import Gaussians
from sharp_xr.render import RenderSettings
from sharp_xr.stream.adaptation import TELL_S, Adaptation
from sharp_xr.stream.colour import new_picture
from sharp_xr.stream.depth import picture_size
from sharp_xr.stream.loop import DrawLoop, Drawn, ShownScene
from sharp_xr.stream.poses import Poses
from sharp_xr.stream.rate import RateControl
from sharp_xr.stream.rate_settings import settings_for
from sharp_xr_protocol.messages import QualityGoal, StreamQuality, Video

VIDEO = Video(512, 384, 60.0)
GAUSSIANS = Gaussians(*(np.zeros((80, *shape), np.float32) for shape in ((3,), (6,), (3,), ())))
SCENE = ShownScene("one", GAUSSIANS)


class Bench:
    """A control and what it controls, without a stream around it."""

    def __init__(self, render_thread: ThreadPoolExecutor) -> None:
        self.now_s = 20.0
        self.told: list[StreamQuality] = []
        self.drawing = DrawLoop(
            BarcodeRenderer(),
            render_thread,
            VIDEO,
            RenderSettings(),
            Poses(),
            may_draw=lambda: True,
            must_draw=lambda: False,
            on_failure=pytest.fail,
            depth=True,
        )
        size = picture_size(self.drawing.layout)
        self.rate = RateControl(settings_for(*size, VIDEO.max_hz))
        self.adaptation = Adaptation(VIDEO, self.drawing, self.rate, self.told.append)

    def frame(self, render_ms: float, *, moving: bool = True, gaussians: int | None = None) -> None:
        layout = self.drawing.layout
        drawn = Drawn(
            tracking(1, 1),
            SCENE,
            new_picture(16, 16),
            layout,
            tracking(1, 1).eyes,
            near_m=0.5,
            pose_wait_ms=0.0,
            render_ms=render_ms,
            drawn_s=self.now_s,
            moving=moving,
            gaussians=gaussians,
            sharers=1,
        )
        self.now_s += max(render_ms / 1e3, 1 / 60)
        self.adaptation.sent(drawn, 3.0, 10_000, self.now_s)

    def frames(self, count: int, render_ms: float, **kind: bool | int) -> None:
        for _ in range(count):
            self.frame(render_ms, **kind)  # type: ignore[arg-type]


@pytest.fixture
def bench(render_thread: ThreadPoolExecutor) -> Bench:
    async def on_a_loop() -> Bench:
        return Bench(render_thread)

    return asyncio.run(on_a_loop())


def test_pictures_that_take_too_long_get_smaller_with_their_depth(bench: Bench) -> None:
    bench.frames(40, 45.0)
    layout, told = bench.drawing.layout, bench.told[-1]
    assert (told.eye_width, told.eye_height) == (layout.eye_width, layout.eye_height)
    assert layout.eye_width < 512 and layout.eye_height < 384
    assert (layout.depth_width, layout.depth_height) == (
        layout.eye_width // 2,
        layout.eye_height // 2,
    )
    assert told.limit == "machine"
    assert bench.adaptation.resizes == 1


def test_pictures_of_a_head_that_rests_say_nothing(bench: Bench) -> None:
    bench.frames(200, 90.0, moving=False)
    assert bench.drawing.layout.eye_width == 512
    assert bench.told == []


def test_a_thin_link_lowers_size_and_rate(bench: Bench) -> None:
    bench.rate.bitrate = 500_000
    for _ in range(120):
        bench.frame(5.0)
    assert bench.told[-1].limit == "link"
    assert (bench.drawing.hz, bench.told[-1].max_hz) == (30.0, 30.0)
    assert bench.drawing.layout.eye_width == bench.told[-1].eye_width == 384


def test_a_scene_of_fewer_gaussians_is_told_as_such(bench: Bench) -> None:
    bench.frames(60, 5.0, gaussians=20)
    assert (bench.told[-1].detail, bench.told[-1].limit) == (0.25, "machine")
    bench.frames(120, 5.0, gaussians=80)
    assert (bench.told[-1].detail, bench.told[-1].limit) == (1.0, "display")


def test_what_changes_all_the_time_is_told_once_a_second(bench: Bench) -> None:
    for number in range(600):
        bench.rate.bitrate = 8_000_000 + number
        bench.frame(5.0)
    assert len(bench.told) <= 600 / 60 / TELL_S + 1
    assert bench.told[-1].bitrate_bps > bench.told[0].bitrate_bps > 8_000_000


def test_what_does_not_change_is_told_once(bench: Bench) -> None:
    bench.frames(600, 5.0)
    assert len(bench.told) == 1


def test_a_choice_is_answered_at_once_and_reaches_the_renderer(bench: Bench) -> None:
    budgets = {}
    goals: tuple[QualityGoal, ...] = ("smoother", "auto", "sharper")
    for goal in goals:
        bench.adaptation.prefer(goal, bench.now_s)
        budgets[goal] = bench.drawing.budget_ms
        assert bench.told[-1].goal == goal
    assert budgets["smoother"] < budgets["auto"] < budgets["sharper"]
