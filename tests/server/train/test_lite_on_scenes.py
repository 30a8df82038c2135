"""The shipped weights on scenes that they were not trained on, with furniture they never saw."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

pytest.importorskip("embreex", reason="drawing scenes needs embreex: pip install 'sharp-xr[train]'")

from sharp_xr.model.lite_network import load_lite, metric_depth, normalised
from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.instances import Drawing, draw
from sharp_xr.train.data.shards import HELD_OUT
from sharp_xr.train.photographs import targets

Float = NDArray[np.float32]


@pytest.fixture(scope="module")
def pairs(library: Library) -> list[tuple[Float, Float]]:
    """(truth, prediction) of eight views, both [2, h, w] metres."""
    network = load_lite()
    found: list[tuple[Float, Float]] = []
    for seed in range(HELD_OUT, HELD_OUT + 8):
        for one in draw(seed, library, Drawing(instances=1, novel=0, size_px=256)):
            sample = one.sample
            assert sample.behind is not None
            # The middle of the square: 4 : 3 is what the network has mostly seen.
            rgb, depth, behind = sample.rgb[0, 32:-32], sample.depth[0], sample.behind
            focal = float(sample.lenses[0, 0])
            picture = np.asarray(rgb)
            layers = torch.from_numpy(np.stack([depth, behind])[:, 32:-32])[None]
            visible, second = targets(layers, torch.tensor([focal]))
            with torch.no_grad():
                y = network(normalised(torch.from_numpy(picture.copy())[None]))
            truth = metric_depth(torch.stack([visible.y, second.y], 1), focal)[0]
            found.append((truth.numpy(), metric_depth(y, focal)[0].numpy()))
    return found


def within_a_quarter(truth: Float, guess: Float) -> float:
    """delta1: the share of pixels that are wrong by a factor of less than 1.25."""
    return float((np.maximum(truth / guess, guess / truth) < 1.25).mean())


def test_depth_follows_the_scene(pairs: list[tuple[Float, Float]]) -> None:
    correlations = [np.corrcoef(np.log(t[0]).ravel(), np.log(p[0]).ravel())[0, 1] for t, p in pairs]
    assert np.mean(correlations) > 0.5


def test_scaled_depth_beats_a_flat_picture(pairs: list[tuple[Float, Float]]) -> None:
    ours, flat = [], []
    for truth, guess in pairs:
        t, p = truth[0], guess[0]
        ours.append(within_a_quarter(t, p * (np.median(t) / np.median(p))))
        flat.append(within_a_quarter(t, np.full_like(t, np.median(t))))
    assert np.mean(ours) > np.mean(flat) + 0.05


def test_metric_depth_is_of_the_right_order(pairs: list[tuple[Float, Float]]) -> None:
    wrong_by = [abs(np.log(np.median(p[0]) / np.median(t[0]))) for t, p in pairs]
    assert np.median(wrong_by) < np.log(2)


def test_the_second_layer_is_better_than_the_first_in_its_place(
    pairs: list[tuple[Float, Float]],
) -> None:
    def error(truth: Float, guess: Float) -> float:
        return float(np.abs(np.log(truth / guess)).mean())

    second = np.mean([error(t[1], p[1]) for t, p in pairs])
    first = np.mean([error(t[1], p[0]) for t, p in pairs])
    assert second < first
