"""NPZ: what a Python program finds that loads a scene with numpy alone."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sharp_xr.formats.npz import write_npz
from sharp_xr.formats.ply import PhotoCamera
from sharp_xr.gaussians import Gaussians

SHAPES = {
    "means": (4, 3),
    "covariances": (4, 3, 3),
    "quats": (4, 4),
    "scales": (4, 3),
    "colors": (4, 3),
    "opacities": (4,),
    "intrinsics": (3, 3),
    "image_size": (2,),
}


def scene() -> Gaussians:
    rng = np.random.default_rng(7)
    return Gaussians.from_quats_scales(
        means=rng.uniform(-1, 3, (4, 3)).astype(np.float32),
        quats=rng.normal(size=(4, 4)).astype(np.float32),
        scales=rng.uniform(0.01, 0.3, (4, 3)).astype(np.float32),
        colors=rng.uniform(0, 1, (4, 3)).astype(np.float32),
        opacities=np.array([0, 0.25, 0.5, 1], np.float32),
    )


def stored(gaussians: Gaussians, photo: PhotoCamera) -> dict[str, NDArray[Any]]:
    file = io.BytesIO()
    write_npz(file, gaussians, photo)
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def arrays() -> dict[str, NDArray[Any]]:
    return stored(scene(), PhotoCamera(4000, 3000, 2800.0))


def test_the_arrays_are_those_of_the_description(arrays: dict[str, NDArray[Any]]) -> None:
    assert {name: array.shape for name, array in arrays.items()} == SHAPES
    kinds = {name: array.dtype for name, array in arrays.items()}
    assert kinds.pop("image_size") == np.uint32
    assert set(kinds.values()) == {np.dtype(np.float32)}


def test_places_colours_and_opacities_are_stored_as_they_are(
    arrays: dict[str, NDArray[Any]],
) -> None:
    np.testing.assert_array_equal(arrays["means"], scene().means)
    np.testing.assert_array_equal(arrays["colors"], scene().colors)
    np.testing.assert_array_equal(arrays["opacities"], scene().opacities)


def test_covariances_are_full_symmetric_matrices(arrays: dict[str, NDArray[Any]]) -> None:
    matrices, six = arrays["covariances"], scene().covariances
    np.testing.assert_array_equal(matrices, matrices.transpose(0, 2, 1))
    for column, (i, j) in enumerate([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]):
        np.testing.assert_array_equal(matrices[:, i, j], six[:, column])


def test_quaternions_and_scales_are_those_of_the_covariances(
    arrays: dict[str, NDArray[Any]],
) -> None:
    quats, scales = arrays["quats"], arrays["scales"]
    again = Gaussians.from_quats_scales(
        arrays["means"], quats, scales, arrays["colors"], arrays["opacities"]
    )
    np.testing.assert_allclose(again.covariances, scene().covariances, atol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(quats, axis=1), 1, atol=1e-6)
    assert np.all(np.diff(scales, axis=1) <= 0)


def test_the_photos_camera_is_in_pixels_with_its_middle_as_principal_point(
    arrays: dict[str, NDArray[Any]],
) -> None:
    np.testing.assert_array_equal(
        arrays["intrinsics"], [[2800, 0, 2000], [0, 2800, 1500], [0, 0, 1]]
    )
    np.testing.assert_array_equal(arrays["image_size"], [4000, 3000])


def test_a_path_is_written_under_its_own_name(tmp_path: Path) -> None:
    write_npz(tmp_path / "scene.npz", scene())
    assert [path.name for path in tmp_path.iterdir()] == ["scene.npz"]
    with np.load(tmp_path / "scene.npz", allow_pickle=False) as arrays:
        assert arrays["image_size"].tolist() == [640, 480]


def test_an_empty_scene_keeps_its_shapes() -> None:
    arrays = stored(scene()[:0], PhotoCamera())
    assert arrays["means"].shape == (0, 3)
    assert arrays["covariances"].shape == (0, 3, 3)
    assert arrays["quats"].shape == (0, 4)
