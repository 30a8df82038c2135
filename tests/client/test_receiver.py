"""The receiver's hooks, with a real sender and a network that drops packets."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aioice.ice
import av
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from sharp_xr.stream.encoder import EncoderSettings, open_x264
from sharp_xr.stream.peer import Peer
from sharp_xr.stream.sender import use_loopback_candidates
from sharp_xr_client import receiver
from sharp_xr_client.counts import Counts
from sharp_xr_client.decoder import DecodedFrame
from sharp_xr_client.jitter import AccessUnit
from sharp_xr_client.receiver import VideoReceiver, check_aiortc, offer_loopback

FRAMES, HZ = 90, 60.0
WIDTH, HEIGHT = 256, 128
Drops = Callable[[int], bool]
"""Whether to drop a packet that is sent while this frame is the newest."""


def picture(number: int) -> av.VideoFrame:
    """Noise whose mean says which frame it is; a damaged frame has another mean."""
    noise = np.random.default_rng(1).integers(-20, 20, (HEIGHT, WIDTH))
    luma = (40 + 2 * number + noise).astype(np.uint8)
    chroma = np.full((HEIGHT // 2, WIDTH), 128, np.uint8)
    return av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), format="yuv420p")


def damage(frame: DecodedFrame) -> float:
    """How far the picture's mean is from what was sent with this key."""
    shown, sent = (
        float(each.to_ndarray()[:HEIGHT].mean())  # [:HEIGHT] of yuv420p is its luma
        for each in (frame.picture, picture(frame.key // 1500))
    )
    return abs(shown - sent)


@dataclass
class Outcome:
    frames: list[DecodedFrame] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    keyframes_wanted: int = 0

    @property
    def numbers(self) -> list[int]:
        return [frame.key // 1500 for frame in self.frames]


async def stream(drops: Drops) -> Outcome:
    """Send :data:`FRAMES` frames through a network that drops these packets, none of the last."""
    outcome = Outcome()
    current, wanted = [0], [True]

    def want_keyframe() -> None:
        wanted[0] = True
        outcome.keyframes_wanted += 1

    async with connected(outcome.frames.append, outcome.counts, want_keyframe) as (sender, video):
        video.set_round_trip(0.005)
        assert sender.sender is not None
        _lose_packets(sender, lambda: current[0] < FRAMES - 1 and drops(current[0]))
        encoder = open_x264(EncoderSettings(WIDTH, HEIGHT, HZ, 4_000_000))
        for number in range(FRAMES):
            current[0], keyframe, wanted[0] = number, wanted[0], False
            unit = encoder.encode(picture(number), key_frame=keyframe)
            await sender.sender.push(unit, 1500 * number)
            await asyncio.sleep(1 / HZ)
        async with asyncio.timeout(30):
            while not outcome.frames or outcome.numbers[-1] < FRAMES - 1:
                if wanted[0]:
                    break  # what comes cannot be decoded, and there is no newer one to be a key
                await asyncio.sleep(0.01)
    return outcome


@asynccontextmanager
async def connected(
    on_frame: Callable[[DecodedFrame], None],
    counts: Counts,
    on_key_frame_wanted: Callable[[], None] = lambda: None,
) -> AsyncIterator[tuple[Peer, VideoReceiver]]:
    """A server's end and a client's, ready for frames."""
    ready = asyncio.Event()
    sender = Peer(
        on_ready=ready.set,
        on_key_frame_wanted=on_key_frame_wanted,
        on_remb=lambda _: None,
        on_lost=lambda _: None,
    )
    client = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    transceiver = client.addTransceiver("video", direction="recvonly")
    video = VideoReceiver(transceiver.receiver, on_frame, counts)
    feedback = asyncio.create_task(video.run())
    try:
        await client.setLocalDescription(await client.createOffer())
        answer = await sender.answer(client.localDescription.sdp)
        await client.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await asyncio.wait_for(ready.wait(), 20)
        yield sender, video
    finally:
        feedback.cancel()
        await asyncio.gather(feedback, return_exceptions=True)
        await client.close()
        await sender.close()
        video.close()


class Taker:
    """In place of a decoder: keeps what it would decode."""

    def __init__(self, units: list[AccessUnit]) -> None:
        self._units = units

    def push(self, unit: AccessUnit) -> bool:
        self._units.append(unit)
        return True

    def failed(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing runs."""


def _lose_packets(sender: Peer, drop: Callable[[], bool]) -> None:
    assert sender.sender is not None
    way = sender.sender.way
    send = way.send

    def lossy(packet: bytes) -> None:
        if not drop():
            send(packet)

    way.send = lossy  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", aioice.ice.get_host_addresses)
    use_loopback_candidates()


def test_every_frame_comes_through_a_network_that_loses_a_packet_now_and_then() -> None:
    chance = random.Random(7)
    outcome = asyncio.run(stream(lambda _: chance.random() < 0.03))
    counts = outcome.counts
    assert counts.missing > 0
    assert counts.repaired > 0
    assert max(damage(frame) for frame in outcome.frames) < 1.0
    assert outcome.numbers == sorted(outcome.numbers)
    # Some are given up for a key frame where the repair was lost as well.
    assert len(outcome.frames) > FRAMES * 0.8


def test_after_an_outage_a_key_frame_is_asked_for_and_nothing_damaged_is_shown() -> None:
    outcome = asyncio.run(stream(lambda number: 20 <= number < 40))
    assert outcome.keyframes_wanted >= 1
    assert outcome.counts.plis >= 1
    assert max(damage(frame) for frame in outcome.frames) < 1.0
    before = [number for number in outcome.numbers if number < 20]
    after = [number for number in outcome.numbers if number >= 40]
    assert before == list(range(20))
    assert after == list(range(after[0], FRAMES))
    first_after = outcome.frames[outcome.numbers.index(after[0])]
    assert first_after.unit.keyframe


def test_a_clean_network_needs_no_feedback() -> None:
    outcome = asyncio.run(stream(lambda _: False))
    assert outcome.numbers == list(range(FRAMES))
    assert (outcome.counts.nacks, outcome.counts.plis) == (0, 0)
    assert outcome.keyframes_wanted == 0


def test_a_second_of_90_frames_and_50_megabits_comes_through_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What sockets hold is less than a frame or two of that: whether the sender spreads them."""
    size, hz = 50_000_000 // 8 // 90, 90
    units: list[AccessUnit] = []
    monkeypatch.setattr(receiver, "Decoder", lambda on_frame: Taker(units))

    async def run() -> Counts:
        counts = Counts()
        async with connected(lambda frame: None, counts) as (peer, _):
            assert peer.sender is not None
            for number in range(hz):
                head = b"\x67\x42\0\0\0\1\x65" if number == 0 else b"\x61"
                unit = b"\0\0\0\1" + head + bytes([1 + number]) * size
                await peer.sender.push(unit, 1000 * number, key_frame=number == 0)
                # As a decoder would acknowledge it: no faster than this machine can.
                while len(units) <= number:  # noqa: ASYNC110 (the list wakes nobody)
                    await asyncio.sleep(0.001)
        return counts

    async def in_time() -> Counts:
        async with asyncio.timeout(60):
            return await run()

    counts = asyncio.run(in_time())
    assert [unit.key for unit in units] == [1000 * number for number in range(hz)]
    assert all(unit.data.endswith(bytes([1 + n]) * size) for n, unit in enumerate(units))
    assert counts.received >= hz * size // 1300 and counts.lost == 0


def test_the_installed_aiortc_has_every_name_that_is_used() -> None:
    asyncio.run(check_aiortc())


def test_an_aiortc_without_a_name_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(receiver, "RECEIVER_NAMES", ("_gone",))
    with pytest.raises(RuntimeError, match=r"has no '_gone'; install with constraints\.txt"):
        asyncio.run(check_aiortc())


def test_loopback_is_offered_once_however_often_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["10.0.0.5"])
    offer_loopback()
    offer_loopback()
    assert aioice.ice.get_host_addresses(True, True) == ["127.0.0.1", "10.0.0.5"]
