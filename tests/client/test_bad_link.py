"""The product's stream and client with a bad link between them, until enough has come over it."""

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


Phase = tuple[Impairment, Callable[[SessionLog], bool]]
"""How the link is, both ways, and until when."""


async def watch(address: str, *phases: Phase) -> SessionLog:
    """A viewer's log, of a link that was good until frames came, and then had these phases."""
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
            for impairment, is_over in [(Impairment(), frames(30)), *phases]:
                up.impairment = down.impairment = impairment
                while not is_over(log):  # noqa: ASYNC110 (the log wakes nobody)
                    assert not viewing.done(), viewing.exception() or "it took too long"
                    await asyncio.sleep(0.01)
            viewing.cancel()
            await asyncio.gather(viewing, return_exceptions=True)
    relay.close()
    assert down.offered, "the video went another way"
    return log


def frames(more: int) -> Callable[[SessionLog], bool]:
    """So many more have come."""
    before: list[int] = []

    def are_there(log: SessionLog) -> bool:
        before.append(len(log.frames))
        return before[-1] >= before[0] + more

    return are_there


def silence(seconds: float) -> Callable[[SessionLog], bool]:
    """No frame for so long."""
    return lambda log: time.monotonic_ns() - log.frames[-1].decoded_ns > seconds * 1e9


def test_a_lossy_link_loses_next_to_no_frame(streaming: Callable[..., str]) -> None:
    enough = frames(150)

    def next_to_none_is_lost(log: SessionLog) -> bool:
        # A machine that has no time for repairs at first may catch up.
        return enough(log) and log.counts.undecodable_frames < 0.05 * len(log.frames)

    log = asyncio.run(watch(streaming("garden"), (LOSSY, next_to_none_is_lost)))
    assert log.counts.missing > 2 and log.counts.repaired > 0
    keys = [frame.key for frame in log.frames]
    assert keys == sorted(keys)
    assert all(frame.sent_ns is not None and frame.sei_key == frame.key for frame in log.frames)


def test_after_an_outage_of_the_media_frames_come_again(streaming: Callable[..., str]) -> None:
    # It goes on, with what is decoded after a key frame.
    plan = [(Impairment(down=True), silence(0.3)), (Impairment(), frames(20))]
    log = asyncio.run(watch(streaming("garden"), *plan))
    keys = [frame.key for frame in log.frames]
    assert keys == sorted(keys)
    assert log.counts.lost > 0 or log.counts.undecodable_frames > 0, "nothing was interrupted"
