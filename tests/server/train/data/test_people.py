"""People: as large as people, with faces before their heads' middle and hands that reach."""

from __future__ import annotations

import numpy as np
import pytest

from sharp_xr.train.data import people
from sharp_xr.train.data.heads import skull
from sharp_xr.train.data.mesh import Mesh, SceneBuilder
from sharp_xr.train.data.people import Pose
from sharp_xr.train.data.places import Subject, faces_of


def someone(seed: int, pose: Pose) -> Mesh:
    return people.person(np.random.default_rng(seed), SceneBuilder(), pose)


@pytest.mark.parametrize("seed", range(5))
def test_a_person_stands_on_the_ground_and_is_as_tall_as_people_are(seed: int) -> None:
    low, high = someone(seed, Pose()).box
    assert abs(low[1]) < 0.05
    assert 0.9 < high[1] < 2.15


def test_a_held_out_hand_is_nearer_to_the_camera_than_the_rest() -> None:
    for seed in range(5):
        still, reaching = someone(seed, Pose()).box[1], someone(seed, Pose(reach=1.0)).box[1]
        assert reaching[2] > 0.25 * reaching[1], "an arm's length before the body"
        assert reaching[2] > still[2]


def test_a_face_is_a_few_centimetres_deep() -> None:
    mesh = someone(1, Pose())
    points = mesh.points.reshape(-1, 3)
    top = points[:, 1].max()
    head = points[points[:, 1] > top - 0.11 * top]
    depth = float(np.ptp(head[:, 2]))
    assert 0.1 * top < depth < 0.17 * top


def test_normals_look_outwards() -> None:
    head = skull(np.random.default_rng(0), 0)
    outward = (head.points * head.normals).sum(-1)
    assert (outward > 0).mean() > 0.98
    np.testing.assert_allclose(np.linalg.norm(head.normals, axis=-1), 1, atol=1e-3)


def test_a_photo_of_a_face_is_aimed_at_the_head() -> None:
    person = Subject(np.array([3, 0.9, 1], np.float32), 1.8, 0.5, True)
    face, bust = faces_of(person)
    assert 1.55 < face.center[1] < 1.75 and 0.2 < face.size < 0.35
    assert face.size < bust.size < person.size and face.front == 0.5
