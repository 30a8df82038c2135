"""The control of quality against simulated machines and links, on a clock that is a number."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import get_args

import pytest
from tests.server.stream.simulated_machine import SimulatedMachine, steadily

from sharp_xr.stream.ladder import MOST_VAIN_S, MOST_WAIT_S
from sharp_xr.stream.load import FrameLoad, LoadMeter
from sharp_xr.stream.quality import (
    GOAL_HZ,
    LINK_RUNGS,
    REMEMBER_S,
    QualityControl,
    sizes_of,
)
from sharp_xr_protocol.messages import QualityGoal, Video

GOALS: tuple[QualityGoal, ...] = get_args(QualityGoal)
SETTLED_S = 6.0
"""After a change for the worse."""
BACK_S = 10.0
"""After everything is as it was."""


def step(
    at_s: float, before: float, after: float, until_s: float = math.inf
) -> Callable[..., float]:
    return lambda now_s: after if at_s <= now_s < until_s else before


def side(machine: SimulatedMachine) -> int:
    return machine.quality.eye_width


@pytest.mark.parametrize("goal", GOALS)
def test_where_everything_can_be_had_nothing_ever_changes(goal: QualityGoal) -> None:
    machine = SimulatedMachine(goal)
    machine.run(120.0)
    assert machine.qualities[1:] == []
    assert (side(machine), machine.quality.hz, machine.quality.limit) == (512, 60.0, "display")
    assert machine.fps() == pytest.approx(60, abs=1)


@pytest.mark.parametrize("load", [2.0, 3.0, 5.0, 8.0])
@pytest.mark.parametrize("goal", GOALS)
def test_a_slow_machine_reaches_its_goal_soon_and_stays_there(
    goal: QualityGoal, load: float
) -> None:
    machine = SimulatedMachine(goal, load=steadily(load))
    machine.run(SETTLED_S)
    settled_s, smallest = machine.now_s, sizes_of(machine.video, goal)[-1][0]
    assert machine.fps() > 0.9 * min(GOAL_HZ[goal], 60.0) or side(machine) == smallest
    machine.run(300.0)
    assert machine.changes_since(settled_s) <= 4
    assert machine.fps(100.0) > 0.9 * min(GOAL_HZ[goal], 60.0) or side(machine) == smallest


@pytest.mark.parametrize(("goal", "least"), [("auto", 256), ("sharper", 256), ("smoother", 192)])
def test_a_hopeless_machine_is_left_with_the_smallest_pictures_and_no_flicker(
    goal: QualityGoal, least: int
) -> None:
    machine = SimulatedMachine(goal, load=steadily(60.0))
    machine.run(20.0)
    settled_s = machine.now_s
    machine.run(200.0)
    assert side(machine) == least
    assert machine.quality.limit == "machine"
    assert machine.changes_since(settled_s) == 0


@pytest.mark.parametrize("stall_ms", [25.0, 60.0, 200.0])
def test_pixels_that_buy_no_time_are_not_given_up(stall_ms: float) -> None:
    machine = SimulatedMachine(stall_ms=stall_ms)
    machine.run(600.0)
    assert machine.share_of_time(512) > 0.9
    assert machine.changes_since(0) <= 2 * 600 / MOST_VAIN_S + 6


def test_a_slower_machine_never_gets_larger_pictures() -> None:
    sides = []
    for load in (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0):
        machine = SimulatedMachine(load=steadily(load))
        machine.run(60.0)
        sides.append(side(machine))
    assert sides == sorted(sides, reverse=True)
    assert sides[0] == 512 and sides[-1] == 256


@pytest.mark.parametrize("load", [3.0, 5.0, 8.0])
def test_another_program_takes_pixels_and_gives_them_back(load: float) -> None:
    machine = SimulatedMachine(load=step(110.0, 1.0, load, 170.0))
    machine.run(10.0 + SETTLED_S)
    assert machine.fps() > 0.9 * 40 and machine.quality.limit == "machine"
    machine.run(60.0 - SETTLED_S + BACK_S)
    assert (side(machine), machine.chooser.level, machine.quality.limit) == (512, 0, "display")
    assert machine.changes_since(0) - 1 <= 6


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("thin_bps", [0.5e6, 1e6, 2e6])
def test_a_link_that_is_cut_and_comes_back_is_followed_both_ways(
    goal: QualityGoal, thin_bps: float
) -> None:
    machine = SimulatedMachine(goal, link_bps=step(110.0, 8e6, thin_bps, 170.0))
    machine.run(10.0)
    assert machine.quality.limit == "display"
    machine.run(SETTLED_S)
    quality, settled_s = machine.quality, machine.now_s
    bpp = thin_bps / (2 * quality.eye_width * quality.eye_height * quality.hz)
    assert bpp > 0.058
    machine.run(60.0 - SETTLED_S)
    assert machine.changes_since(settled_s) == 0
    assert quality.limit == ("link" if thin_bps < 1.9e6 else "display")
    machine.run(BACK_S)
    assert (side(machine), machine.quality.hz) == (512, 60.0)


def test_what_a_thin_link_costs_is_as_the_viewer_likes() -> None:
    found = {}
    for goal in GOALS:
        machine = SimulatedMachine(goal, link_bps=steadily(1e6))
        machine.run(30.0)
        found[goal] = side(machine), machine.quality.hz
    assert found["sharper"][0] > found["auto"][0] >= found["smoother"][0]
    assert found["sharper"][1] < found["smoother"][1] == 60.0


def test_what_a_slow_machine_costs_is_as_the_viewer_likes() -> None:
    found = {}
    for goal in GOALS:
        machine = SimulatedMachine(goal, load=steadily(7.0))
        machine.run(30.0)
        found[goal] = side(machine), machine.fps(5.0)
    assert found["sharper"][0] > found["auto"][0] > found["smoother"][0]
    assert found["sharper"][1] < found["auto"][1]
    assert found["smoother"][1] > 0.95 * 60


def test_simple_pictures_keep_their_pixels_on_a_thin_link() -> None:
    machine = SimulatedMachine(link_bps=steadily(1e6), worth_bpp=0.02)
    machine.run(60.0)
    assert (side(machine), machine.quality.limit) == (512, "display")


def test_a_short_dip_of_the_rate_changes_nothing() -> None:
    """As after an outage of 300 ms: half of the rate, back within seconds."""
    machine = SimulatedMachine(link_bps=lambda now_s: 8e6 if now_s % 20 > 0.7 else 0.5e6)
    machine.run(200.0)
    assert machine.changes_since(0) == 1


@pytest.mark.parametrize("period_s", [0.3, 1.0, 3.0, 8.0, 20.0, 60.0])
@pytest.mark.parametrize("of", ["machine", "link"])
def test_a_saw_of_any_period_does_not_make_the_picture_flicker(of: str, period_s: float) -> None:
    def saw(low: float, high: float) -> Callable[[float], float]:
        return lambda now_s: low + (high - low) * (now_s % period_s) / period_s

    machine = SimulatedMachine(
        load=saw(0.8, 9.0) if of == "machine" else steadily(1.0),
        link_bps=saw(8e6, 0.4e6) if of == "link" else steadily(8e6),
    )
    machine.run(120.0)
    settled_s = machine.now_s
    machine.run(600.0)
    # What takes a minute is followed, some rungs at a time.
    most_per_s = 6 / period_s if period_s > MOST_WAIT_S else 2 / MOST_WAIT_S
    assert machine.changes_since(settled_s) <= 600 * most_per_s


@pytest.mark.parametrize("load", [2.2, 2.6, 3.1, 3.7, 4.4, 5.3])
@pytest.mark.parametrize("noise", [0.3, 0.8])
def test_noise_at_the_edge_of_a_rung_does_not_make_the_picture_flicker(
    noise: float, load: float
) -> None:
    machine = SimulatedMachine("smoother", load=steadily(load), noise=noise)
    machine.run(60.0)
    settled_s = machine.now_s
    machine.run(600.0)
    assert machine.changes_since(settled_s) <= 600 / MOST_WAIT_S


def test_a_head_that_rests_is_no_evidence() -> None:
    """One overloaded look, an hour apart each, is not an hour of overload."""
    machine = SimulatedMachine(load=steadily(30.0))
    machine.run(0.3)
    machine.rest(3600.0)
    machine.run(0.3)
    assert machine.changes_since(0) <= 1


def test_viewers_who_share_the_render_thread_share_the_goal_too() -> None:
    alone, shared = (SimulatedMachine(load=steadily(2.0), sharers=n) for n in (1, 4))
    for machine in (alone, shared):
        machine.run(30.0)
    assert side(shared) < side(alone)


def test_a_client_that_cannot_show_so_large_pictures_gets_smaller_ones() -> None:
    """A browser that draws in software. It is tried again once in a minute or two at most."""
    machine = SimulatedMachine(client_ms=60.0)
    machine.run(SETTLED_S)
    settled_s = machine.now_s
    assert machine.quality.limit == "client"
    assert machine.fps() > 0.75 * 40
    machine.run(600.0)
    assert machine.changes_since(settled_s) <= 2 * 600 / REMEMBER_S
    assert machine.share_of_time(512) < 0.1


@pytest.mark.parametrize("shows_ms", [33.0, 45.0, 60.0])
def test_a_client_that_misses_frames_gets_pictures_that_it_shows_in_time(shows_ms: float) -> None:
    machine = SimulatedMachine(shows_ms=shows_ms)
    machine.run(2 * SETTLED_S)
    assert machine.quality.limit == "client"
    assert machine.shown_fps() >= 30.0
    assert machine.fps() == pytest.approx(60, abs=1)  # its poses are drawn all the same
    changes = len(machine.qualities)
    machine.run(10 * REMEMBER_S)
    assert machine.shown_fps(10 * REMEMBER_S) >= 30.0
    assert len(machine.qualities) - changes <= 2 * 10 + 2


def test_what_a_client_cannot_do_at_a_large_size_is_known_after_trouble_at_a_small_one() -> None:
    machine = SimulatedMachine(shows_ms=60.0)
    machine.run(SETTLED_S)
    settled_s, small = machine.now_s, side(machine)
    machine.shows_ms = 100.0  # something else has its processor
    machine.run(4.0)
    machine.shows_ms = 60.0
    machine.run(0.6 * REMEMBER_S)
    assert all(now.eye_width <= small for at, now in machine.qualities if at > settled_s)
    machine.run(2 * REMEMBER_S)
    assert any(now.eye_width > small for at, now in machine.qualities if at > settled_s)


def test_a_client_that_misses_a_frame_now_and_then_loses_no_pixels() -> None:
    machine = SimulatedMachine(shows_ms=20.0)
    machine.run(60.0)
    assert machine.shown_fps(30.0) < 0.9 * machine.fps(30.0)
    assert machine.qualities[1:] == []


@pytest.mark.parametrize(("is_calm", "client_ms"), [(True, 50.0), (False, 0.0)])
def test_frames_that_a_link_lost_are_not_laid_on_the_client(
    is_calm: bool, client_ms: float
) -> None:
    meter = LoadMeter()
    for number in range(300):
        meter.add(FrameLoad(5.0, 2.0, 1000, None, 0, 1), number / 60)
        if number % 3 == 0:
            meter.shown(number / 60)
    load = meter.read(1e6, 5.0, is_calm=is_calm)
    assert load is not None and load.client_ms == pytest.approx(client_ms, rel=0.05)


def test_a_client_with_a_slow_display_gives_no_pixels_for_nothing() -> None:
    for hz in (24.0, 30.0):
        machine = SimulatedMachine(video=Video(512, 512, hz), client_ms=1e3 / hz)
        machine.run(60.0)
        assert machine.qualities[1:] == [] and machine.quality.limit == "display"


def test_more_gaussians_than_pixels_are_given_for_pixels() -> None:
    """After a time of want, large scenes do not stay small pictures of all their Gaussians."""
    machine = SimulatedMachine(gaussians=1_200_000, load=step(100.0, 1.2, 8.0, 130.0))
    machine.run(30.0)
    small = side(machine)
    machine.run(90.0)
    assert side(machine) > small
    assert machine.control.detail < 1.0
    assert machine.fps(5.0) > 0.9 * 40


def test_a_choice_takes_effect_at_once_and_starts_from_where_things_stand() -> None:
    machine = SimulatedMachine("auto", load=steadily(8.0))
    machine.run(20.0)
    before = machine.quality
    after = machine.control.prefer("sharper")
    assert after.budget_ms > before.budget_ms
    assert (after.eye_width, after.hz) == (before.eye_width, before.hz)
    machine.run(30.0)
    assert side(machine) > before.eye_width


def test_the_expected_rate_is_what_a_slow_machine_makes() -> None:
    """Else a third of its bits would be left over."""
    machine = SimulatedMachine("sharper", load=steadily(5.0))
    machine.run(30.0)
    assert machine.quality.hz == 60.0
    assert machine.quality.expected_hz == pytest.approx(machine.fps(10.0), rel=0.25)


@pytest.mark.parametrize("goal", GOALS)
def test_each_rung_of_the_link_takes_fewer_bits_than_the_one_before(goal: QualityGoal) -> None:
    bits = [share**2 / divisor for share, divisor in LINK_RUNGS[goal]]
    assert bits[0] == 1.0
    assert all(after < 0.8 * before for before, after in pairwise(bits))


@pytest.mark.parametrize(
    ("width", "height"), [(512, 512), (1024, 1024), (512, 288), (240, 512), (192, 192), (16, 16)]
)
@pytest.mark.parametrize("goal", GOALS)
def test_sizes_are_whole_macroblocks_each_once_and_never_beyond_the_video(
    goal: QualityGoal, width: int, height: int
) -> None:
    sizes = sizes_of(Video(width, height, 60.0), goal)
    assert sizes[0] == (width, height)
    assert len(set(sizes)) == len(sizes) and sizes == sorted(sizes, reverse=True)
    assert all(w % 16 == h % 16 == 0 and w <= width and h <= height for w, h in sizes)
    assert all(max(size) >= 192 for size in sizes[1:])
    assert all(abs(w / h * height / width - 1) < 0.15 for w, h in sizes)


def test_a_display_of_any_rate_is_the_most_that_is_wanted() -> None:
    for hz in (24.0, 72.0, 90.0, 120.0):
        for goal in GOALS:
            quality = QualityControl(Video(512, 512, hz), goal).quality
            assert quality.hz == hz
            assert quality.budget_ms <= 0.8e3 / min(hz, 24.0)


def test_a_load_is_read_a_few_times_a_second_and_of_several_frames() -> None:
    def frame(ms: float) -> FrameLoad:
        return FrameLoad(ms, 2.0, 1000, None, 0, 1)

    meter = LoadMeter()
    for ms in (5.0, 5.0):
        meter.add(frame(ms), 0.0)
    assert meter.read(1e6, 1.0) is None  # too few
    meter.add(frame(500.0), 0.0)  # something else was in the way
    load = meter.read(1e6, 1.1)
    assert load is not None and (load.render_ms, load.frame_bits) == (5.0, 1000.0)
    for _ in range(9):
        meter.add(frame(7.0), 0.0)
    assert meter.read(1e6, 1.2) is None  # too soon
    meter.forget()
    assert meter.read(1e6, 2.0) is None  # they were of another size
