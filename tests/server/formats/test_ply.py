"""PLY files: what other readers find in ours, what we find in others', what is refused and how."""

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement

from sharp_xr.formats import ply
from sharp_xr.formats.ply import UNKNOWN_PHOTO, PhotoCamera, PlyError, read_ply, write_ply
from sharp_xr.gaussians import Gaussians, srgb_from_linear

SH_C0 = 0.28209479177387814
PHOTO = PhotoCamera(4000, 3000, 2800.0)
APPLES = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"]
APPLES += ["scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
INRIAS = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"]
INRIAS += [f"f_rest_{k}" for k in range(45)] + APPLES[6:]


def scene(count: int = 50) -> Gaussians:
    rng = np.random.default_rng(3)
    return Gaussians.from_quats_scales(
        means=rng.uniform([-2, -1, 1], [3, 2, 9], (count, 3)).astype(np.float32),
        quats=rng.normal(size=(count, 4)).astype(np.float32),
        scales=rng.uniform(0.002, 0.3, (count, 3)).astype(np.float32),
        colors=rng.uniform(0, 1.5, (count, 3)).astype(np.float32),
        opacities=rng.uniform(0.01, 0.99, count).astype(np.float32),
    )


def written(gaussians: Gaussians, photo: PhotoCamera = PHOTO) -> bytes:
    file = io.BytesIO()
    write_ply(file, gaussians, photo)
    return file.getvalue()


def seen_by_plyfile(gaussians: Gaussians) -> Any:
    return PlyData.read(io.BytesIO(written(gaussians)))


def table(names: list[str], count: int = 3) -> NDArray[Any]:
    """Gaussians as another program lays them out: grey, half opaque, a metre large."""
    rows = np.zeros(count, [(name, "f4") for name in names])
    if "rot_0" in names:
        rows["rot_0"] = 1
    return rows


def file_of(rows: NDArray[Any], *more: Any, text: bool = False, order: str = "<") -> io.BytesIO:
    file = io.BytesIO()
    elements = [PlyElement.describe(rows, "vertex"), *more]
    PlyData(elements, text=text, byte_order="=" if text else order).write(file)
    file.seek(0)
    return file


def extra(name: str, kind: str, values: list[float]) -> Any:
    return PlyElement.describe(np.array([(v,) for v in values], [(name, kind)]), name)


def refusal(data: bytes) -> str:
    """The one sentence that the user reads."""
    with pytest.raises(PlyError) as refused:
        read_ply(io.BytesIO(data))
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


def assert_same(ours: Gaussians, wanted: Gaussians) -> None:
    np.testing.assert_array_equal(ours.means, wanted.means)
    np.testing.assert_allclose(ours.covariances, wanted.covariances, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ours.colors, wanted.colors, atol=1e-5)
    np.testing.assert_allclose(ours.opacities, wanted.opacities, atol=2e-6)


def test_a_scene_and_its_photo_come_back_from_a_path(tmp_path: Path) -> None:
    write_ply(tmp_path / "scene.ply", scene(), PHOTO)
    gaussians, info = read_ply(tmp_path / "scene.ply")
    assert_same(gaussians, scene())
    assert info.photo == PHOTO
    assert info.dropped == 0


def test_a_scene_of_many_blocks_comes_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ply, "_BLOCK", 7)
    assert_same(read_ply(io.BytesIO(written(scene())))[0], scene())


def test_another_reader_finds_apples_elements_and_properties_in_order() -> None:
    seen = seen_by_plyfile(scene())
    assert not seen.text
    assert seen.byte_order == "<"
    assert [(e.name, e.count) for e in seen.elements] == [
        ("vertex", 50),
        ("extrinsic", 16),
        ("intrinsic", 9),
        ("image_size", 2),
        ("frame", 2),
        ("disparity", 2),
        ("color_space", 1),
        ("version", 3),
    ]
    assert [(p.name, p.val_dtype) for p in seen["vertex"].properties] == [
        (name, "f4") for name in APPLES
    ]
    kinds = [e.properties[0].val_dtype for e in seen.elements[1:]]
    assert kinds == ["f4", "f4", "u4", "i4", "f4", "u1", "u1"]


def test_another_reader_finds_apples_contents_behind_the_vertices() -> None:
    seen = seen_by_plyfile(scene())
    values = {e.name: e[e.name].tolist() for e in seen.elements[1:]}
    assert values["extrinsic"] == np.eye(4).ravel().tolist()
    assert values["intrinsic"] == [2800, 0, 2000, 0, 2800, 1500, 0, 0, 1]
    assert values["image_size"] == [4000, 3000]
    assert values["frame"] == [1, 50]
    assert values["color_space"] == [0]
    assert values["version"] == [1, 5, 0]
    wanted = np.quantile(1 / scene().means[:, 2].astype(np.float64), [0.1, 0.9])
    np.testing.assert_allclose(values["disparity"], wanted, rtol=0.02)


