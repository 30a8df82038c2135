"""The photo squeezed into the network's square."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from sharp_xr.model.sharp.preparation import squeezed


def noise(height: int, width: int) -> NDArray[np.uint8]:
    """[height, width, 3]."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_corner_pixels_stay_corner_pixels() -> None:
    image = noise(37, 91)
    square = squeezed(image, 64).numpy()
    assert square.shape == (1, 3, 64, 64) and square.dtype == np.float32
    for y in (0, -1):
        for x in (0, -1):
            assert square[0, :, y, x] == pytest.approx(image[y, x] / 255, abs=1e-7)


def test_a_ramp_stays_a_ramp_from_the_first_pixel_to_the_last() -> None:
    image = np.zeros((100, 250, 3), np.uint8)
    image[:, :, 0] = np.arange(250)
    image[:, :, 2] = np.arange(100)[:, None]
    square = squeezed(image, 64)[0].double()
    wanted = torch.linspace(0, 249 / 255, 64, dtype=torch.float64).expand(64, 64)
    torch.testing.assert_close(square[0], wanted, rtol=0, atol=1e-6)
    wanted = torch.linspace(0, 99 / 255, 64, dtype=torch.float64)[:, None].expand(64, 64)
    torch.testing.assert_close(square[2], wanted, rtol=0, atol=1e-6)


def test_a_mirrored_photo_is_mirrored() -> None:
    image = noise(48, 80)
    mirrored = np.ascontiguousarray(image[::-1, ::-1])
    difference = squeezed(mirrored, 64).flip(2, 3) - squeezed(image, 64)
    assert difference.abs().max() < 1e-5


@pytest.mark.parametrize(("height", "width"), [(20, 7001), (3001, 24), (512, 512), (17, 16)])
def test_samples_lie_where_torch_puts_them_in_float32(height: int, width: int) -> None:
    """Where exactly is rounded: 7000 pixels to the right that makes 2e-4 between noisy pixels."""
    image = noise(height, width)
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    wanted = functional.interpolate(x, (512, 512), mode="bilinear", align_corners=True)
    torch.testing.assert_close(squeezed(image, 512), wanted, rtol=0, atol=1e-6)


def test_grey_stays_grey() -> None:
    image = np.repeat(noise(30, 40)[:, :, :1], 3, 2)
    r, g, b = squeezed(image, 64)[0]
    assert torch.equal(r, g) and torch.equal(r, b)
