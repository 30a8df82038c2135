import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sharp_xr.render import Frame, device_frame
from sharp_xr.render.device_frame import DeviceFrame, FrameTensors
from sharp_xr.stream import colour
from sharp_xr.stream.colour import new_picture, planes, write_frame, write_picture

# ITU-R BT.709-6: rows are Y, U, V of R, G, B in 0 to 1, before the limited range's scaling.
MATRIX = np.array(
    [
        [0.2126, 0.7152, 0.0722],
        [-0.2126 / 1.8556, -0.7152 / 1.8556, 0.5],
        [0.5, -0.7152 / 1.5748, -0.0722 / 1.5748],
    ]
)


def plain(rgb: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    """[V, 3, H, W] -> Y [H, V W], U and V of half the size, not rounded."""
    wide = np.concatenate(list(rgb.astype(np.float64)), axis=2).clip(0, 1)  # [3, H, V W]
    channels, height, width = wide.shape
    mean = wide.reshape(channels, height // 2, 2, width // 2, 2).mean(axis=(2, 4))
    luma = 16 + 219 * np.einsum("c,chw->hw", MATRIX[0], wide)
    chroma = [128 + 224 * np.einsum("c,chw->hw", row, mean) for row in MATRIX[1:]]
    return [luma, *chroma]


@pytest.mark.parametrize(("views", "width", "height"), [(2, 48, 32), (1, 2, 2), (2, 50, 6)])
@pytest.mark.parametrize("on_device", [False, True])
def test_a_frame_becomes_what_the_plain_formula_says(
    views: int, width: int, height: int, on_device: bool
) -> None:
    rng = np.random.default_rng(0)
    rgb = rng.uniform(-0.2, 1.2, (views, 3, height, width)).astype(np.float32)
    picture = new_picture(views * width, height)
    write_frame(frame_of(rgb, on_device=on_device), picture)
    for ours, wanted in zip(planes(picture), plain(rgb), strict=True):
        assert np.abs(ours - wanted).max() <= 0.501  # rounding to nearest, in float32


def frame_of(rgb: NDArray[np.float32], *, on_device: bool) -> Frame:
    """With a device that is the CPU in the GPU's place."""
    nothing = np.zeros(rgb[:, 0].shape, np.float32)
    if not on_device:
        return Frame(rgb, nothing, nothing)
    with torch.inference_mode():  # as the renderer makes them
        flat = torch.from_numpy(nothing).clone()
        return DeviceFrame(FrameTensors(torch.from_numpy(rgb).clone(), flat, flat))


def test_a_frame_on_a_device_leaves_it_once_and_as_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    left = []

    def watched(tensor: torch.Tensor) -> NDArray[np.uint8]:
        left.append((tensor.dtype, tensor.numel()))
        return device_frame.to_host(tensor)

    monkeypatch.setattr(colour, "to_host", watched)
    frame = frame_of(np.full((2, 3, 32, 48), 0.5, np.float32), on_device=True)
    write_frame(frame, new_picture(96, 32))
    assert left == [(torch.uint8, 96 * 32 * 3 // 2)]
    assert set(vars(frame)) == {"tensors"}  # rgb would be among them, had it been asked for


@pytest.mark.parametrize(
    ("rgb", "yuv"),
    [  # the corners of BT.709 limited range
        ((0, 0, 0), (16, 128, 128)),
        ((1, 1, 1), (235, 128, 128)),
        ((1, 0, 0), (63, 102, 240)),
        ((0, 1, 0), (173, 42, 26)),
        ((0, 0, 1), (32, 240, 118)),
    ],
)
def test_known_colours(rgb: tuple[int, int, int], yuv: tuple[int, int, int]) -> None:
    picture = new_picture(2, 2)
    write_picture(np.ones((1, 3, 2, 2), np.float32) * np.reshape(rgb, (3, 1, 1)), picture)
    assert tuple(int(plane[0, 0]) for plane in planes(picture)) == yuv


def test_the_left_eye_is_left() -> None:
    rgb = np.zeros((2, 3, 4, 6), np.float32)
    rgb[1] = 1.0
    picture = new_picture(12, 4)
    write_picture(rgb, picture)
    luma = planes(picture)[0]
    assert (luma[:, :6] == 16).all() and (luma[:, 6:] == 235).all()


def test_another_decoder_of_colours_sees_what_was_meant() -> None:
    """swscale, told BT.709 and limited range, gives the colours back."""
    rng = np.random.default_rng(3)
    blocks = rng.random((1, 3, 4, 4), np.float32).repeat(8, 2).repeat(8, 3)
    picture = new_picture(32, 32)
    write_picture(blocks, picture)
    back = picture.to_ndarray(format="rgb24", src_colorspace="ITU709", src_color_range="MPEG")
    assert np.abs(back[3::8, 3::8] / 255 - blocks[0, :, 3::8, 3::8].transpose(1, 2, 0)).max() < 0.02


def test_an_odd_picture_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="a picture of 3 x 4 px, wanted even numbers"):
        new_picture(3, 4)
    assert isinstance(new_picture(4, 4), av.VideoFrame)
