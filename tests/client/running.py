"""The command, as a user runs it."""

from __future__ import annotations

from collections.abc import Callable

from sharp_xr_client.cli import main

Streaming = Callable[..., str]
"""The fixture ``streaming``."""
Serve = Callable[..., str]
"""The fixture ``serve``."""


def simulate(address: str, *arguments: str) -> int:
    small = ("--seconds", "1", "--eye-size", "256", "--quality", "full")
    return main([address, "--simulate", *small, *arguments])
