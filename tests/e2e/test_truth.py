"""Every frame that is shown is of the pose that its RTP timestamp names: read from its pixels."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import uvloop
from scripts.benchmarks.latency import HZ, MOTION, PATHS, SIDE, server
from scripts.latency.browsing import browse
from scripts.latency.watching import Sample, watch

from sharp_xr.stream.poses import is_newer

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
    check(browse(painting, path, 4.0))


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
