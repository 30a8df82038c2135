"""What every predictor keeps, whatever is inside."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image
from tests.server.model.sharp.parity import weights

from sharp_xr.gaussians import Gaussians
from sharp_xr.model import MODEL_NAMES, ModelError, Predictor, load_predictor
from sharp_xr.model.sharp.checkpoint import save_network
from sharp_xr.model.sharp.config import TINY
from sharp_xr.model.sharp.network import SharpNetwork
from sharp_xr.photo import Photo

pytestmark = pytest.mark.parametrize("name", MODEL_NAMES)


@functools.cache
def predictor(name: str) -> Predictor:
    return load_predictor(name, tiny_sharp() if name == "sharp" else None)


def tiny_sharp() -> Path:
    """A small network with random weights: SHARP's own are no part of the package."""
    network = SharpNetwork(TINY)
    network.load_state_dict(weights(TINY))
    path = Path(tempfile.mkdtemp(prefix="sharp-xr-test-")) / "tiny.safetensors"
    save_network(network, path, {})
    return path


def coffee(focal_px: float = 250.0) -> Photo:
    image = np.asarray(Image.open(Path(skimage.__file__).parent / "data" / "coffee.png"))
    return Photo(np.ascontiguousarray(image[::2, ::2, :3]), focal_px)


@functools.cache
def of_coffee(name: str, focal_px: float = 250.0) -> Gaussians:
    return predictor(name).predict(coffee(focal_px))


def test_gaussians_are_finite_and_physical(name: str) -> None:
    gaussians, dropped = of_coffee(name).finite()
    assert dropped == 0
    assert len(gaussians) > 1000
    assert gaussians.means[:, 2].min() > 0.01
    assert gaussians.means[:, 2].max() <= 250
    assert (gaussians.opacities >= 0).all() and (gaussians.opacities <= 1).all()
    assert (gaussians.colors >= 0).all() and (gaussians.colors <= 1).all()


def test_covariances_are_positive(name: str) -> None:
    c = of_coffee(name).covariances.astype(np.float64)
    rows = c[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3)
    lengths = np.linalg.eigvalsh(rows)
    # A needle's shortest axis is within float32's rounding of its longest.
    assert (lengths[:, 0] > -1e-6 * lengths[:, 2]).all()
    assert (lengths[:, 2] > 0).all()


def test_distance_follows_the_focal_length(name: str) -> None:
    """The same pixels through a lens twice as long are of things twice as far away."""
    wide, long = of_coffee(name), of_coffee(name, 500.0)
    ratio = np.median(long.means[:, 2]) / np.median(wide.means[:, 2])
    assert ratio == pytest.approx(2.0, rel=0.02)


def test_gaussians_lie_where_the_photo_sees_them(name: str) -> None:
    """Most of them inside the photo's field of view, spread over all of it."""
    photo, gaussians = coffee(), of_coffee(name)
    height, width = photo.image.shape[:2]
    u = gaussians.means[:, 0] / gaussians.means[:, 2] * photo.focal_px / width
    v = gaussians.means[:, 1] / gaussians.means[:, 2] * photo.focal_px / height
    inside = (abs(u) <= 0.5) & (abs(v) <= 0.5)
    assert inside.mean() > 0.8
    seen, _, _ = np.histogram2d(u[inside], v[inside], bins=16)
    assert seen.min() > 0


def test_the_same_photo_gives_the_same_gaussians(name: str) -> None:
    again, first = predictor(name).predict(coffee()), of_coffee(name)
    assert np.array_equal(again.means, first.means)
    assert np.array_equal(again.colors, first.colors)


def test_progress_runs_from_nothing_to_all(name: str) -> None:
    told: list[float] = []
    predictor(name).predict(coffee(), lambda fraction, detail="": told.append(fraction))
    assert told == sorted(told)
    assert told[-1] == 1.0


@pytest.mark.parametrize(
    ("height", "width"), [(48, 64), (1, 1), (2, 300), (300, 100), (100, 300)], ids=str
)
@pytest.mark.parametrize("look", ["flat", "grey noise"])
def test_any_shape_and_content_is_taken(name: str, height: int, width: int, look: str) -> None:
    image = np.full((height, width, 3), 128, np.uint8)
    if look == "grey noise":
        noise = np.random.default_rng(0).integers(0, 256, (height, width, 1))
        image = np.repeat(noise.astype(np.uint8), 3, 2)
    gaussians, dropped = predictor(name).predict(Photo(image, 0.8 * max(height, width))).finite()
    assert dropped == 0
    assert len(gaussians) > 0


def test_weights_that_are_not_there_are_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        load_predictor(name, tmp_path / "nowhere.safetensors")
