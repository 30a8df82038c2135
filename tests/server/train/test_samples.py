"""Samples and batches."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.server.train.planes import BOARD_M, WALL_M, Planes

from sharp_xr.train.ahead import Ahead
from sharp_xr.train.objective.image import frustum_mask
from sharp_xr.train.samples import Batch, batch_of


def test_a_step_s_pictures_follow_from_seed_and_step_whoever_draws_them() -> None:
    samples = Planes()
    whole = batch_of(samples, 1, 7, range(4), (32, 32))
    halves = [batch_of(samples, 1, 7, places, (32, 32)) for places in ([0, 1], [2, 3])]
    for name in vars(whole):
        joined = torch.cat([getattr(half, name) for half in halves])
        assert torch.equal(getattr(whole, name), joined), name
    other = batch_of(samples, 1, 8, range(4), (32, 32))
    assert not torch.equal(other.rgb, whole.rgb)


def test_a_smaller_picture_keeps_depths_and_has_a_smaller_lens() -> None:
    batch = batch_of(Planes(size=64), 0, 0, [0], (16, 32))
    assert batch.rgb.shape == (1, 2, 3, 16, 32) and batch.size == (16, 32)
    assert set(batch.depth.flatten().tolist()) <= {BOARD_M, WALL_M}
    assert batch.lenses[0, 0].tolist() == pytest.approx([28.8, 14.4, 16, 8])
    assert batch.focal_over_width.item() == pytest.approx(0.9)


def test_pose_lens_and_depth_fit_each_other() -> None:
    """Most pixels of the novel view, put into the input by depth, show what they show there."""
    batch = batch_of(Planes(size=64), 0, 3, [0], (64, 64))
    lens, novel_lens = batch.lenses[0].double()
    pose = torch.linalg.inv(batch.novel_from_input[0])
    y, x = torch.meshgrid(torch.arange(64.0) + 0.5, torch.arange(64.0) + 0.5, indexing="ij")
    z = batch.depth[0, 1].double()
    rays = [(x - novel_lens[2]) / novel_lens[0] * z, (y - novel_lens[3]) / novel_lens[1] * z, z]
    there = torch.einsum("ij,jhw->ihw", pose[:3, :3], torch.stack(rays)) + pose[:3, 3, None, None]
    u = (lens[0] * there[0] / there[2] + lens[2]).floor().long()
    v = (lens[1] * there[1] / there[2] + lens[3]).floor().long()
    size = torch.tensor([[64.0, 64.0]])
    mask = frustum_mask(
        batch.depth[:, 1], batch.lenses[:, 1], batch.lenses[:, 0], pose[None], size
    )[0].bool()
    mask &= (u >= 0) & (u < 64) & (v >= 0) & (v < 64)
    same = (batch.rgb[0, 0][:, v[mask], u[mask]] - batch.rgb[0, 1][:, mask]).abs().amax(0) < 0.12
    assert mask.float().mean() > 0.8 and same.float().mean() > 0.9


def test_a_sample_of_another_shape_is_refused_by_name() -> None:
    sample = Planes()[0]
    with pytest.raises(ValueError, match=r"lenses has shape \(2, 4\), wanted \(3, 4\)"):
        dataclasses.replace(sample, lenses=np.zeros((2, 4)))


def test_batches_that_are_read_ahead_are_the_same_and_faults_come_in_their_turn() -> None:
    samples = Planes()
    read: list[int] = []

    def make(step: int) -> Batch:
        read.append(step)
        if step == 3:
            raise OSError("the disk is gone")
        return batch_of(samples, 0, step, [0], (32, 32))

    ahead = Ahead(make)
    for step in (0, 1, 7, 2):
        assert torch.equal(ahead(step).rgb, batch_of(samples, 0, step, [0], (32, 32)).rgb)
    with pytest.raises(OSError, match="disk"):
        ahead(3)
    ahead.close()
    assert read.count(1) == 1, "what was read ahead is not read again"
