"""Figures of held-out scenes, and the file of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.server.train.slanted import slanted
from torch import nn

from sharp_xr.model.lite_network import CANONICAL_FOCAL_PX, TINY, LiteNetwork
from sharp_xr.train.curve import Curve, Held, figures, held_out_photos
from sharp_xr.train.data.shards import HELD_OUT, shard_path, write_shard
from sharp_xr.train.journal import read_lines

FOCAL_PX = 2 * CANONICAL_FOCAL_PX


class Knows(nn.Module):
    """Says these depths [H, W], times a factor."""

    def __init__(self, depth: torch.Tensor, factor: float) -> None:
        super().__init__()
        self.y = -(depth * factor * CANONICAL_FOCAL_PX / FOCAL_PX).log()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.y, self.y])[None]


@pytest.fixture
def held() -> list[Held]:
    true = torch.linspace(1, 5, 48).reshape(6, 8)
    true[0, 0], true[0, 1] = 0.0, 80.0  # unknown, and the sky: neither counts
    return [(torch.zeros(1, 3, 12, 16), true, FOCAL_PX)]


def figures_of(held: list[Held], depth: torch.Tensor, factor: float = 1.0) -> dict[str, float]:
    return figures(Knows(depth, factor), held)  # type: ignore[arg-type]


def test_the_truth_is_without_error_and_a_factor_is_an_error_of_scale_alone(
    held: list[Held],
) -> None:
    depth = held[0][1].clamp(min=0.5)
    assert figures_of(held, depth) == pytest.approx(
        {"absrel_metric": 0, "absrel_scaled": 0, "delta1_scaled": 1}, abs=1e-5
    )
    wrong = figures_of(held, depth, 1.5)
    assert wrong["absrel_metric"] == pytest.approx(0.5, abs=1e-5)
    assert wrong["absrel_scaled"] == pytest.approx(0, abs=1e-5)


def test_a_plane_is_right_where_the_scene_is_as_far(held: list[Held]) -> None:
    near = (held[0][1] > 0) & (held[0][1] < 79)
    true = held[0][1][near]
    found = figures_of(held, torch.full((6, 8), 2.0))
    ratio = torch.maximum(true / true.median(), true.median() / true)
    assert found["delta1_scaled"] == pytest.approx(float((ratio < 1.25).float().mean()))
    assert found["absrel_metric"] == pytest.approx(float(((2 - true).abs() / true).mean()))


def test_photos_are_of_held_out_scenes_with_their_focal_length(tmp_path: Path) -> None:
    write_shard(shard_path(tmp_path, 7, 7), [slanted("000007-0")])
    assert held_out_photos(tmp_path) == []
    write_shard(shard_path(tmp_path, HELD_OUT, HELD_OUT), [slanted("100000-0")])
    ((picture, true, focal_px),) = held_out_photos(tmp_path)
    assert picture.shape == (1, 3, 288, 384) and true.shape == (144, 192)
    assert focal_px / 384 == pytest.approx(230.4 / 288, rel=0.01)
    known = true[true > 0]
    assert known.numel() < true.numel(), "a corner is marked as a mirror"
    assert known.min() == pytest.approx(1, rel=0.02) and known.max() == pytest.approx(2, rel=0.02)


def test_a_curve_that_goes_on_forgets_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    losses = np.array([0.5, 0.25])
    network = LiteNetwork(TINY).eval()
    curve = Curve(tmp_path, tmp_path, 0)
    for step in (100, 200, 300):
        curve.add(step, losses, network)
    Curve(tmp_path, tmp_path, 200).add(250, losses / 2, network)
    lines = read_lines(tmp_path / "curve.jsonl")
    assert [line["step"] for line in lines] == [100, 200, 250]
    assert lines[-1]["visible"] == 0.25 and lines[-1]["behind"] == 0.125
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds) and math.isfinite(seconds[-1])
