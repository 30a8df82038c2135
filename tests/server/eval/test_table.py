"""Tables: means, their errors, what is beside what."""

from __future__ import annotations

import math

import pytest

from sharp_xr.eval.table import Table, mean


def filled() -> Table:
    table = Table(["a", "b", "c"])
    for plane, lite, stereo in ((10, 12, 20), (20, 21, 30), (30, 33, 40)):
        for name, value in (("plane", plane), ("lite", lite), ("stereo", stereo)):
            table.add(name, {"psnr": value})
    return table


def test_a_mean_has_the_standard_error_of_its_sample() -> None:
    of_three = mean([1.0, 2.0, 3.0])
    assert of_three.value == 2.0
    assert of_three.error == pytest.approx(1 / math.sqrt(3))
    assert str(of_three) == "2.000 ± 0.577"
    assert math.isnan(mean([4.0]).error)
    assert str(mean([4.0])) == "4.000"


def test_a_gain_is_judged_scene_by_scene() -> None:
    gain = filled().gain("lite", "plane", "psnr")
    assert gain.value == pytest.approx(2)
    assert gain.error == pytest.approx(1 / math.sqrt(3))  # of 2, 1, 3; the scenes differ by ten
    assert filled().closed("lite", "plane", "stereo", "psnr") == pytest.approx(0.2)
    assert math.isnan(filled().closed("lite", "plane", "plane", "psnr"))


def test_figures_are_flat_and_tables_are_markdown() -> None:
    table = filled()
    assert table.figures() == {"plane_psnr": 20, "lite_psnr": 22, "stereo_psnr": 30}
    assert table.markdown().splitlines()[2] == "| plane | 20.000 ± 5.774 |"
    assert table.scenes_markdown("psnr").splitlines()[0] == "| psnr | plane | lite | stereo |"
    assert table.scenes_markdown("psnr").splitlines()[-1] == "| c | 30.000 | 33.000 | 40.000 |"
    assert Table([]).markdown() == "|  |\n| --- |"
