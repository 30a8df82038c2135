"""The cloud of Gaussians: its shapes, its covariances, and their way back to rotations."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from sharp_xr.gaussians import (
    COVARIANCE_ENTRIES,
    Float32,
    Gaussians,
    decompose,
    linear_from_srgb,
    rotation_matrices,
    srgb_from_linear,
)

Float64 = NDArray[np.float64]

RIGHT_SHAPES = {"means": (5, 3), "covariances": (5, 6), "colors": (5, 3), "opacities": (5,)}


def cloud(count: int = 5) -> Gaussians:
    """Of which no two numbers are the same."""
    values = np.arange(1, count * 13 + 1, dtype=np.float32) / np.float32(count * 13)
    means, covariances, colors, opacities = np.split(values, np.cumsum([3, 6, 3]) * count)
    return Gaussians(
        means.reshape(-1, 3), covariances.reshape(-1, 6), colors.reshape(-1, 3), opacities
    )


def exact_rotations(quats: Float32) -> Float64:
    """[N, 3, 3] by Rodrigues, not by the product's formula: (w^2 - v.v) I + 2 v v^T + 2 w [v]x."""
    unit = quats.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    w, v = unit[:, :1, None], unit[:, 1:]
    cross = np.cross(v[:, None, :], np.eye(3)[None]).transpose(0, 2, 1)  # its columns are v x e
    outer = v[:, :, None] * v[:, None, :]
    squares = w**2 - np.sum(v**2, axis=1)[:, None, None]
    return np.asarray(squares * np.eye(3) + 2 * outer + 2 * w * cross)


def exact_covariances(quats: Float32, scales: Float32) -> Float64:
    """[N, 3, 3] R diag(s)^2 R^T in float64."""
    r = exact_rotations(quats)
    squares = scales.astype(np.float64)[:, None, :] ** 2
    return np.asarray((r * squares) @ r.transpose(0, 2, 1))


def upper(matrices: Float64) -> Float32:
    """[N, 3, 3] -> [N, 6], as a cloud stores them."""
    return np.stack([matrices[:, i, j] for i, j in COVARIANCE_ENTRIES], 1).astype(np.float32)


def full(covariances: Float32) -> Float64:
    """[N, 6] -> [N, 3, 3]."""
    matrices = np.empty((len(covariances), 3, 3))
    for column, (i, j) in enumerate(COVARIANCE_ENTRIES):
        matrices[:, i, j] = matrices[:, j, i] = covariances[:, column]
    return matrices


def random_shapes(count: int, seed: int = 0) -> tuple[Float32, Float32]:
    """Quaternions of any norm, and lengths from a tenth of a millimetre to ten metres."""
    rng = np.random.default_rng(seed)
    quats = rng.normal(size=(count, 4)) * rng.uniform(0.1, 10, (count, 1))
    scales = 10 ** rng.uniform(-4, 1, (count, 3))
    return quats.astype(np.float32), scales.astype(np.float32)


def assert_recomposed(covariances: Float32) -> None:
    """To a millionth of each one's own size."""
    recomposed = exact_covariances(*decompose(covariances))
    size = np.abs(covariances).max(axis=1)[:, None, None]
    assert np.all(np.abs(recomposed - full(covariances)) <= 2e-6 * size)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("means", (5, 4)),
        ("covariances", (5, 3, 3)),
        ("covariances", (4, 6)),
        ("colors", (5, 4)),
        ("opacities", (5, 1)),
    ],
)
def test_shapes_that_do_not_fit_are_refused_by_name(name: str, shape: tuple[int, ...]) -> None:
    arrays = {n: np.zeros(s, np.float32) for n, s in (RIGHT_SHAPES | {name: shape}).items()}
    with pytest.raises(ValueError) as refused:
        Gaussians(**arrays)
    assert str(refused.value) == f"{name} has shape {shape}, wanted {RIGHT_SHAPES[name]}"


def test_arrays_become_contiguous_float32() -> None:
    wide = np.ones((3, 5), np.float64).T
    gaussians = Gaussians(
        means=wide,  # type: ignore[arg-type]
        covariances=np.ones((6, 5), np.float32).T,
        colors=wide,  # type: ignore[arg-type]
        opacities=np.ones(10, np.float32)[::2],
    )
    for name in RIGHT_SHAPES:
        array = getattr(gaussians, name)
        assert array.dtype == np.float32
        assert array.flags.c_contiguous


def test_a_covariance_is_the_rotated_squares_of_the_lengths() -> None:
    quats, scales = random_shapes(500)
    rest = cloud(500)
    gaussians = Gaussians.from_quats_scales(rest.means, quats, scales, rest.colors, rest.opacities)
    wanted = exact_covariances(quats, scales)
    size = np.abs(wanted).max(axis=(1, 2))[:, None, None]
    assert np.all(np.abs(full(gaussians.covariances) - wanted) <= 2e-6 * size)
    np.testing.assert_array_equal(gaussians.means, rest.means)
    np.testing.assert_array_equal(gaussians.colors, rest.colors)
    np.testing.assert_array_equal(gaussians.opacities, rest.opacities)


