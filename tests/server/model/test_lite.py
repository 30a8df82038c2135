"""The embedded model on a real photo, looked at from where a head may be."""

import functools
from pathlib import Path

import numpy as np
import pytest
import skimage
import torch
from PIL import Image

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.model import ModelError, lite, lite_depth
from sharp_xr.model.grid import Grid
from sharp_xr.model.layers import Edges
from sharp_xr.model.lite import LitePredictor
from sharp_xr.model.lite_depth import RELIEF, SCALE, as_in_photos, input_size, inverse_depth
from sharp_xr.model.second_layer import second_layer
from sharp_xr.photo import Photo
from sharp_xr.render import Frame, create_renderer
from sharp_xr.render.camera import View


@functools.cache
def coffee() -> Photo:
    file = Path(skimage.__file__).parent / "data" / "coffee.png"
    image = np.asarray(Image.open(file).convert("RGB").resize((300, 200), Image.Resampling.BOX))
    return Photo(image, 250.0)


@functools.cache
def gaussians() -> Gaussians:
    return LitePredictor().predict(coffee())


def seen(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Frame:
    """From a head at x, y, z metres, OpenCV axes, through the photo's own lens."""
    height, width = coffee().image.shape[:2]
    pose = np.eye(4)
    pose[:3, 3] = -x, -y, -z
    view = View(pose, 250.0, 250.0, width / 2, height / 2, width, height)
    renderer = create_renderer("cpu", threads=1)
    return renderer.render(renderer.prepare(gaussians()), [view])


def psnr(a: Float32, b: Float32) -> float:
    return float(-10 * np.log10(np.square(a - b).mean()))


def photo_colors() -> Float32:
    return coffee().image.transpose(2, 0, 1).astype(np.float32) / np.float32(255)


def test_the_source_view_shows_the_photo() -> None:
    assert psnr(seen().rgb[0], photo_colors()) > 28


def test_the_source_view_is_closed() -> None:
    assert seen().alpha.min() > 0.9


@pytest.mark.parametrize(
    ("x", "y"), [(0.1, 0.0), (-0.1, 0.0), (0.0, 0.1), (0.0, -0.1), (0.2, 0.0), (-0.2, 0.0)]
)
def test_leaning_shows_no_holes(x: float, y: float) -> None:
    """A hole is a pixel that shows nothing, with something on all four sides of it."""
    covered = seen(x, y).alpha[0] >= 0.5
    around = np.ones_like(covered)
    for axis in (0, 1):
        for step in (1, -1):
            turned = np.flip(covered, axis) if step < 0 else covered
            so_far = np.maximum.accumulate(turned, axis)
            around &= np.flip(so_far, axis) if step < 0 else so_far
    assert np.mean(~covered[around]) < 0.005


def test_near_things_move_more_than_far_ones() -> None:
    """The cup is nearer than the table's far corner."""
    depth = seen().depth[0]
    cup, corner = np.median(depth[90:120, 110:170]), np.median(depth[5:25, 260:290])
    assert cup < 0.8 * corner


def test_depths_are_a_tables_not_a_landscapes() -> None:
    assert 0.2 < np.median(gaussians().means[:, 2]) < 4.0


def test_no_gaussian_is_a_spike() -> None:
    """Nothing is longer than a third of its distance."""
    longest = np.sqrt(gaussians().covariances[:, [0, 3, 5]].max(1))
    assert (longest < 0.35 * gaussians().means[:, 2]).all()


@pytest.mark.parametrize(
    ("height", "width", "longer_px", "wanted"),
    [
        (3000, 4000, 320, (224, 320)),
        (4000, 3000, 320, (320, 224)),
        (3000, 4000, 192, (128, 192)),
        (2000, 3000, 320, (224, 320)),
        (10, 1000, 320, (32, 320)),
    ],
)
def test_the_network_sees_the_photos_aspect(
    height: int, width: int, longer_px: int, wanted: tuple[int, int]
) -> None:
    assert input_size(height, width, longer_px) == wanted


def test_photos_have_less_relief_than_drawn_scenes_and_are_farther() -> None:
    log_depth = torch.log(torch.tensor([[1.0, 2.0, 8.0]]))
    near, middle, far = torch.exp(as_in_photos(log_depth))[0] / SCALE
    torch.testing.assert_close(middle, torch.tensor(2.0))
    assert 1.05 < near < 1.2 and 6.0 < far < 7.6
    # whatever the scale
    torch.testing.assert_close(as_in_photos(log_depth + 1), as_in_photos(log_depth) + 1)


def test_a_predictors_depth_is_that_of_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = LitePredictor()
    photo = Photo(np.full((96, 128, 3), 128, np.uint8), 100.0)
    there, _ = inverse_depth(predictor.network, photo)
    monkeypatch.setattr(lite_depth, "as_in_photos", lambda log_depth: log_depth)
    drawn, _ = inverse_depth(predictor.network, photo)
    upper = drawn.size // 2  # of inverse depths, which torch's lower median of depths is
    ratio = np.sort(drawn.ravel())[upper] / np.sort(there.ravel())[upper]
    assert ratio == pytest.approx(SCALE, rel=1e-3)


def test_both_layers_are_seen_from_the_visible_ones_middle() -> None:
    visible = torch.log(torch.tensor([[1.0, 2.0, 8.0]]))
    both = torch.stack([visible, visible + 1])
    seen = as_in_photos(both)
    torch.testing.assert_close(seen[:1], as_in_photos(visible[None]))
    torch.testing.assert_close(seen[1] - seen[0], torch.full((1, 3), RELIEF))


def test_what_is_hidden_is_as_deep_as_the_network_says(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Float32] = []

    def seen(
        inverse: Float32, edges: Edges, grid: Grid, colors: Float32, learned: Float32
    ) -> Gaussians:
        told.append(learned)
        return second_layer(inverse, edges, grid, colors, learned)

    monkeypatch.setattr(lite, "second_layer", seen)
    predictor = LitePredictor()
    photo = Photo(np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8), 100.0)
    predictor.predict(photo)
    visible, behind = inverse_depth(predictor.network, photo)
    (learned,) = told
    assert learned.mean() == pytest.approx(behind.mean(), rel=0.02)
    assert learned.mean() < 0.99 * visible.mean()


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match="cuda:9"):
        LitePredictor(device="cuda:9")
