"""Servers for the tests that want one; made of straw.py, which is imported only then."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.server.straw import MakeSite, Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server on the loopback for a file's tests."""
    from tests.server.straw import running_site

    with running_site(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    """Makes a server of the test's own; options as in AppConfig."""
    from tests.server.straw import running_site

    with contextlib.ExitStack() as stack:

        def make(*, started: bool = True, **options: Any) -> Site:
            return stack.enter_context(running_site(tmp_path, started=started, **options))

        yield make
