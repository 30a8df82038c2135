"""`sharp-xr train`."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharp_xr.train import cli


@pytest.mark.parametrize(
    ("command", "option"),
    [("data synth", "--assets"), ("data look", "--rows"), ("lite", "--steps")],
)
def test_help_names_the_options(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([*command.split(), "--help"])
    assert end.value.code == 0
    assert option in capsys.readouterr().out


def test_missing_assets_are_a_sentence_and_not_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "synth", "--assets", str(tmp_path), "--out", str(tmp_path / "o")]
    assert cli.main(words) == 1
    assert "sweethome3d-furniture" in capsys.readouterr().err


def test_training_without_data_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["lite", "--data", str(tmp_path), "--out", str(tmp_path / "o")]) == 1
    assert "data synth" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["run", "--config", "none"], ("run", "--config", "none")])
def test_run_s_own_options_reach_it(
    words: list[str] | tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 1
    assert "no configuration 'none'" in capsys.readouterr().err
