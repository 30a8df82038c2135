"""Every frame that is shown is of the pose that its RTP timestamp names: read from its pixels."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import uvloop
from scripts.benchmarks.latency import HZ, MOTION, PATHS, SIDE, server
from scripts.impairment.link import Impairment, Lane
from scripts.latency.browsing import browse
from scripts.latency.relayed import relay
from scripts.latency.watching import Reader, Sample, watch

from sharp_xr.stream.poses import KEYS, is_newer
from sharp_xr_client.follower import Picture
from sharp_xr_client.poses import KeyClock
from sharp_xr_protocol.messages import CLOCK_HZ, FrameHeader

FRAMES = 40
"""At least, in two seconds, also on a machine that is busy with others."""


@pytest.fixture(scope="module")
def painting() -> Iterator[str]:
    """Address of a server that paints each pose's place into its picture."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (page, _):
        yield page


@pytest.fixture(scope="module")
def restless() -> Iterator[str]:
    """The same of one that changes the size of its pictures up to four times a second."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), "--restless") as (page, _):
        yield page


def check(samples: list[Sample]) -> None:
    assert len(samples) >= FRAMES
    assert [sample.key for sample in samples if not sample.is_true] == []


@pytest.mark.parametrize("path", PATHS.values())
def test_a_page_shows_each_frame_as_of_its_pose(painting: str, path: str) -> None:
    check(browse(painting, path, 3.0))


def test_so_does_a_page_whose_browser_tells_no_timestamps(painting: str) -> None:
    """Its keys are read from the coded frames; a <video> may show one newer than it tells."""
    samples = browse(painting, "blind", 3.0)
    assert len(samples) >= FRAMES
    assert sum(not sample.is_true for sample in samples) <= 0.03 * len(samples)


def test_the_python_client_shows_each_frame_as_of_its_pose(painting: str) -> None:
    check(uvloop.run(watch(painting, MOTION, 3.0, SIDE, HZ)))


TAKES = (["quality"], ["quality", "depth"])


def check_sizes(samples: list[Sample]) -> None:
    sizes = [sample.size for sample in samples]
    assert len(set(sizes)) >= 3
    assert sum(a != b for a, b in pairwise(sizes)) >= 3
    keys = [sample.key for sample in samples]
    assert not any(is_newer(earlier, later) for earlier, later in pairwise(keys))


@pytest.mark.parametrize("capabilities", TAKES)
@pytest.mark.parametrize("path", PATHS.values())
def test_a_page_shows_each_frame_as_of_its_pose_while_pictures_change_their_size(
    restless: str, path: str, capabilities: list[str]
) -> None:
    samples = browse(restless, path, 4.0, capabilities)
    check(samples)
    check_sizes(samples)


@pytest.mark.parametrize("capabilities", TAKES)
def test_so_does_the_python_client(restless: str, capabilities: list[str]) -> None:
    samples = uvloop.run(watch(restless, MOTION, 3.0, SIDE, HZ, capabilities))
    check(samples)
    check_sizes(samples)


# --- when something goes wrong -----------------------------------------------------------------

LOSSY = Impairment(loss=0.03, delay_s=0.002, jitter_s=0.01, reorder=True)


def test_a_page_behind_a_bad_link_keeps_showing_frames_and_each_as_of_its_pose(
    painting: str,
) -> None:
    up, down = Lane(LOSSY, seed=1), Lane(LOSSY, seed=2)
    with relay(up, down) as link:
        samples = browse(painting, PATHS["chromium"], 6.0, link=link)
    # On a machine that is busy as well, the rate may fall to where a key frame is nearly grey.
    read = [sample for sample in samples if sample.is_read]
    assert len(read) >= 0.9 * len(samples)
    check(read)
    assert down.dropped > 20, "the video went another way, or nothing was lost"
    keys = [sample.key for sample in samples]
    assert all(is_newer(b, a) for a, b in pairwise(keys))
    # To the end: each second has some, however busy the machine is.
    first_s, last_s = samples[0].decoded_s, samples[-1].decoded_s
    seconds = {int(sample.decoded_s - first_s) for sample in samples}
    assert seconds == set(range(int(last_s - first_s) + 1)) and len(seconds) >= 6


def check_wrap(samples: list[Sample]) -> None:
    check(samples)
    keys = [sample.key for sample in samples]
    assert keys[0] > KEYS // 2 > keys[-1]
    assert not any(is_newer(earlier, later) for earlier, later in pairwise(keys))


@pytest.mark.parametrize("path", PATHS.values())
def test_a_page_shows_each_frame_as_of_its_pose_when_keys_begin_anew(
    painting: str, path: str
) -> None:
    check_wrap(browse(painting, path, 4.0, asked=["wrap"]))


class Ahead(KeyClock):
    """A clock whose keys begin anew two seconds after its first one."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead_ns = (KEYS * 1_000_000_000 // CLOCK_HZ) - 2_000_000_000 - time.monotonic_ns()

    def key(self, time_ns: int) -> int:
        return super().key(time_ns + self._ahead_ns)


def test_so_does_the_python_client_then(painting: str) -> None:
    reader = Reader(HZ)
    reader._keys = Ahead()
    check_wrap(uvloop.run(watch(painting, MOTION, 4.0, SIDE, HZ, reader=reader)))


def test_a_page_that_lost_headers_knows_what_the_server_drew(painting: str) -> None:
    samples = browse(painting, PATHS["chromium"], 3.0, ["depth", "overscan"], asked=["lose"])
    check(samples)
    assert sum(sample.is_guessed for sample in samples) > FRAMES // 2


class Losing(Reader):
    """Loses three of four headers; keeps what it takes to show."""

    def __init__(self) -> None:
        super().__init__(HZ)
        self.taken: list[Picture] = []
        self._headers_told = 0

    def header(self, header: FrameHeader) -> None:
        if self._headers_told % 4 == 0:
            super().header(header)
        self._headers_told += 1

    def take(self) -> Picture | None:
        picture = super().take()
        if picture is not None:
            self.taken.append(picture)
        return picture


def test_the_python_client_shows_no_frame_by_the_header_of_another(painting: str) -> None:
    reader = Losing()
    samples = uvloop.run(watch(painting, MOTION, 4.0, SIDE, HZ, reader=reader))
    check(samples)
    assert len(reader.taken) >= FRAMES // 4
    assert [one for one in reader.taken if one.header.key != one.frame.key] == []
    shown = {one.frame.key for one in reader.taken}
    assert len(shown) < len(samples)  # those without a header it leaves out


@pytest.mark.parametrize("path", PATHS.values())
def test_a_page_shows_each_frame_as_of_its_pose_after_its_connection_broke(
    painting: str, path: str
) -> None:
    samples = browse(painting, path, 4.0, is_cut=True)
    check(samples)
    assert {sample.session for sample in samples} == {1, 2}


def test_so_does_the_python_client_that_connects_again(painting: str) -> None:
    reader = Reader(HZ)
    for _ in range(2):
        samples = uvloop.run(watch(painting, MOTION, 2.0, SIDE, HZ, reader=reader))
    check(samples)
    assert {sample.session for sample in samples} == {1, 2}
