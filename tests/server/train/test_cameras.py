"""What cameras do to pictures."""

from __future__ import annotations

import numpy as np
import pytest

from sharp_xr.train import cameras
from sharp_xr.train.cameras import developed

H, W = 96, 128
Float = np.ndarray


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def checks() -> Float:
    """[H, W, 3] squares of 8 px in two colours."""
    y, x = np.mgrid[:H, :W] // 8
    return np.where(((y + x) % 2 == 0)[..., None], [0.8, 0.6, 0.4], [0.2, 0.3, 0.4]).astype("f4")


@pytest.fixture
def two_depths() -> Float:
    """[H, W] the left half at 1 m, the right one at 50 m."""
    return np.where(np.arange(W) < W // 2, 1, 50)[None].repeat(H, 0).astype(np.float32)


def detail(x: Float) -> float:
    """How hard the edges are."""
    return float(sum((np.diff(x, axis=axis) ** 2).mean() for axis in (0, 1)))


def test_a_photo_is_another_each_time_but_still_the_same_scene(
    checks: Float, two_depths: Float
) -> None:
    rgb = (checks * 255).astype(np.uint8)
    one = rng(3)
    photos = [developed(one, rgb, two_depths) for _ in range(40)]
    assert len({photo.tobytes() for photo in photos}) == 40
    for photo in photos:
        assert photo.shape == rgb.shape and photo.dtype == np.uint8
        assert np.corrcoef(photo.mean(-1).ravel(), rgb.mean(-1).ravel())[0, 1] > 0.6
    grey = sum(int(np.ptp(photo.astype(int), axis=-1).max() < 12) for photo in photos)
    assert 2 <= grey <= 20


def test_the_same_generator_takes_the_same_photo(checks: Float, two_depths: Float) -> None:
    rgb = (checks * 255).astype(np.uint8)
    first, second = (developed(rng(5), rgb, two_depths) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_only_one_depth_is_in_focus(checks: Float, two_depths: Float) -> None:
    sharp = detail(checks[:, 8 : W // 2 - 8])
    for seed in range(6):
        photo = cameras.defocused(rng(seed), checks, two_depths)
        halves = sorted(detail(photo[:, a:b]) for a, b in ((8, W // 2 - 8), (W // 2 + 8, W - 8)))
        assert halves[1] == pytest.approx(sharp, rel=1e-3)
        assert halves[0] < 0.75 * sharp


def test_where_all_is_equally_far_or_unknown_all_is_sharp(checks: Float) -> None:
    for depth in (0.0, 3.0):
        photo = cameras.defocused(rng(), checks, np.full((H, W), depth, np.float32))
        np.testing.assert_allclose(photo, checks, atol=1e-6)


def test_a_blur_keeps_brightness_and_takes_detail(checks: Float) -> None:
    for photo in (
        cameras.blurred(checks, 2.0),
        *(cameras.shaken(rng(s), checks) for s in range(6)),
    ):
        assert photo.mean() == pytest.approx(checks.mean(), abs=0.01)
        assert detail(photo) <= detail(checks)
    shaken = [detail(cameras.shaken(rng(s), checks)) for s in range(20)]
    assert np.median(shaken) < 0.9 * detail(checks)


def test_noise_is_stronger_in_the_light_and_has_no_bias() -> None:
    half = np.full((200, 200, 3), 0.05, np.float32)
    half[:, 100:] = 0.9
    dark, bright = [], []
    for seed in range(30):
        noise = cameras.noisy(rng(seed), half) - half
        dark.append(noise[:, :100].std())
        bright.append(noise[:, 100:].std())
        assert abs(noise.mean()) < 0.003
    assert np.mean(bright) > 1.3 * np.mean(dark)
    assert np.max(bright) < 0.08


def test_corners_are_darker_and_the_middle_is_not(checks: Float) -> None:
    white = np.ones_like(checks)
    photo = cameras.vignetted(rng(1), white)
    assert photo[H // 2, W // 2] == pytest.approx(1, abs=0.01)
    assert photo[0, 0].max() < 0.99


def test_tones_keep_the_order_of_greys() -> None:
    ramp = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], 3, -1)
    for seed in range(20):
        assert (np.diff(cameras.toned(rng(seed), ramp).mean(-1)) > -1e-6).all()


def test_sharpening_adds_halos_and_enlarging_takes_detail(checks: Float) -> None:
    sharp = cameras.sharpened(rng(), checks)
    assert sharp.max() > checks.max() + 0.02 and detail(sharp) > detail(checks)
    soft = cameras.enlarged(rng(), checks)
    assert soft.shape == checks.shape and detail(soft) < detail(checks)
