"""The product's stream and client with a bad link between them, for a few real seconds."""

import asyncio
import time
from collections.abc import Callable

import pytest
from scripts.impairment.link import Impairment, Lane, UdpRelay, without_candidates

from sharp_xr_client import connection as client
from sharp_xr_client.address import parse_address
from sharp_xr_client.connection import connect
from sharp_xr_client.motion import motion
from sharp_xr_client.report import SessionLog
from sharp_xr_client.simulated import Viewer
from sharp_xr_client.video import VideoLink
from sharp_xr_protocol.messages import Display, Hello

LOSSY = Impairment(loss=0.06, delay_s=0.002, jitter_s=0.01, reorder=True)


async def watch(address: str, plan: list[tuple[float, Impairment]]) -> SessionLog:
    """A viewer's log; ``plan``: for so many seconds the link is like that, both ways."""
    up, down = Lane(seed=1), Lane(seed=2)
    relay = UdpRelay(up, down)
    await relay.open()

    class Relayed(VideoLink):
        async def offer(self) -> str:
            return without_candidates(await super().offer())

        async def accept(self, answer_sdp: str) -> None:
            await super().accept(relay.rewritten(answer_sdp))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "VideoLink", Relayed)
        log = SessionLog(time.monotonic_ns())
        viewer = Viewer(60.0, log)
        hello = Hello("test", "simulated", Display(128, 128, 60.0))
        async with connect(parse_address(address), hello, viewer) as connection:
            log.counts = connection.counts
            viewing = asyncio.create_task(viewer.run(connection, motion("shake"), 60.0))
            while len(log.frames) < 30:  # noqa: ASYNC110 (the log wakes nobody)
                await asyncio.sleep(0.01)
            for seconds, impairment in plan:
                up.impairment = down.impairment = impairment
                await asyncio.sleep(seconds)
            viewing.cancel()
            await asyncio.gather(viewing, return_exceptions=True)
    relay.close()
    assert down.offered, "the video went another way"
    return log


def test_a_lossy_link_loses_next_to_no_frame(streaming: Callable[..., str]) -> None:
    log = asyncio.run(watch(streaming("garden"), [(3.0, LOSSY)]))
    assert log.counts.missing > 2 and log.counts.repaired > 0
    assert log.counts.undecodable_frames < 0.1 * len(log.frames)
    keys = [frame.key for frame in log.frames]
    assert keys == sorted(keys)
    assert all(frame.sent_ns is not None and frame.sei_key == frame.key for frame in log.frames)


def test_after_an_outage_of_the_media_frames_come_again(streaming: Callable[..., str]) -> None:
    plan = [(0.3, Impairment(down=True)), (1.0, Impairment())]
    log = asyncio.run(watch(streaming("garden"), plan))
    times_s = [frame.decoded_ns / 1e9 for frame in log.frames]
    gaps_s = [b - a for a, b in zip(times_s, times_s[1:], strict=False)]
    outage = gaps_s.index(max(gaps_s))
    assert gaps_s[outage] > 0.25, "nothing was interrupted"
    assert len(gaps_s) - outage > 20  # it went on, with what is decoded after a key frame
