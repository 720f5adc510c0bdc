"""Mistakes that a user can make: told in one clear sentence each, never as a traceback."""

from collections.abc import Sequence

MOST_NAMES = 5  # in a sentence


class UserError(Exception):
    """A mistake in the user's input; ``str(error)`` is what the user reads. The command ends with exit code 1."""


class ConfigError(UserError):
    """All mistakes found in a config, one line each."""

    def __init__(self, lines: list[str]):
        super().__init__("\n".join(lines))
        self.lines = lines


class MeasurementError(UserError):
    """A measurement that contradicts its own check; its numbers would be wrong, so none are written."""


def some(names: Sequence[str]) -> str:
    """The first few of ``names``, and how many more there are."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