def test_x_stays_right_y_down_and_z_forward() -> None:
    where = np.array([[1, 2, 3]], np.float32)  # to the right, below the middle, in front
    needle = np.array([[0.01, 0.04, 0.09]], np.float32)[:, [0, 0, 0, 1, 0, 2]]
    needle[:, [1, 2, 4]] = 0
    one = Gaussians(where, needle, np.ones((1, 3), np.float32), np.ones(1, np.float32))
    vertex = seen_by_plyfile(one)["vertex"]
    assert [vertex[name][0] for name in "xyz"] == [1, 2, 3]
    assert_same(read_ply(io.BytesIO(written(one)))[0], one)


def test_f_dc_holds_srgb_and_the_rest_logits_logarithms_and_unit_quaternions() -> None:
    vertex, wanted = seen_by_plyfile(scene())["vertex"], scene()
    f_dc = np.stack([vertex[f"f_dc_{k}"] for k in range(3)], 1)
    np.testing.assert_allclose(f_dc * SH_C0 + 0.5, srgb_from_linear(wanted.colors), atol=1e-5)
    np.testing.assert_allclose(1 / (1 + np.exp(-vertex["opacity"])), wanted.opacities, atol=1e-5)
    rot = np.stack([vertex[f"rot_{k}"] for k in range(4)], 1)
    np.testing.assert_allclose(np.linalg.norm(rot, axis=1), 1, atol=1e-6)
    lengths = np.exp(np.stack([vertex[f"scale_{k}"] for k in range(3)], 1))
    traces = wanted.covariances[:, [0, 3, 5]].sum(1)
    np.testing.assert_allclose((lengths**2).sum(1), traces, rtol=1e-4)


def test_opaque_invisible_and_flat_gaussians_are_written_in_finite_numbers() -> None:
    flat = np.zeros((2, 6), np.float32)
    opacities = np.array([0, 1], np.float32)
    edge = Gaussians(np.ones((2, 3), np.float32), flat, np.zeros((2, 3), np.float32), opacities)
    vertex = seen_by_plyfile(edge)["vertex"]
    assert all(np.isfinite(vertex[name]).all() for name in APPLES)
    assert_same(read_ply(io.BytesIO(written(edge)))[0], edge)


def test_inrias_layout_is_read_as_srgb_and_f_rest_is_named_once_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = table(INRIAS)
    rows["x"], rows["y"], rows["z"] = [1, 2, 3], [4, 5, 6], [7, 8, 9]
    rows["nx"] = rows["f_rest_0"] = rows["f_rest_44"] = 99
    with caplog.at_level(logging.INFO, "sharp_xr"):
        gaussians, info = read_ply(file_of(rows))
    assert gaussians.means.tolist() == [[1, 4, 7], [2, 5, 8], [3, 6, 9]]
    np.testing.assert_allclose(gaussians.covariances, [[1, 0, 0, 1, 0, 1]] * 3, atol=1e-6)
    np.testing.assert_allclose(gaussians.colors, 0.21404114, rtol=1e-5)  # sRGB 0.5
    np.testing.assert_allclose(gaussians.opacities, 0.5)
    assert info.photo == UNKNOWN_PHOTO
    assert [r.getMessage() for r in caplog.records if "f_rest" in r.getMessage()] == [
        "the PLY's view-dependent colours (f_rest) are not used"
    ]


@pytest.mark.parametrize(("color_space", "grey"), [([0.0], 0.21404114), ([1.0], 0.5), (None, 0.5)])
def test_apples_files_say_which_colours_they_hold_and_early_ones_are_linear(
    color_space: list[float] | None, grey: float
) -> None:
    more = [extra("intrinsic", "f4", [2800, 0, 2000, 0, 2800, 1500, 0, 0, 1])]
    more += [extra("image_size", "u4", [4000, 3000])]
    if color_space is not None:
        more += [extra("color_space", "u1", color_space)]
    gaussians, info = read_ply(file_of(table(APPLES), *more))
    np.testing.assert_allclose(gaussians.colors, grey, rtol=1e-5)
    assert info.photo == PHOTO


def test_the_legacy_intrinsic_of_four_names_the_photo() -> None:
    more = extra("intrinsic", "f4", [700, 700, 800, 600])
    assert read_ply(file_of(table(APPLES), more))[1].photo == PhotoCamera(800, 600, 700.0)


def test_big_endian_doubles_are_read() -> None:
    rows = table(APPLES).astype([(name, ">f8") for name in APPLES])
    rows["z"] = [1, 2, 3]
    assert read_ply(file_of(rows, order=">"))[0].means[:, 2].tolist() == [1, 2, 3]


