"""A schedule in words, as figures and claims have it; apart from what trainings depend on."""

from collections.abc import Iterable, Mapping
from typing import Any


def in_words(learning_rate: float, schedule: Iterable[Mapping[str, Any]]) -> str:
    """A schedule in figures and claims, with the learning rate that it begins at: ``0.03, 0.1 from 0.5 x break-even``.

    Or ``0.01, 0.1 from 0.5 x break-even of 0.03``, where it counts in the break-even point of another learning rate; with what
    multiplies it: ``0.1, warm-up from 0 to epoch 2, cosine to 0``. Different schedules have different words.
    """
    return ", ".join([f"{learning_rate:g}", *map(_entry, schedule)])


def _entry(entry: Mapping[str, Any]) -> str:
    match entry.get("kind"):
        case None:
            return f"{entry['learning_rate']:g} from {_moment(entry, 'at')}"
        case "warm_up":
            return f"warm-up from {entry.get('initial', 0):g} to {_moment(entry, 'until')}"
        case "step_decay":
            return f"x {entry['factor']:g} each {_moment(entry, 'every')}"
        case kind:
            begins = f" from {_moment(entry, 'at')}" if entry.get("at") else ""
            ends = f" until {_moment(entry, 'until')}" if entry.get("until") else ""
            return f"{kind} to {entry.get('final', 0):g}{begins}{ends}"


def _moment(entry: Mapping[str, Any], name: str) -> str:
    """What an entry counts to: ``epoch 2``, ``0.5 x break-even``; or each so many: ``epoch``, ``2 epochs``."""
    count, unit, other = entry[name], entry.get("unit", "step"), entry.get("of")
    if unit == "break_even":
        return f"{count:g} x break-even" + ("" if other is None else f" of {other:g}")
    if name == "every":
        return unit if count == 1 else f"{count:g} {unit}s"
    return f"{unit} {count:g}"
