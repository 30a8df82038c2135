import asyncio

import pytest
from tests.server.stream.barcode import tracking

from sharp_xr.stream.poses import Poses, is_newer

LAST = (1 << 32) - 1


@pytest.mark.parametrize(
    ("key", "than", "newer"),
    [
        (2, 1, True),
        (1, 2, False),
        (1, 1, False),
        (0, LAST, True),  # around the end of the circle
        (LAST, 0, False),
        (1 << 31, 1, True),
        (1 << 31, 0, False),  # exactly half the circle is not newer, either way round
        (0, 1 << 31, False),
    ],
)
def test_newer_is_less_than_half_the_circle_ahead(key: int, than: int, newer: bool) -> None:
    assert is_newer(key, than) is newer


def test_only_the_newest_pose_is_latched_and_only_once() -> None:
    async def run() -> None:
        poses = Poses(clock=lambda: 5.0)
        for n in (1, 2, 3):
            poses.put(tracking(n, key=n))
        arrival = poses.latch()
        assert arrival is not None and arrival.tracking.key == 3 and arrival.at_s == 5.0
        assert poses.latch() is None
        assert (poses.arrived, poses.dropped) == (3, 2)

    asyncio.run(run())


def test_a_late_pose_and_a_repeated_key_are_never_drawn() -> None:
    async def run() -> None:
        poses = Poses()
        assert poses.put(tracking(1, key=10))
        poses.latch()
        assert not poses.put(tracking(2, key=9))
        assert not poses.put(tracking(3, key=10))
        assert poses.latch() is None

    asyncio.run(run())


def test_keys_go_on_rising_when_they_wrap() -> None:
    async def run() -> None:
        poses = Poses()
        drawn = []
        for key in (LAST - 1, LAST, 0, LAST, 1):
            poses.put(tracking(0, key=key))
            arrival = poses.latch()
            if arrival is not None:
                drawn.append(arrival.tracking.key)
        assert drawn == [LAST - 1, LAST, 0, 1]

    asyncio.run(run())


def test_a_skipped_pose_lets_the_loop_wait_for_the_next_one() -> None:
    async def run() -> None:
        poses = Poses()
        poses.put(tracking(1, key=1))
        await poses.arrival()
        poses.skip()
        waiting = asyncio.create_task(poses.arrival())
        await asyncio.sleep(0)
        assert not waiting.done()
        poses.put(tracking(2, key=2))
        await waiting
        assert poses.dropped == 1

    asyncio.run(run())
