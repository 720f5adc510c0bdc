"""A schedule in words, as figures and claims have it; apart from what trainings depend on."""

from collections.abc import Iterable, Mapping
from typing import Any


def in_words(learning_rate: float, schedule: Iterable[Mapping[str, Any]]) -> str:
    """A schedule in figures and claims, with the learning rate that it begins at: ``0.03, 0.1 from 0.5 x break-even``.

    Or ``0.01, 0.1 from 0.5 x break-even of 0.03``, where it counts in the break-even point of another learning rate.
    """
    words = [f"{learning_rate:g}"]
    for switch in schedule:
        unit = switch.get("unit", "step")
        at = f"{switch['at']:g} x break-even" if unit == "break_even" else f"{unit} {switch['at']:g}"
        other = switch.get("of")
        words.append(f"{switch['learning_rate']:g} from {at}" + ("" if other is None else f" of {other:g}"))
    return ", ".join(words)
