"""When packets leave, and their copies."""

import asyncio

import pytest
from tests.server.stream.sender_bench import UNIT, Bench

from sharp_xr.stream.sender import BURST, COPY_AFTER_S, PACE_HZ, STEP_S


@pytest.mark.parametrize("late", [1.0, 1.9])
def test_a_large_frame_leaves_in_steps_and_in_time_though_timers_are_late(late: float) -> None:
    async def run() -> None:
        bench = Bench()
        bench.late = late
        await bench.start()
        assert await bench.sender.push(b"\0\0\0\1\x65" + b"\xab" * 100_000, key=1)
        count = len(bench.sent)
        assert count > 2 * BURST
        for number, at_s in enumerate(bench.sent_s):
            assert number < BURST + PACE_HZ * at_s + 1
        assert bench.sent_s[BURST - 1] == 0.0
        assert bench.now_s <= (count - BURST) / PACE_HZ + late * STEP_S

    asyncio.run(run())


@pytest.mark.parametrize("late", [1.0, 1.9])
@pytest.mark.parametrize(("mbps", "hz"), [(8, 60), (50, 60), (50, 90)])
def test_each_frame_has_left_well_before_the_next_one_is_there(
    mbps: int, hz: int, late: float
) -> None:
    """50 Mbit/s is the most that is ever sent, and 90 Hz a headset's."""

    async def run() -> None:
        bench = Bench()
        bench.late = late
        await bench.start()
        unit = b"\0\0\0\1\x61" + b"\xab" * (mbps * 125_000 // hz)
        for number in range(10):
            began_s = bench.now_s = max(bench.now_s, number / hz)
            assert began_s == number / hz, "the frame before it was still leaving"
            assert await bench.sender.push(unit, key=number)
        bits = 8 * sum(len(packet.payload) for packet in bench.sent)
        assert bits >= 10 * mbps * 1e6 / hz
        for number in range(10):
            times = [
                at - number / hz
                for at, packet in zip(bench.sent_s, bench.sent, strict=True)
                if packet.timestamp == number
            ]
            assert times[-1] <= 0.6 / hz
            for at in set(times):  # what one step lets out, and a late timer two
                assert times.count(at) <= (BURST if at == 0.0 else late * PACE_HZ * STEP_S + 1)

    asyncio.run(run())


@pytest.mark.parametrize("copies", [1, 2])
def test_copies_are_the_same_packets_again_which_the_next_frame_does_not_wait_for(
    copies: int,
) -> None:
    async def run() -> None:
        bench = Bench()
        await bench.start()
        assert await bench.sender.push(UNIT, key=1, copies=copies)
        first = len(bench.sent)
        assert await bench.sender.push(UNIT, key=2)
        assert len(bench.sent) == 2 * first > 6
        await bench.settled()
        frame = [packet.payload for packet in bench.sent[:first]]
        again = bench.sent[2 * first :]
        assert [packet.payload for packet in again] == copies * frame
        assert {packet.timestamp for packet in again} == {1}
        assert bench.sent_s[-1] == copies * COPY_AFTER_S

    asyncio.run(run())


def test_copies_end_with_the_connection() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.start()
        await bench.sender.push(UNIT, key=1, copies=1)
        first = len(bench.sent)
        await bench.stop()
        await bench.settled()
        assert len(bench.sent) == first

    asyncio.run(run())
