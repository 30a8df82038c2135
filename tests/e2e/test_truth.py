"""Every frame that is shown is of the pose that its RTP timestamp names: read from its pixels."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop
from scripts.benchmarks.latency import HZ, MOTION, PATHS, SIDE, server
from scripts.latency.browsing import browse
from scripts.latency.watching import Sample, watch

FRAMES = 40
"""At least, in two seconds, also on a machine that is busy with others."""


@pytest.fixture(scope="module")
def painting() -> Iterator[str]:
    """Address of a server that paints each pose's place into its picture."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (page, _):
        yield page


def check(samples: list[Sample]) -> None:
    assert len(samples) >= FRAMES
    assert [sample.key for sample in samples if not sample.is_true] == []


@pytest.mark.parametrize("path", PATHS.values())
def test_a_page_shows_each_frame_as_of_its_pose(painting: str, path: str) -> None:
    check(browse(painting, path, 4.0))


def test_the_python_client_shows_each_frame_as_of_its_pose(painting: str) -> None:
    check(uvloop.run(watch(painting, MOTION, 3.0, SIDE, HZ)))
