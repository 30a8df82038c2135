"""LPIPS and DISTS: used where their packages and weights are, as stand-ins of them see it."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sharp_xr.eval import judges
from sharp_xr.eval.judges import VGG16_FILE


class Seen(nn.Module):
    """Remembers what it is given; says how far the first is from the second on average."""

    ranges: list[tuple[float, float]] = []

    def __init__(self, **settings: object) -> None:
        super().__init__()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        Seen.ranges.append((float(b.min()), float(b.max())))
        return (a - b).abs().mean()


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name, attribute in (("lpips", "LPIPS"), ("DISTS_pytorch", "DISTS")):
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        setattr(module, attribute, Seen)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path


def test_without_the_packages_two_sentences_say_so() -> None:
    made, missing = judges.judges()
    assert len(made) + len(missing) == 2
    for sentence in missing:
        assert "is left out: " in sentence


def test_without_torchvisions_weights_nothing_is_made_that_would_fetch_them(packages: Path) -> None:
    made, missing = judges.judges()
    assert made == []
    assert all(f"torchvision's VGG16 is not at {packages}" in sentence for sentence in missing)


def test_each_gets_the_range_that_it_wants(packages: Path) -> None:
    (packages / "checkpoints").mkdir()
    (packages / "checkpoints" / VGG16_FILE).touch()
    made, missing = judges.judges()
    assert [measure.name for measure in made] == ["lpips", "dists"] and not missing
    true = np.zeros((8, 8, 3), np.uint8)
    true[0] = 255
    Seen.ranges.clear()
    values = [measure.of(255 - true, true, np.ones((8, 8), bool)) for measure in made]
    assert Seen.ranges == [(-1, 1), (0, 1)]
    assert values == [2, 1]
