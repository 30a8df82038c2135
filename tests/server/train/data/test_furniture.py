"""The catalogue of furniture and its models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sharp_xr.train.data.furniture import AssetError, Library, catalogue
from sharp_xr.train.data.mesh import UNTEXTURED, SceneBuilder
from sharp_xr.train.data.obj import read_obj


def test_only_furniture_that_stands_freely_is_offered(assets: Path) -> None:
    assert [piece.name for piece in catalogue(assets)] == ["Chair", "Bench", "Mug"]


def test_a_model_takes_the_size_that_the_catalogue_gives(library: Library) -> None:
    mesh = library.mesh(library.furniture[0], SceneBuilder())
    assert mesh is not None
    low, high = mesh.box
    np.testing.assert_allclose(low, [-0.25, 0, -0.3025], atol=1e-6)
    np.testing.assert_allclose(high, [0.25, 0.9, 0.3025], atol=1e-6)
    assert len(mesh.points) == 12, "six quadrilaterals are twelve triangles"


def test_a_model_is_the_same_from_the_cache(assets: Path, tmp_path: Path) -> None:
    piece = catalogue(assets)[0]
    first, second = (Library(assets, tmp_path).mesh(piece, SceneBuilder()) for _ in range(2))
    assert first is not None and second is not None
    np.testing.assert_array_equal(first.points, second.points)
    np.testing.assert_array_equal(first.color, second.color)


def test_a_material_without_its_picture_keeps_its_colour(library: Library) -> None:
    mesh = library.mesh(library.furniture[0], SceneBuilder())
    assert mesh is not None
    assert set(mesh.texture) == {UNTEXTURED}
    np.testing.assert_allclose(mesh.color, np.tile([0.5, 0.1, 0.2], (12, 1)), atol=1e-6)


def test_a_folder_without_furniture_is_named_with_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="sweethome3d-furniture") as error:
        catalogue(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_normals_and_glass_of_a_file_are_used(tmp_path: Path) -> None:
    (tmp_path / "a.mtl").write_text("newmtl pane\nKd 1 1 1\nd 0.3\nnewmtl solid\nd 1\n")
    lines = [
        "mtllib a.mtl",
        "v 0 0 0",
        "v 1 0 0",
        "v 0 1 0",
        "vn 0 0.6 0.8",
        "vn 0 0 -1",
        "vn 0 0 0",
    ]
    lines += ["usemtl pane", "f 1//1 2//1 3//1", "usemtl solid", "f 1//2 2//2 3//2"]
    lines += ["f 1//3 2//3 3//3", "f 1 2 3"]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    model = read_obj(tmp_path / "a.obj")
    np.testing.assert_allclose(model.normals[0, 0], [0, 0.6, 0.8], atol=1e-6)
    # A normal on the wrong side of its face is turned; one that is missing or 0 is the face's.
    np.testing.assert_allclose(model.normals[1:, 0], np.tile([0, 0, 1], (3, 1)), atol=1e-6)
    np.testing.assert_allclose(model.clear[model.material], [0.7, 0, 0, 0], atol=1e-6)
