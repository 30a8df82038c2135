"""What the renderers' tests share."""

import pytest

from sharp_xr.render.cpu.renderer import CpuRenderer


@pytest.fixture(scope="session")
def cpu() -> CpuRenderer:
    """Compiled once for all."""
    return CpuRenderer(threads=2)
