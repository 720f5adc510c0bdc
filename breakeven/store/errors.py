"""Mistakes that a user can make: told in one clear sentence each, never as a traceback."""


class UserError(Exception):
    """A mistake in the user's input; ``str(error)`` is what the user reads. The command ends with exit code 1."""


class ConfigError(UserError):
    """All mistakes found in a config, one line each."""

    def __init__(self, lines: list[str]):
        super().__init__("\n".join(lines))
        self.lines = lines


class MeasurementError(UserError):
    """A measurement that contradicts its own check; its numbers would be wrong, so none are written."""
