"""The loop, on the tiny network and made-up shards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from sharp_xr.model import ModelError
from sharp_xr.model.lite_network import LITE, TINY, LiteNetwork, load_lite
from sharp_xr.train.data.instances import Instance
from sharp_xr.train.data.settings import SettingError
from sharp_xr.train.data.shards import HELD_OUT, shard_path, write_shard
from sharp_xr.train.depth_losses import layers_loss
from sharp_xr.train.depth_training import Training, TrainLite, export, schedule
from sharp_xr.train.photographs import (
    FIRST_SIZES,
    LAST_SIZES,
    SMALL_SIZES,
    Batch,
    Photographs,
)
from sharp_xr.train.samples import Sample
from sharp_xr.train.stages import StageError


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


class Killed(Exception):
    pass


def test_a_killed_command_ends_as_one_that_was_not(
    photographs: Photographs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    shutil.copytree(photographs.folder, data)
    held_out = shard_path(data, HELD_OUT, HELD_OUT)
    shutil.copy(shard_path(data, 0, 0), held_out)

    def command(out: str) -> TrainLite:
        return TrainLite(
            data=data, out=tmp_path / out, steps=5, batch=1, frozen=0, save_every=2, last=1
        )

    monkeypatch.setattr("sharp_xr.train.depth_training.initialise", lambda encoder: None)
    command("whole").run(TINY)

    def dies(self: Training, batch: Batch) -> None:
        if self.step == 3:
            raise Killed
        one_step(self, batch)

    one_step = Training.one_step
    monkeypatch.setattr(Training, "one_step", dies)
    with pytest.raises(Killed):
        command("parts").run(TINY)
    monkeypatch.setattr(Training, "one_step", one_step)
    save = Training.save
    monkeypatch.setattr(Training, "save", Mock(side_effect=Killed))  # its line is there already
    with pytest.raises(Killed):
        command("parts").run(TINY)
    monkeypatch.setattr(Training, "save", save)
    recall = Mock(side_effect=Photographs.recall)
    monkeypatch.setattr(Photographs, "recall", lambda self, names: recall(self, names))
    command("parts").run(TINY)
    assert recall.call_args.args[1] == [shard_path(data, 0, 0).name]
    whole, parts = (load_file(tmp_path / out / "lite.safetensors") for out in ("whole", "parts"))
    assert all(torch.equal(tensor, parts[name]) for name, tensor in whole.items())
    curve = (tmp_path / "parts" / "curve.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in curve] == [2, 4, 5]


def test_weights_are_there_before_their_checkpoint(
    photographs: Photographs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = training(tmp_path)
    monkeypatch.setattr(torch, "save", Mock(side_effect=Killed))
    with pytest.raises(Killed):
        run.save(photographs)
    assert (tmp_path / "lite.safetensors").exists() and not run.checkpoint.exists()


def test_what_cannot_be_gone_on_from_is_a_sentence(
    photographs: Photographs, tmp_path: Path
) -> None:
    training(tmp_path).save(photographs)
    frozen = TrainLite(out=tmp_path, steps=6, batch=2, frozen=2)
    for other in (frozen, TrainLite(out=tmp_path, frozen=0)):
        config = TINY if other is frozen else LITE
        with pytest.raises(StageError, match="no checkpoint of this run; name another --out"):
            Training(config, other, imagenet=False).resume()
    (tmp_path / "checkpoint.pt").write_bytes(b"nothing")
    with pytest.raises(StageError, match="no checkpoint of this run"):
        training(tmp_path).resume()


@pytest.mark.parametrize("name", ["steps", "batch", "save_every", "threads"])
def test_a_count_of_nothing_is_a_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=f"--{name.replace('_', '-')} is 0, wanted 1"):
        TrainLite(out=tmp_path, **{name: 0}).run()  # type: ignore[arg-type]


def test_training_lowers_the_loss(photographs: Photographs, tmp_path: Path) -> None:
    run = training(tmp_path, steps=1000)
    batch = photographs.batch(np.random.default_rng(9), 4)

    def loss() -> float:
        return float(layers_loss(run.network(batch.x), batch.visible, batch.behind)[0].detach())

    before = loss()
    for _ in range(60):
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
