"""What the stages are set to."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from tests.server.train.planes import Planes

from sharp_xr.train import running
from sharp_xr.train.objective import Weights
from sharp_xr.train.processes import Processes
from sharp_xr.train.run import Run
from sharp_xr.train.stages import Stage1, Stage2, StageError, configured, written


def test_the_schedule_is_the_paper_s() -> None:
    stage = configured(1, "sharp")
    assert (stage.steps, stage.warm_up, stage.peak, stage.floor) == (
        100_000,
        10_000,
        1.6e-4,
        1.6e-5,
    )
    assert stage.rate(0) == pytest.approx(1.6e-8)
    assert stage.rate(9_999) == pytest.approx(1.6e-4)
    assert stage.rate(55_000) == pytest.approx((1.6e-4 + 1.6e-5) / 2)
    assert stage.rate(100_000) == pytest.approx(1.6e-5)
    assert configured(2, "sharp").steps == 60_000
    assert all(math.isfinite(stage.rate(step)) for step in range(0, 200_000, 9_999))


def test_the_command_line_sets_single_fields_of_a_named_configuration() -> None:
    words = "--stage 2 --config lite --steps 900 --lean-m 0.1 --weights.tv 0 --data p".split()
    stage = running.stage_of(words)
    assert isinstance(stage, Stage2)
    assert (stage.network, stage.steps, stage.lean_m) == ("lite", 900, 0.1)
    assert stage.weights.tv == 0 and stage.weights.color == 1 and stage.data == Path("p")
    assert running.stage_of([]) == configured(1, "lite")


def test_help_names_the_fields_of_its_stage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        running.stage_of(["--stage", "2", "--help"])
    assert ended.value.code == 0
    assert "--lean-m" in capsys.readouterr().out


def test_a_written_configuration_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    stage = dataclasses.replace(configured(2, "lite"), start=Path("a.safetensors"))
    path.write_bytes(written(stage))
    assert configured(2, str(path)) == stage
    with pytest.raises(StageError, match="'lean_m', which Stage1 has not"):
        configured(1, str(path))
    path.write_text('{"steps": "many"}')
    with pytest.raises(StageError, match="no configuration of stage 1"):
        configured(1, str(path))
    with pytest.raises(StageError, match="no configuration 'none'"):
        configured(1, "none")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"batch": 0}, "batch is 0"),
        ({"warm_up": 20}, "cannot be for warming up"),
        ({"height": 50}, "multiples of 32"),
        ({"ema": 1.0}, "ema is 1.0"),
        ({"stride": 0}, "stride is 0"),
        ({"stride": 5}, "stride is 5, wanted what divides 64 and 64 px"),
        ({"stride": 3, "width": 96}, "stride is 3, wanted what divides 96 and 64 px"),
        ({"peak": math.nan}, "peak is nan"),
        ({"peak": math.inf}, "from inf down"),
        ({"floor": 1.0}, "down to 1.0 cannot be"),
        ({"clip": 0.0}, "clip is 0.0"),
        ({"clip": -1.0}, "clip is -1.0"),
        ({"weights": Weights(tv=-1.0)}, "weights.tv is -1.0"),
        ({"weights": Weights(color=math.nan)}, "weights.color is nan"),
        ({"device": "tpu"}, "no device 'tpu'"),
    ],
)
def test_settings_that_make_no_sense_are_one_sentence(
    changes: dict[str, object], sentence: str
) -> None:
    stage = dataclasses.replace(configured(1, "tiny-lite"), **changes)  # type: ignore[arg-type]
    with pytest.raises(StageError, match=sentence):
        stage.checked()


def test_a_stage_of_photos_leans_somewhere() -> None:
    with pytest.raises(StageError, match="lean_m"):
        Stage2(lean_m=0.0).checked()


def test_sharp_wants_its_own_square(tmp_path: Path) -> None:
    stage = dataclasses.replace(configured(1, "tiny-sharp"), width=544, out=tmp_path)
    with pytest.raises(StageError, match="tiny-sharp sees 512 x 512 px, not 544 x 512"):
        Run(stage, Planes(), Processes())
    strided = dataclasses.replace(configured(1, "tiny-sharp"), stride=2, out=tmp_path)
    with pytest.raises(StageError, match="stride is 2, and SHARP's grid"):
        Run(strided, Planes(), Processes())


def test_the_full_network_s_code_takes_a_step_at_its_tiny_size(tmp_path: Path) -> None:
    stage = dataclasses.replace(
        configured(1, "tiny-sharp"), out=tmp_path, checkpointing=True, precision="bf16"
    )
    assert isinstance(stage, Stage1)
    run = Run(stage, Planes(size=64), Processes())
    values = run.one_step()
    assert math.isfinite(values["loss"]) and "grad_scale" in values
    run.save()
    assert (tmp_path / "model.safetensors").stat().st_size > 1e6


def test_a_run_without_data_is_a_sentence_and_not_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert running.main(["--config", "tiny-lite", "--data", str(tmp_path)]) == 1
    assert "there are no shards in" in capsys.readouterr().err
    assert running.main(["--stage", "2", "--data", str(tmp_path)]) == 1
    assert "there are no photos in" in capsys.readouterr().err
    assert running.main(["--config", "none"]) == 1
    assert "no configuration 'none'" in capsys.readouterr().err


def test_a_gpu_that_is_not_there_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert running.main(["--config", "tiny-lite", "--device", "cuda:1"]) == 1
    assert "has no GPU here, and device is 'cuda:1'" in capsys.readouterr().err


def test_a_folder_that_is_a_file_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "open_samples", lambda _: Planes())
    taken = tmp_path / "taken"
    taken.write_bytes(b"")
    assert running.main(["--config", "tiny-lite", "--out", str(taken)]) == 1
    assert "taken" in capsys.readouterr().err
