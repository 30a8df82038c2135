"""A training that is cut off, that is shared, and that learns."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tests.server.train.planes import Planes
from tests.server.train.training import stage_of, train

from sharp_xr.model.family import MODEL_FILE
from sharp_xr.model.lite_gaussians_file import load_lite_gaussians
from sharp_xr.train.journal import LOSSES, Journal, read_losses
from sharp_xr.train.processes import Processes, Value
from sharp_xr.train.run import CHECKPOINT, Run
from sharp_xr.train.samples import Sample, resized
from sharp_xr.train.stages import Stage2, StageError, configured
from sharp_xr.train.swapping import photos_of

ROOT = Path(__file__).parents[3]


@contextmanager
def process(
    out: Path, changes: dict[str, object], *runner: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A training of its own; it does not outlive the block."""
    words = [sys.executable, *runner, "-m", "tests.server.train.training"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*words, str(out), json.dumps(changes)], cwd=ROOT, env=environment, stderr=subprocess.PIPE
    ) as running:
        try:
            yield running
        finally:
            running.kill()


@pytest.mark.timeout(400)  # three trainings, two processes: a minute on a busy machine
def test_a_killed_training_ends_as_an_unkilled_one_to_the_bit(tmp_path: Path) -> None:
    """kill -9 somewhere between checkpoints; the same command again."""
    changes: dict[str, object] = {"steps": 14, "save_every": 3}
    with process(tmp_path / "killed", changes) as doomed:
        while len(read_losses(tmp_path / "killed")) < 5:
            assert doomed.poll() is None, doomed.communicate()[1].decode()
            time.sleep(0.005)
        os.kill(doomed.pid, signal.SIGKILL)
        doomed.communicate()
    before = read_losses(tmp_path / "killed")
    assert 5 <= len(before)
    train(tmp_path / "killed", changes)
    train(tmp_path / "whole", changes)
    assert read_losses(tmp_path / "killed") == read_losses(tmp_path / "whole")
    assert before == read_losses(tmp_path / "whole")[: len(before)]
    served = load_file(tmp_path / "killed" / MODEL_FILE)
    for name, tensor in load_file(tmp_path / "whole" / MODEL_FILE).items():
        assert torch.equal(tensor, served[name]), name


@pytest.mark.timeout(400)
def test_two_processes_are_one_with_the_joint_batch(tmp_path: Path) -> None:
    changes: dict[str, object] = {"steps": 4, "warm_up": 1, "batch": 2}
    torchrun = "-m torch.distributed.run --standalone --nproc-per-node 2".split()
    with process(tmp_path / "two", changes, *torchrun) as shared:
        words = shared.communicate()[1].decode()
        assert shared.returncode == 0, words
    train(tmp_path / "one", changes | {"batch": 4})
    for two, one in zip(read_losses(tmp_path / "two"), read_losses(tmp_path / "one"), strict=True):
        assert two == pytest.approx(one, rel=1e-4, abs=1e-6)
    states = [
        torch.load(tmp_path / name / CHECKPOINT, weights_only=True)["network"]
        for name in ("two", "one")
    ]
    for name, tensor in states[0].items():
        torch.testing.assert_close(tensor, states[1][name], rtol=1e-3, atol=1e-5)


def test_training_lowers_the_loss_and_leaves_what_can_be_served_and_looked_at(
    tmp_path: Path,
) -> None:
    changes: dict[str, object] = {"steps": 60, "warm_up": 5, "peak": 3e-3, "ema": 0.9}
    ended = train(tmp_path, changes | {"save_every": 50, "sheet_every": 30})
    losses = [line["loss"] for line in read_losses(tmp_path)]
    assert len(losses) == 60
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    network = load_lite_gaussians(tmp_path / MODEL_FILE)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, ended.average[name], rtol=1e-3, atol=1e-4)
    sheets = sorted((tmp_path / "sheets").iterdir())
    assert [path.name for path in sheets] == ["0000030.png", "0000060.png"]
    with Image.open(sheets[0]) as sheet:
        assert sheet.size == (6 * 32, 4 * 32)
        assert len(set(sheet.crop((96, 0, 128, 32)).get_flattened_data())) > 20
    assert list((tmp_path / "tensorboard").iterdir())
    config = json.loads((tmp_path / "config.json").read_bytes())
    assert config["steps"] == 60
    again = configured(1, str(tmp_path / "config.json"))
    assert again == ended.stage


