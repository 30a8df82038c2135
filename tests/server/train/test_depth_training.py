"""The loop, on the tiny network and made-up shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from sharp_xr.model import ModelError
from sharp_xr.model.lite_network import LITE, TINY, LiteNetwork, load_lite
from sharp_xr.train.data.instances import Instance
from sharp_xr.train.data.shards import shard_path, write_shard
from sharp_xr.train.depth_training import Training, TrainLite, export, schedule
from sharp_xr.train.losses import layers_loss
from sharp_xr.train.photographs import FIRST_SIZES, LAST_SIZES, SMALL_SIZES, Photographs
from sharp_xr.train.samples import Sample


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    """Bright is near."""
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    depth = np.repeat(np.repeat(rng.uniform(1, 6, (4, 9, 12)), 24, 1), 24, 2)
    instances = [_alone(f"000000-{i}", layer.astype(np.float32)) for i, layer in enumerate(depth)]
    write_shard(shard_path(folder, 0, 0), instances)
    found = Photographs(folder)
    found.refresh()
    return found


def _alone(key: str, depth: NDArray[np.float32]) -> Instance:
    """A photo without novel views."""
    rgb = np.repeat((250 / depth)[None, ..., None], 3, -1).astype(np.uint8)
    lens = np.array([[250, 250, depth.shape[1] / 2, depth.shape[0] / 2]])
    sample = Sample(rgb, depth[None], lens, np.eye(4)[None], depth + 1)
    return Instance(key, "blocks", sample, np.zeros((1, *depth.shape), np.uint8), np.eye(4))


def training(out: Path, steps: int = 6) -> Training:
    return Training(TINY, TrainLite(out=out, steps=steps, batch=2, frozen=0), imagenet=False)


def step(run: Training, photographs: Photographs) -> None:
    run.one_step(run.pictures(photographs, run.step))


def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    photographs: Photographs, tmp_path: Path
) -> None:
    whole = training(tmp_path / "whole")
    for _ in range(4):
        step(whole, photographs)
    first = training(tmp_path / "parts")
    for _ in range(2):
        step(first, photographs)
    first.save(photographs)
    second = training(tmp_path / "parts")
    assert second.resume() == photographs.names
    assert second.step == 2
    for _ in range(2):
        step(second, photographs)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, second.network.state_dict()[name]), name
        assert torch.equal(whole.average[name], second.average[name]), name
    assert whole.losses.tolist() == second.losses.tolist()


def test_training_lowers_the_loss(photographs: Photographs, tmp_path: Path) -> None:
    run = training(tmp_path, steps=1000)
    batch = photographs.batch(np.random.default_rng(9), 4)

    def loss() -> float:
        return float(layers_loss(run.network(batch.x), batch.visible, batch.behind)[0].detach())

    before = loss()
    for _ in range(30):
        step(run, photographs)
    assert loss() < 0.8 * before


def test_what_is_shipped_is_the_average_in_half_precision(
    photographs: Photographs, tmp_path: Path
) -> None:
    run = training(tmp_path)
    step(run, photographs)
    run.save(photographs)
    shipped = load_file(tmp_path / "lite.safetensors")
    network = LiteNetwork(TINY)
    network.load_state_dict({name: t.float() for name, t in shipped.items()})
    for name, tensor in shipped.items():
        if tensor.is_floating_point():
            assert tensor.dtype == torch.float16
            assert torch.equal(tensor, run.average[name].half()), name


def test_frozen_blocks_keep_weights_and_statistics(
    photographs: Photographs, tmp_path: Path
) -> None:
    settings = TrainLite(out=tmp_path, steps=6, batch=2, frozen=2)
    run = Training(TINY, settings, imagenet=False)
    before = {n: t.clone() for n, t in run.network.state_dict().items()}
    step(run, photographs)
    kept = ("encoder.stem", "encoder.blocks.0.", "encoder.blocks.1.")
    for name, tensor in run.network.state_dict().items():
        if name.startswith(kept):
            assert torch.equal(tensor, before[name]), name
    assert not torch.equal(run.network.head.weight, before["head.weight"])


def test_the_learning_rate_rises_falls_and_never_stops() -> None:
    rates = [schedule(step, 1000) for step in range(1000)]
    assert rates[0] < 0.02
    assert 90 <= int(np.argmax(rates)) <= 110
    assert rates[-1] == pytest.approx(0.02, abs=1e-3)


def test_a_training_may_start_from_weights_of_lite(tmp_path: Path) -> None:
    shipped = LiteNetwork(TINY)
    export(shipped.state_dict(), tmp_path / "start.safetensors")
    settings = TrainLite(out=tmp_path, start=tmp_path / "start.safetensors", frozen=0)
    with pytest.raises(ModelError, match="another network"):
        Training(TINY, settings)  # a start is of the network that is shipped
    export(LiteNetwork().state_dict(), tmp_path / "start.safetensors")
    run = Training(LITE, settings)
    for name, tensor in load_lite(tmp_path / "start.safetensors").state_dict().items():
        assert torch.equal(run.network.state_dict()[name], tensor), name
        assert torch.equal(run.average[name], tensor), name


def test_rates_are_those_that_were_asked_for(photographs: Photographs, tmp_path: Path) -> None:
    settings = TrainLite(out=tmp_path, steps=6, batch=2, frozen=0, encoder_rate=0.0)
    run = Training(TINY, settings, imagenet=False)
    before = {n: p.clone() for n, p in run.network.named_parameters()}
    step(run, photographs)
    moved = {n for n, p in run.network.named_parameters() if not torch.equal(p, before[n])}
    assert "head.weight" in moved and not any(n.startswith("encoder.") for n in moved)


def test_training_without_shards_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="data synth"):
        TrainLite(data=tmp_path, out=tmp_path, frozen=0).checked_photographs()


def test_pictures_grow_from_small_ones_to_those_that_are_served(tmp_path: Path) -> None:
    settings = TrainLite(out=tmp_path, steps=10, small=3, last=2)
    training = Training(TINY, settings, imagenet=False)
    sizes = [training.sizes(step) for step in range(10)]
    assert sizes == [SMALL_SIZES] * 3 + [FIRST_SIZES] * 5 + [LAST_SIZES] * 2
