"""A mistake in a run's hyperparameters."""

from dataclasses import dataclass

from breakeven.config.yaml_file import Place


@dataclass(frozen=True)
class Finding:
    """A mistake in one hyperparameter; ``because_of`` names the others that make it one."""

    hyperparameter: str
    message: str
    because_of: tuple[str, ...] = ()
    place: Place = ()
