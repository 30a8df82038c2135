"""Memory is lent again when nobody has it, and not before."""

from __future__ import annotations

import numpy as np
import torch
from tests.server.render.scenes import front_view, random_scene

from sharp_xr.render.cpu.rooms import Rooms
from sharp_xr.render.differentiable import rasterize


def test_what_nobody_has_is_lent_again() -> None:
    rooms = Rooms(kept=1)
    first = rooms.take(100)
    place = first.ctypes.data
    del first
    assert rooms.take(60).ctypes.data == place
    assert len(rooms.take(60)) == 60
    assert len(rooms.take(1000)) == 1000
    assert len(rooms.take(0)) == 0


def test_a_view_of_a_view_or_a_tensor_of_it_keeps_the_room() -> None:
    rooms = Rooms(kept=1)
    room = rooms.take(100)
    room[:] = 7
    views = room[10:90].reshape(8, 10)[:, 3], torch.from_numpy(room[50:].reshape(5, 10)).mT
    del room
    others = [rooms.take(100) for _ in range(3)]
    for other in others:
        other[:] = 0
    assert all(bool((view == 7).all()) for view in views)


def test_two_at_once_have_two_rooms() -> None:
    rooms = Rooms(kept=1)
    one, other = rooms.take(50), rooms.take(50)
    assert not np.shares_memory(one, other)


def test_a_gradient_that_is_kept_outlives_the_next_one() -> None:
    scene = random_scene(300)
    arrays = (scene.means, scene.covariances, scene.colors, scene.opacities)
    means, covariances, colors, opacities = (
        torch.from_numpy(array).requires_grad_() for array in arrays
    )

    def gradient(factor: float) -> torch.Tensor:
        picture = rasterize(means, covariances, colors, opacities, [front_view(32)])
        (found,) = torch.autograd.grad((factor * picture.rgb).sum(), covariances)
        return found

    kept = gradient(1)
    copy = kept.clone()
    later = gradient(2)
    assert torch.equal(kept, copy)
    assert torch.equal(later, 2 * copy)
    assert copy.any()