def test_an_empty_scene_comes_back_empty() -> None:
    data = written(scene()[:0])
    gaussians, info = read_ply(io.BytesIO(data))
    assert len(gaussians) == 0
    assert info.photo == PHOTO
    assert PlyData.read(io.BytesIO(data))["disparity"]["disparity"].tolist() == [0, 0]


@pytest.mark.parametrize("name", APPLES)
def test_gaussians_that_are_not_finite_are_left_out_and_counted(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    rows = table(APPLES)
    rows["x"] = [1, 2, 3]
    rows[name][1] = np.nan
    gaussians, info = read_ply(file_of(rows))
    assert len(gaussians) == 2
    assert info.dropped == 1
    assert "1 of 3 Gaussians are not finite and left out" in caplog.text


def test_a_scale_that_overflows_is_left_out_without_a_warning() -> None:
    rows = table(APPLES)
    rows["scale_0"] = [0, 500, 0]
    assert read_ply(file_of(rows))[1].dropped == 1


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" + bytes(64), b"plyx\n"])
def test_what_is_not_a_ply_is_refused(data: bytes) -> None:
    assert refusal(data) == "this file is not a PLY file: its first line is not 'ply'"


def test_text_form_is_refused_with_the_way_out() -> None:
    sentence = refusal(file_of(table(APPLES), text=True).getvalue())
    assert sentence == "this is a PLY file in text form, wanted a binary one: export it as binary"


def test_a_file_cut_short_is_refused_with_both_lengths() -> None:
    data = file_of(table(APPLES)).getvalue()
    assert refusal(data[:-1]) == (
        f"the PLY file has {len(data) - 1} bytes, wanted {len(data)} for its 3 rows of vertex: "
        "it is cut short"
    )


def test_a_vertex_count_that_lies_is_refused_before_memory_is_taken() -> None:
    data = file_of(table(APPLES)).getvalue()
    lying = data.replace(b"element vertex 3\n", b"element vertex 99999999999\n")
    assert "for its 99999999999 rows of vertex: it is cut short" in refusal(lying)


def test_more_gaussians_than_we_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ply, "MAX_GAUSSIANS", 2)
    sentence = refusal(file_of(table(APPLES)).getvalue())
    assert sentence == "the scene has 3 Gaussians, wanted at most 2"


def test_a_mesh_is_refused_with_what_it_lacks() -> None:
    sentence = refusal(file_of(table([n for n in APPLES if n != "opacity"])).getvalue())
    assert sentence == "the PLY file is no scene of Gaussians: its vertices have no opacity"


def test_a_compressed_scene_is_refused_with_the_way_out() -> None:
    sentence = refusal(file_of(table(["packed_position"])).getvalue())
    assert "compressed PLY scene, wanted a plain one" in sentence


@pytest.mark.parametrize("focal", [0, -5, np.nan, np.inf])
def test_a_photo_that_cannot_be_is_refused(focal: float) -> None:
    more = extra("intrinsic", "f4", [focal, focal, 800, 600])
    assert "wanted a real one" in refusal(file_of(table(APPLES), more).getvalue())


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (b"ply\nformat binary_little_endian 1.0\n", "has no end_header in its first 64 KB"),
        (b"ply\n" + b"comment x\n" * 7000 + b"end_header\n", "has no end_header"),
        (b"ply\nformat middle_endian 1.0\nend_header\n", "names the format ['middle_endian']"),
        (b"ply\nend_header\n", "names the format []"),
        (b"ply\nformat binary_little_endian 1.0\nend_header\n", "has no vertex data"),
        (
            b"ply\nformat binary_little_endian 1.0\nelement vertex -1\nend_header\n",
            "has the line 'element vertex -1', not PLY",
        ),
        (
            b"ply\nformat binary_little_endian 1.0\nelement vertex 1\n"
            b"property float x\nproperty float x\nend_header\n",
            "names a property of vertex twice",
        ),
        (
            b"ply\nformat binary_little_endian 1.0\n" + b"element a 0\n" * 65 + b"end_header\n",
            "more than 64 elements",
        ),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(header: bytes, sentence: str) -> None:
    assert sentence in refusal(header)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_ply(tmp_path / "none.ply")


def test_any_bytes_in_the_header_are_read_or_refused_in_a_sentence() -> None:
    good, random = written(scene(3)), np.random.default_rng(1)
    end = good.index(b"end_header")
    for _ in range(400):
        data = np.frombuffer(good, np.uint8).copy()
        data[random.integers(0, end, 2)] = random.integers(0, 256, 2)
        try:
            read_ply(io.BytesIO(data.tobytes()))
        except PlyError as error:
            assert "\n" not in str(error)
