"""The hands' inputs, by OpenXR's actions: which button is what on which controller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import xr

from sharp_xr_client.hands import Hand
from sharp_xr_client.openxr.conversion import pose_from
from sharp_xr_client.openxr.runtime import HAND_INTERACTION
from sharp_xr_client.openxr.session import Session
from sharp_xr_protocol.geometry import Pose

SIDES = ("left", "right")

Kinds = dict[str, str]
"""Action to the input of each hand, below ``/user/hand/left`` or ``right``."""

PROFILES: dict[str, Kinds] = {
    "khr/simple_controller": {"squeeze": "select/click", "menu": "menu/click"},
    "oculus/touch_controller": {
        "squeeze": "squeeze/value",
        "stick": "thumbstick/x",
        "press": "thumbstick/click",
        "left menu": "menu/click",
        "right menu": "b/click",
    },
    "valve/index_controller": {
        "squeeze": "squeeze/value",
        "stick": "thumbstick/x",
        "press": "thumbstick/click",
        "menu": "b/click",
    },
    "microsoft/motion_controller": {
        "squeeze": "squeeze/click",
        "stick": "thumbstick/x",
        "press": "thumbstick/click",
        "menu": "menu/click",
    },
    "ext/hand_interaction_ext": {"squeeze": "grasp_ext/value"},
}
"""Interaction profile to its inputs; each has its grip's pose besides. The right controller of
Oculus has no menu button that is ours."""

TYPES = {
    "grip": xr.ActionType.POSE_INPUT,
    "squeeze": xr.ActionType.FLOAT_INPUT,
    "stick": xr.ActionType.FLOAT_INPUT,
    "press": xr.ActionType.BOOLEAN_INPUT,
    "menu": xr.ActionType.BOOLEAN_INPUT,
}
NAMES = {
    "grip": "Hand",
    "squeeze": "Take hold of the photo",
    "stick": "Other scene",
    "press": "True scale",
    "menu": "Recentre",
}
"""For a person who binds them anew."""


@dataclass(frozen=True)
class Binding:
    """One input of one hand."""

    action: str
    path: str


def bindings(kinds: Kinds) -> Iterator[Binding]:
    """All of a profile."""
    for side in SIDES:
        yield Binding("grip", f"/user/hand/{side}/input/grip/pose")
    for action, component in kinds.items():
        *sides, name = action.split()
        for side in sides or SIDES:
            yield Binding(name, f"/user/hand/{side}/input/{component}")


class Actions:
    """Attached to one session for its life."""

    def __init__(self, session: Session) -> None:
        self._session = session
        instance = session.runtime.instance
        self._hands = [xr.string_to_path(instance, f"/user/hand/{side}") for side in SIDES]
        self._set = xr.create_action_set(instance, xr.ActionSetCreateInfo("photo", "Photo", 0))
        self._actions = {name: self._action(name) for name in TYPES}
        self._suggest_all(session.runtime.extensions)
        xr.attach_session_action_sets(
            session.handle, xr.SessionActionSetsAttachInfo(action_sets=[self._set])
        )
        self._grips = [
            xr.create_action_space(
                session.handle,
                xr.ActionSpaceCreateInfo(action=self._actions["grip"], subaction_path=hand),
            )
            for hand in self._hands
        ]

    def read(self, time_ns: int) -> tuple[Hand, Hand]:
        """Both hands at a display time; out of sight while the session is not FOCUSED."""
        active = xr.ActionsSyncInfo(
            active_action_sets=[xr.ActiveActionSet(self._set, xr.NULL_PATH)]
        )
        try:
            xr.sync_actions(self._session.handle, active)
        except xr.exception.SessionNotFocused:
            # The focus went since the last event; pyopenxr raises what OpenXR calls a success.
            return Hand(), Hand()
        left, right = (self._hand(side, time_ns) for side in range(2))
        return left, right

    def _hand(self, side: int, time_ns: int) -> Hand:
        return Hand(
            self._grip(side, time_ns),
            squeeze=self._float("squeeze", side),
            stick=self._float("stick", side),
            press=self._bool("press", side),
            menu=self._bool("menu", side),
        )

    def _grip(self, side: int, time_ns: int) -> Pose | None:
        found = xr.locate_space(self._grips[side], self._session.room, time_ns)
        flags = xr.SpaceLocationFlags
        known = flags.ORIENTATION_VALID_BIT.value | flags.POSITION_VALID_BIT.value
        return pose_from(found.pose) if found.location_flags & known == known else None

    def _float(self, name: str, side: int) -> float:
        state = xr.get_action_state_float(self._session.handle, self._get(name, side))
        return float(state.current_state) if state.is_active else 0.0

    def _bool(self, name: str, side: int) -> bool:
        state = xr.get_action_state_boolean(self._session.handle, self._get(name, side))
        return bool(state.current_state) if state.is_active else False

    def _get(self, name: str, side: int) -> xr.ActionStateGetInfo:
        return xr.ActionStateGetInfo(self._actions[name], self._hands[side])

    def _action(self, name: str) -> xr.Action:
        return xr.create_action(
            self._set,
            xr.ActionCreateInfo(
                action_type=TYPES[name],
                action_name=name,
                localized_action_name=NAMES[name],
                count_subaction_paths=len(self._hands),
                subaction_paths=self._hands,
            ),
        )

    def _suggest_all(self, extensions: Sequence[str]) -> None:
        for profile, kinds in PROFILES.items():
            if profile.startswith("ext/") and HAND_INTERACTION not in extensions:
                continue
            try:
                self._suggest(profile, kinds)
            except xr.exception.PathUnsupportedError:
                continue  # a runtime that knows fewer controllers than it must

    def _suggest(self, profile: str, kinds: Kinds) -> None:
        instance = self._session.runtime.instance
        suggested = [
            xr.ActionSuggestedBinding(
                self._actions[binding.action], xr.string_to_path(instance, binding.path)
            )
            for binding in bindings(kinds)
        ]
        xr.suggest_interaction_profile_bindings(
            instance,
            xr.InteractionProfileSuggestedBinding(
                interaction_profile=xr.string_to_path(instance, f"/interaction_profiles/{profile}"),
                suggested_bindings=suggested,
            ),
        )
