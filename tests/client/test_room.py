"""Which way a headset shows the room, for every headset there may be."""

from itertools import chain, combinations
from typing import get_args

import pytest

from sharp_xr_client.room import PASSTHROUGH, BlendMode, Room, choose_room

MODES: tuple[BlendMode, ...] = get_args(BlendMode)
OFFERS = list(chain.from_iterable(combinations(MODES, n) for n in range(1, 4)))


@pytest.mark.parametrize(
    ("offered", "extensions", "found"),
    [
        (
            ("OPAQUE",),
            (),
            Room("OPAQUE", False, problem="this headset cannot show the room around it"),
        ),
        (("OPAQUE", "ALPHA_BLEND"), (), Room("ALPHA_BLEND", True)),
        (("OPAQUE", "ALPHA_BLEND"), (PASSTHROUGH,), Room("ALPHA_BLEND", True)),
        (("OPAQUE",), (PASSTHROUGH,), Room("OPAQUE", True, passthrough=True)),
        (("OPAQUE", "ADDITIVE"), (), Room("ADDITIVE", True)),
        (("OPAQUE", "ADDITIVE"), (PASSTHROUGH,), Room("OPAQUE", True, passthrough=True)),
        (("ADDITIVE",), (), Room("ADDITIVE", True)),
    ],
)
def test_the_best_way_is_taken(
    offered: tuple[BlendMode, ...], extensions: tuple[str, ...], found: Room
) -> None:
    assert choose_room(offered, extensions, wish=True) == found


@pytest.mark.parametrize("offered", OFFERS)
@pytest.mark.parametrize("extensions", [(), (PASSTHROUGH,)])
@pytest.mark.parametrize("wish", [False, True])
def test_only_what_is_offered_is_asked_for(
    offered: tuple[BlendMode, ...], extensions: tuple[str, ...], wish: bool
) -> None:
    room = choose_room(offered, extensions, wish)
    assert room.mode in offered or room.passthrough or room.problem
    assert room.passthrough <= (PASSTHROUGH in extensions)
    assert (room.problem is not None) == (wish and not room.is_clear)
    if not wish:
        assert room == Room(room.mode, is_clear=False), "nothing of the room is let in"


def test_a_photo_that_should_hide_the_room_does_where_it_can() -> None:
    assert choose_room(("ALPHA_BLEND", "OPAQUE"), (), wish=False).mode == "OPAQUE"
    assert choose_room(("ADDITIVE", "ALPHA_BLEND"), (), wish=False).mode == "ALPHA_BLEND"
    assert choose_room(["ADDITIVE"], (), wish=False).mode == "ADDITIVE"
