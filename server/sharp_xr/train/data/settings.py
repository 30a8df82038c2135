"""Numbers that a user gives, checked."""

from __future__ import annotations


class SettingError(Exception):
    """A number that makes no sense; one sentence for the user."""


def within(option: str, value: int, low: int, high: int) -> None:
    """Raises SettingError, which names the option, if the value is not from low to high."""
    if not low <= value <= high:
        raise SettingError(f"{option} is {value}, wanted {low} to {high}")
