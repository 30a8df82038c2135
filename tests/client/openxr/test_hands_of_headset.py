"""Controllers of a simulated headset: what is squeezed and pushed reaches the photo."""

import math
from collections.abc import Callable

import pytest
from scripts.openxr.monado import Monado
from scripts.openxr.remote import Hand
from scripts.openxr.stand import Stand
from scripts.openxr.wearer import Wearer
from tests.client.openxr.conftest import STANDING

from sharp_xr_protocol.geometry import Pose, Vector3

pytestmark = [pytest.mark.monado, pytest.mark.timeout(240)]

Wear = Callable[..., Wearer]


def hand(x: float, y: float = 1.3, squeeze: float = 0.0, **inputs: object) -> Hand:
    return Hand(Pose((x, y, -0.5)), squeeze=squeeze, **inputs)  # type: ignore[arg-type]


def head_is(stand: Stand, position: Vector3) -> Callable[[], bool]:
    return lambda: math.dist(stand.poses[-1].head.position, position) < 1e-4


def eyes_apart_m(stand: Stand) -> float:
    """In the photo's metres."""
    left, right = stand.poses[-1].eyes
    return right.pose.position[0] - left.pose.position[0]


def move(monado: Monado, stand: Stand, client: Wearer, left: Hand, right: Hand) -> None:
    """The hands are there, and the client has seen it."""
    monado.move(STANDING, left, right)
    count = len(stand.poses) + 4
    client.until(lambda: len(stand.poses) > count, "poses after hands moved")


PROFILES = (
    "khr/simple_controller",
    "oculus/touch_controller",
    "valve/index_controller",
    "microsoft/motion_controller",
    "ext/hand_interaction_ext",
)
SAYS_WHAT_IS_BOUND = """
import xr
suggest = xr.suggest_interaction_profile_bindings

def told(instance, suggested):
    suggest(instance, suggested)
    print("bound", xr.path_to_string(instance, suggested.interaction_profile), flush=True)

xr.suggest_interaction_profile_bindings = told
"""


def test_hands_carry_scale_recentre_and_turn_the_gallery(
    null_monado: Monado, stand: Stand, wear: Wear
) -> None:
    client = wear(null_monado, code=SAYS_WHAT_IS_BOUND)
    client.until(lambda: len(stand.reports) > 2, "frames")
    for profile in PROFILES:
        assert f"bound /interaction_profiles/{profile}\n" in client.said()

    move(null_monado, stand, client, hand(-0.2, squeeze=1.0), hand(0.2))
    move(null_monado, stand, client, hand(-0.1, 1.35, squeeze=1.0), hand(0.2))
    # The photo went right and up, so the head is left of and below its camera.
    client.until(head_is(stand, (-0.1, -0.05, 0.0)), "the photo in the left hand")

    move(null_monado, stand, client, hand(-0.1, squeeze=0.0), hand(0.2, b=True))
    client.until(head_is(stand, (0.0, 0.0, 0.0)), "the photo around the head again")

    move(null_monado, stand, client, hand(-0.2), hand(0.2))
    move(null_monado, stand, client, hand(-0.2, squeeze=1.0), hand(0.2, squeeze=1.0))
    move(null_monado, stand, client, hand(-0.4, squeeze=1.0), hand(0.4, squeeze=1.0))
    move(null_monado, stand, client, hand(-0.4), hand(0.4))
    # Twice as large around a point 0.3 m below and 0.5 m before the head: half of that is left.
    client.until(head_is(stand, (0.0, -0.15, -0.25)), "a photo of twice the size")
    # In a large world eyes are near each other.
    assert eyes_apart_m(stand) == pytest.approx(0.0315, abs=1e-5)

    move(null_monado, stand, client, hand(-0.4, press=True), hand(0.4))
    client.until(lambda: eyes_apart_m(stand) > 0.0629, "a metre that is a metre")

    chosen = len(stand.selected)
    move(null_monado, stand, client, hand(-0.4), hand(0.4, thumbstick=(1.0, 0.0)))
    move(null_monado, stand, client, hand(-0.4), hand(0.4))
    client.until(lambda: len(stand.selected) > chosen, "the next scene")
    assert stand.selected[chosen:] == ["id-kitchen"]
    assert client.leave()[0] == 0
    assert "Traceback" not in client.said()
