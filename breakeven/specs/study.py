"""What a study is, from the plan to the report: one frozen record, of which each stage is given the part that it depends on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from breakeven.specs.checked import check_fields
from breakeven.store.errors import UserError

ALWAYS = ("learning_rate", "batch_size", "seed")  # the labels that each run has


@dataclass(frozen=True)
class Study:
    """A study.

    ``swept``: the hyperparameters that it sweeps, sorted. ``points``: for each of its runs, by id, the labels that tables and
    figures call it by: ``learning_rate``, ``batch_size``, the other swept hyperparameters, ``seed``. ``accuracy_threshold``: a
    training accuracy, from 0 to 1, that figures mark. ``figures``: those that are drawn, in the order of the report.
    ``predictions``: whether one of them needs the predictions of its runs, so that there is a table of their distances.
    ``measurements``: the optional ones whose quantities stand in its tables.
    """

    name: str = ""
    description: str = ""
    swept: tuple[str, ...] = ()
    accuracy_threshold: float = 0.6
    figures: tuple[str, ...] = ()
    points: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    predictions: bool = False
    measurements: tuple[str, ...] = ()

    @property
    def compared(self) -> tuple[str, ...]:
        """The hyperparameters that tell its curves apart: a schedule is told with the learning rate that it begins at."""
        return tuple(name for name in self.swept if not (name == "learning_rate" and "schedule" in self.swept))

    @property
    def runs(self) -> tuple[str, ...]:
        """The ids of its runs."""
        return tuple(self.points)


def part_of(study: Study, *names: str) -> dict[str, Any]:
    """The part of ``study`` that a stage depends on, as plain data for JSON."""
    return {name: getattr(study, name) for name in names}


def from_part(part: Mapping[str, Any]) -> Study:
    """The study that `part_of` describes; what it leaves out has its default, and must not be needed."""
    try:
        check_fields(Study, part, "study")
    except ValueError as error:
        raise UserError(str(error)) from None
    for run, labels in part.get("points", {}).items():
        missing = [name for name in ALWAYS if name not in labels]
        if missing:
            raise UserError(f"study.points.{run} needs '{missing[0]}'")
    lists = {name: tuple(value) for name, value in part.items() if isinstance(value, list)}
    points = {run: in_order(labels) for run, labels in part.get("points", {}).items()}
    return Study(**(dict(part) | lists | {"points": points}))


def in_order(labels: Mapping[str, Any]) -> dict[str, Any]:
    """The labels of a run in the order of the tables, which JSON does not keep."""
    others = sorted(labels.keys() - set(ALWAYS))
    return {name: labels[name] for name in ("learning_rate", "batch_size", *others, "seed") if name in labels}


def from_json(text: str) -> Study:
    """`from_part` of JSON."""
    try:
        part = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"not the JSON of a study ({error}): {text[:200]!r}") from None
    return from_part(part)