def test_the_average_follows_the_weights_and_rates_follow_the_schedule(tmp_path: Path) -> None:
    run = Run(stage_of(tmp_path, {"ema": 0.5}), Planes(), Processes())
    first = run.network.state_dict()["head.out.bias"].clone()
    run.one_step()
    second = run.network.state_dict()["head.out.bias"]
    assert not torch.equal(first, second)
    keep = 1 / 11
    torch.testing.assert_close(run.average["head.out.bias"], keep * first + (1 - keep) * second)


def test_a_step_that_is_not_finite_changes_no_weight(tmp_path: Path) -> None:
    run = Run(stage_of(tmp_path, {}), Planes(), Processes())
    dict(run.network.named_parameters())["head.out.bias"].data[0] = float("nan")
    kept = {n: t.clone() for n, t in run.network.state_dict().items() if n.startswith("depth.")}
    run.one_step()
    assert run.step == 1
    assert all(torch.equal(run.network.state_dict()[name], t) for name, t in kept.items())


def test_stage_2_learns_from_photos_alone(tmp_path: Path) -> None:
    tiny = configured(2, "tiny-lite")
    assert isinstance(tiny, Stage2)
    stage = dataclasses.replace(tiny, out=tmp_path, height=32, width=32, adjustment=False)
    run = Run(stage, Planes(views=0), Processes())
    batch = run.batch(0, range(2))
    assert torch.equal(batch.rgb[:, 1], run.batch(0, range(2)).rgb[:, 1])
    assert not torch.equal(batch.rgb[:, 0], batch.rgb[:, 1])
    moved = torch.linalg.inv(batch.novel_from_input)[:, :3, 3].norm(dim=1)
    assert (moved > 0).all() and (moved <= stage.lean_m).all()
    assert (batch.depth[:, 1] > 0).all(), "the photo's own view is covered"
    before = run.network.state_dict()["head.out.bias"].clone()
    values = run.one_step()
    assert values["color"] > 0 and not torch.equal(
        run.network.state_dict()["head.out.bias"], before
    )


def test_what_stage_2_learns_from_stays_what_the_network_of_stage_1_drew(tmp_path: Path) -> None:
    tiny = configured(2, "tiny-lite")
    changes = {"height": 32, "width": 32, "peak": 3e-3, "warm_up": 1, "adjustment": False}
    stage = dataclasses.replace(tiny, out=tmp_path, **changes)  # type: ignore[arg-type]
    run = Run(stage, Planes(views=0), Processes())
    before = run.batch(0, range(2))
    for _ in range(3):
        run.one_step()
    run.save()
    again = Run(stage, Planes(views=0), Processes())
    assert again.resume()
    for later in (run.batch(0, range(2)), again.batch(0, range(2))):
        assert torch.equal(later.rgb, before.rgb) and torch.equal(later.depth, before.depth)
    run.close()


def test_a_run_is_not_taken_up_as_another_one(tmp_path: Path) -> None:
    Run(stage_of(tmp_path, {}), Planes(), Processes()).save()
    second = dataclasses.replace(configured(2, "tiny-lite"), out=tmp_path, height=32, width=32)
    with pytest.raises(StageError, match="holds a run of Stage1; name another --out"):
        Run(second, Planes(), Processes()).resume()
    for name, value in (("seed", 1), ("batch", 3), ("peak", 1e-3), ("gram", False)):
        other = Run(stage_of(tmp_path, {name: value}), Planes(), Processes())
        with pytest.raises(StageError, match=f"holds a run with {name} .*, this one has {value}"):
            other.resume()
    half = Run(stage_of(tmp_path, {}), Planes(), Processes())
    half.processes = Processes(count=2)
    with pytest.raises(StageError, match="a run with processes 1, this one has 2"):
        half.resume()
    same: dict[str, object] = {
        "threads": 2,
        "save_every": 7,
        "sheet_every": 9,
        "checkpointing": True,
    }
    assert Run(stage_of(tmp_path, same), Planes(), Processes()).resume()