def test_a_quarter_turn_about_z_lays_x_along_y() -> None:
    quarter = np.array([[np.sqrt(0.5), 0, 0, np.sqrt(0.5)]], np.float32)
    np.testing.assert_allclose(rotation_matrices(quarter)[0, :, 0], [0, 1, 0], atol=1e-6)


def test_decomposed_covariances_compose_again() -> None:
    assert_recomposed(upper(exact_covariances(*random_shapes(2000, seed=1))))


def test_lengths_fall_and_are_the_roots_of_numpys_eigenvalues() -> None:
    covariances = upper(exact_covariances(*random_shapes(2000, seed=2)))
    _, scales = decompose(covariances)
    assert np.all(np.diff(scales, axis=1) <= 0)
    eigenvalues = np.linalg.eigvalsh(full(covariances))[:, ::-1]
    difference = np.abs(scales.astype(np.float64) ** 2 - eigenvalues.clip(0))
    assert np.all(difference <= 1e-6 * eigenvalues[:, :1])


def test_the_axes_are_numpys_eigenvectors() -> None:
    quats, _ = random_shapes(200, seed=3)
    lengths = np.tile(np.array([[0.3, 0.02, 0.1]], np.float32), (200, 1))
    covariances = upper(exact_covariances(quats, lengths))
    ours = rotation_matrices(decompose(covariances)[0])
    _, vectors = np.linalg.eigh(full(covariances))
    cosines = np.einsum("nij,nij->nj", ours, vectors[:, :, ::-1])
    np.testing.assert_allclose(np.abs(cosines), 1, atol=1e-5)


def test_quaternions_are_of_unit_length_and_turn_by_120_degrees_at_most() -> None:
    quats, _ = decompose(upper(exact_covariances(*random_shapes(2000, seed=4))))
    np.testing.assert_allclose(np.linalg.norm(quats, axis=1), 1, atol=1e-6)
    assert np.all(quats[:, 0] >= 0.5 - 1e-6)


@pytest.mark.parametrize(
    "lengths",
    [
        (1.0, 0.9999, 0.001),
        (1.0, 0.0011, 0.00109),
        (1.0, 0.999999, 0.999998),
        (1.0, 0.03, 0.0012),
        (1e-6, 1e-6, 1e-9),
        (1e4, 1e4, 1e1),
    ],
)
def test_the_least_length_is_exact_beside_one_a_thousand_times_as_large(
    lengths: tuple[float, ...],
) -> None:
    quats, _ = random_shapes(2000, seed=6)
    scales = np.tile(np.array(lengths, np.float32), (2000, 1))
    covariances = upper(exact_covariances(quats, scales))
    _, found = decompose(covariances)
    # Of what float32 left of the lengths, by numpy in float64.
    wanted = np.sqrt(np.linalg.eigvalsh(full(covariances))[:, ::-1])
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert_recomposed(covariances)


def test_a_ball_with_one_rounding_too_much_composes_again() -> None:
    balls = np.tile(np.array([[0.3, 0, 0, 0.3, 0, 0.3]], np.float32), (6, 1))
    for entry in range(6):
        balls[entry, entry] = np.nextafter(balls[entry, entry], np.float32(1))
    assert_recomposed(balls)


def test_a_covariance_is_decomposed_alike_alone_and_among_others_in_any_thread() -> None:
    covariances = upper(exact_covariances(*random_shapes(1000, seed=7)))
    whole = np.concatenate(decompose(covariances), axis=1)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(decompose, [covariances[k : k + 97] for k in range(0, 1000, 97)]))
    np.testing.assert_array_equal(np.concatenate([np.hstack(part) for part in parts]), whole)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0)])
def test_axes_in_any_order_are_sorted_without_a_mirror(order: tuple[int, int, int]) -> None:
    # Each order is another rotation by quarters and halves, where quaternions have w of zero.
    lengths = np.array([[3.0, 2.0, 1.0]], np.float32)[:, order]
    covariances = upper(exact_covariances(np.array([[1, 0, 0, 0]], np.float32), lengths))
    quats, scales = decompose(covariances)
    np.testing.assert_allclose(scales, [[3, 2, 1]], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(quats, axis=1), 1, atol=1e-6)
    assert_recomposed(covariances)


@pytest.mark.parametrize("variance", [0.0, 1e-12, 0.25, 1e6])
def test_a_ball_and_a_point_have_the_unit_rotation(variance: float) -> None:
    ball = np.array([[variance, 0, 0, variance, 0, variance]], np.float32)
    quats, scales = decompose(ball)
    np.testing.assert_array_equal(quats, [[1, 0, 0, 0]])
    np.testing.assert_allclose(scales, np.full((1, 3), np.sqrt(variance)), rtol=1e-6)


