"""Ablations: rows that differ in what they say, and verdicts that say no more than the numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.server.train.blurs import Blurs
from tests.server.train.planes import Planes

from sharp_xr.eval.table import Mean
from sharp_xr.train import ablate
from sharp_xr.train.ablate import Ablate, ablated, slug, verdict
from sharp_xr.train.ablations import ABLATIONS
from sharp_xr.train.stages import Stage1, StageError


def photos(folder: Path) -> Path:
    folder.mkdir()
    Image.new("RGB", (64, 48), (200, 90, 40)).save(folder / "a.png")
    return folder


def test_the_last_row_is_the_whole_recipe_and_the_others_each_lack_something() -> None:
    stage = Stage1()
    for name, variants in ABLATIONS.items():
        assert not variants[-1].changes, name
        assert len(variants) > 1
        lacking = [slug(variant) for variant in variants if variant.changes]
        assert len({*lacking, slug(variants[-1])}) == len(lacking) + 1
        for variant in variants[:-1]:
            other = dataclasses.replace(stage, **variant.changes)  # type: ignore[arg-type]
            assert (other != stage) == (name != "ssft"), (name, variant.label)


@pytest.mark.parametrize(
    ("paper", "ours", "said"),
    [
        (0.1, Mean(0.5, 0.1), "same way"),
        (-0.1, Mean(0.5, 0.1), "other way"),
        (0.1, Mean(0.15, 0.1), "not told"),
        (0.1, Mean(0.5, float("nan")), "not told"),
    ],
)
def test_a_verdict_needs_two_standard_errors(paper: float, ours: Mean, said: str) -> None:
    assert verdict(paper, ours) == said


def test_an_ablation_trains_each_row_once_and_tells_the_paper_s_numbers_beside_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharp_xr.train.run.load_features", lambda path, device: Blurs())
    monkeypatch.setattr(ablate, "load_features", lambda path: Blurs())
    torch.set_num_threads(1)
    wish = Ablate(
        "ssft", out=tmp_path, network="tiny-lite", steps=4, batch=1, size=32, scenes=3, threads=1
    )
    report = ablated(wish, Planes(), Planes(3))
    assert "| stage 1 | 0.142 | 22.86 | 0.835 |" in report
    assert report.count("| stage 1 -> stage 1, then SSFT |") == 3
    assert (tmp_path / "ssft.md").read_text() == report
    model = tmp_path / "whole-recipe" / "ssft" / "model.safetensors"
    written = model.stat().st_mtime_ns
    assert ablated(wish, Planes(), Planes(3)) == report, "a row that is done stays done"
    assert model.stat().st_mtime_ns == written
    rows = tmp_path.glob("*/model.safetensors")
    assert [row.parent.name for row in rows] == ["whole-recipe"]
    longer = dataclasses.replace(wish, steps=6)
    with pytest.raises(StageError, match="whole-recipe was trained with other settings"):
        ablated(longer, Planes(), Planes(3))
    others = dataclasses.replace(wish, photos=photos(tmp_path / "photos"))
    with pytest.raises(StageError, match="ssft was trained with other settings"):
        ablated(others, Planes(), Planes(3))
    gram = dataclasses.replace(wish, name="gram")
    assert "| gram off -> gram on |" in ablated(gram, Planes(), Planes(3))
    assert len(list(tmp_path.glob("*/model.safetensors"))) == 2
    assert model.stat().st_mtime_ns == written