class PlanesInFiles(Planes):
    """The scenes of numbered files."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(len(names))
        self.names = names

    def recall(self, names: Sequence[str]) -> None:
        self.names, self.count = list(names), len(names)

    def __getitem__(self, index: int) -> Sample:
        return super().__getitem__(int(self.names[index]))


def test_a_run_goes_on_with_the_files_that_it_began_with(tmp_path: Path) -> None:
    Run(stage_of(tmp_path, {}), PlanesInFiles(["5", "7"]), Processes()).save()
    later = Run(stage_of(tmp_path, {}), PlanesInFiles(["4", "5", "6", "7"]), Processes())
    assert later.resume()
    whole = Run(stage_of(tmp_path, {}), PlanesInFiles(["5", "7"]), Processes())
    for step in range(4):
        assert torch.equal(later.batch(step, range(2)).rgb, whole.batch(step, range(2)).rgb)


class SecondOfTwo(Processes):
    """The first one has files 5 and 7, and no step behind it."""

    def first_s(self, value: Value) -> Value:
        return cast(Value, ["5", "7"] if isinstance(value, list) else 0)


def test_processes_begin_with_the_files_and_the_step_of_the_first(tmp_path: Path) -> None:
    run = Run(stage_of(tmp_path, {}), PlanesInFiles(["4", "5", "6", "7"]), Processes())
    run.processes = SecondOfTwo(1, 2)
    run.agree()
    assert isinstance(run.samples, PlanesInFiles) and run.samples.names == ["5", "7"]
    run.step = 3
    with pytest.raises(StageError, match="holds step 3 here and step 0 where the first"):
        run.agree()


def test_the_model_is_there_before_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(stage_of(tmp_path, {}), Planes(), Processes())
    killed = RuntimeError("killed")
    monkeypatch.setattr(torch, "save", Mock(side_effect=killed))
    with pytest.raises(RuntimeError, match="killed"):
        run.save()
    assert (tmp_path / MODEL_FILE).exists() and not run.checkpoint.exists()


def test_photos_of_stage_2_keep_their_aspect_for_lite_and_not_for_sharp() -> None:
    half = Planes(views=0)[0]
    wide = dataclasses.replace(
        half,
        rgb=np.concatenate([half.rgb, 255 - half.rgb], 2),
        depth=np.concatenate([half.depth, half.depth], 2),
        lenses=np.array([[60.0, 60.0, 64.0, 32.0]]),
    )
    wide.rgb.flags.writeable = False  # as a photo's is
    middle = photos_of([wide], 0, 0, [0], (32, 32))
    assert middle.lenses[0, 0].tolist() == [30, 30, 16, 16]
    expected, _ = resized(wide.rgb[:, :, 32:96], wide.lenses, (32, 32))
    assert torch.equal(middle.rgb[0, 0], expected[0])
    tall = photos_of([wide], 0, 0, [0], (64, 32))
    assert tall.lenses[0, 0].tolist() == [60, 60, 16, 32]
    whole = photos_of([wide], 0, 0, [0], (32, 32), squeezed=True)
    assert whole.lenses[0, 0].tolist() == [15, 30, 16, 16]


@pytest.mark.parametrize(("network", "fx_over_fy"), [("tiny-lite", 1.0), ("tiny-sharp", 0.75)])
def test_a_run_squeezes_a_photo_for_sharp_alone(
    network: str, fx_over_fy: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 64 x 48 px."""
    whole = Planes(views=0)[0]
    photo = dataclasses.replace(whole, rgb=whole.rgb[:, :48], depth=whole.depth[:, :48])
    monkeypatch.setattr("sharp_xr.train.run.swapped", lambda network, photos, lean_m: photos)
    stage = dataclasses.replace(configured(2, network), out=tmp_path)
    fx, fy = Run(stage, [photo], Processes()).batch(0, range(1)).lenses[0, 0, :2].tolist()
    assert fx / fy == pytest.approx(fx_over_fy)


def test_tensorboard_s_curves_have_no_gap_where_a_run_went_on(tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    values = {"loss": 1.0}
    for first, last in ((0, 25), (20, 40)):
        journal = Journal(tmp_path, first, 40)
        for step in range(first + 1, last + 1):
            journal.tell(step, 1e-3, values)
        journal.end("cut off")
    board = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("loss/loss")] == [10, 20, 30, 40]


def test_a_checkpoint_of_something_else_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"nothing")
    run = Run(stage_of(tmp_path, {}), Planes(), Processes())
    with pytest.raises(StageError, match="is no checkpoint of this run"):
        run.resume()


def test_a_line_of_losses_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    (tmp_path / LOSSES).write_text('{"step": 1, "loss": 2.5}\n{"step": 2, "lo')
    assert read_losses(tmp_path) == [{"step": 1, "loss": 2.5}]
