"""What the stream's tests share."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import aioice.ice
import pytest

from sharp_xr.stream.sender import use_loopback_candidates


@pytest.fixture
def render_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both peers of a test talk over 127.0.0.1, on any machine; undone afterwards."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", aioice.ice.get_host_addresses)
    use_loopback_candidates()