@pytest.mark.parametrize(
    "lengths", [(0.2, 0.2, 0.0), (0.2, 0.1, 0.0), (0.5, 0.0, 0.0), (5.0, 1e-4, 1e-4)]
)
def test_flat_and_needle_like_gaussians_compose_again(lengths: tuple[float, ...]) -> None:
    quats, _ = random_shapes(500, seed=5)
    scales = np.tile(np.array(lengths, np.float32), (500, 1))
    covariances = upper(exact_covariances(quats, scales))
    _, found = decompose(covariances)
    assert np.isfinite(found).all()  # rounding leaves variances below zero
    assert np.all(found >= 0)
    assert_recomposed(covariances)


@pytest.mark.parametrize("entry", range(6))
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_one_entry_that_is_not_finite_gives_lengths_of_nan_and_spares_the_neighbours(
    entry: int, poison: float
) -> None:
    covariances = np.tile(np.array([[4, 0, 0, 1, 0, 1]], np.float32), (3, 1))
    covariances[1, entry] = poison
    quats, scales = decompose(covariances)
    assert np.isnan(scales[1]).all()
    assert quats[1].tolist() == [1, 0, 0, 0]
    np.testing.assert_array_equal(scales[[0, 2]], [[2, 1, 1], [2, 1, 1]])


def test_no_covariances_have_no_rotations() -> None:
    quats, scales = decompose(np.empty((0, 6), np.float32))
    assert quats.shape == (0, 4)
    assert scales.shape == (0, 3)


def test_covariances_of_another_shape_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"covariances have shape \(2, 3, 3\), wanted \(N, 6\)"):
        decompose(np.zeros((2, 3, 3), np.float32))


@pytest.mark.parametrize("name", list(RIGHT_SHAPES))
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_drops_its_gaussian_alone(name: str, poison: float) -> None:
    gaussians = cloud()
    array = getattr(gaussians, name)
    array.reshape(5, -1)[2, -1] = poison
    kept, dropped = gaussians.finite()
    assert dropped == 1
    np.testing.assert_array_equal(kept.means, cloud().means[[0, 1, 3, 4]])
    np.testing.assert_array_equal(kept.opacities, cloud().opacities[[0, 1, 3, 4]])


def test_a_finite_cloud_is_kept_without_a_copy() -> None:
    gaussians = cloud()
    kept, dropped = gaussians.finite()
    assert kept is gaussians
    assert dropped == 0


def test_a_mask_indices_and_a_slice_choose_the_same_gaussians() -> None:
    gaussians = cloud()
    mask = np.array([False, True, False, True, False])
    chosen = [gaussians[mask], gaussians[np.array([1, 3])], gaussians[1:4:2]]
    for some in chosen:
        assert len(some) == 2
        for name in RIGHT_SHAPES:
            wanted = getattr(gaussians, name)[[1, 3]]
            np.testing.assert_array_equal(getattr(some, name), wanted)


def test_colours_follow_the_srgb_curve() -> None:
    linear = np.array([-0.5, 0, 0.0031308, 0.21404114, 1, 4], np.float32)
    wanted = [0, 0, 0.04044994, 0.5, 1, 1.8247963]  # IEC 61966-2-1 in float64
    np.testing.assert_allclose(srgb_from_linear(linear), wanted, rtol=1e-5)


def test_colours_survive_the_srgb_curve_and_back() -> None:
    linear = np.linspace(0, 3, 1001, dtype=np.float32)
    np.testing.assert_allclose(linear_from_srgb(srgb_from_linear(linear)), linear, rtol=1e-5)


# --- another focal length ------------------------------------------------------------------------


def test_another_focal_length_stretches_along_the_axis() -> None:
    """D Sigma D, written out with matrices."""
    quats, scales = random_shapes(50)
    gaussians = Gaussians.from_quats_scales(
        cloud(50).means, quats, scales, cloud(50).colors, cloud(50).opacities
    )
    stretched = gaussians.refocused(1.7)
    d = np.diag([1.0, 1.0, 1.7])
    np.testing.assert_allclose(stretched.means, gaussians.means @ d, rtol=1e-6)
    wanted = upper(d @ full(gaussians.covariances) @ d)
    np.testing.assert_allclose(stretched.covariances, wanted, rtol=1e-5)
    np.testing.assert_array_equal(stretched.colors, gaussians.colors)
    np.testing.assert_array_equal(stretched.opacities, gaussians.opacities)


def test_a_photo_s_own_camera_sees_the_same_whatever_its_focal_length() -> None:
    gaussians, focal_px, ratio = cloud(), 900.0, 0.6
    stretched = gaussians.refocused(ratio)
    pixels = [
        f * each.means[:, :2] / each.means[:, 2:]
        for f, each in ((focal_px, gaussians), (focal_px * ratio, stretched))
    ]
    np.testing.assert_allclose(pixels[0], pixels[1], rtol=1e-5)
