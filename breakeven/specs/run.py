"""What a run is: everything that can change its weights, and nothing that can't; its canonical form and its id.

The training stage depends on the source of this module, so it holds what training needs and no more.
"""

import hashlib
import json
import re
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, ClassVar

from breakeven.store.errors import UserError


@dataclass(frozen=True)
class Segment:
    """One segment of the snapshots: one each ``every`` steps (or epochs), up to and including ``until``."""

    every: int
    until: int | None = None
    unit: str = "step"


@dataclass(frozen=True)
class Switch:
    """A switch of the learning rate: it is ``learning_rate`` from step (or epoch) ``at`` on.

    In the unit ``break_even``, ``at`` counts break-even points: 0.5 is half of the way there, 1 is at it, 2 is as far again.
    """

    at: int | float
    learning_rate: float
    unit: str = "step"


@dataclass(frozen=True)
class RunSpec:
    """The specification of a run.

    A default here is neutral: a run with that value is the run without that key. So a hyperparameter that is added
    later, with a default that means "as before", changes no id; **a default must never be changed**.

    ``dataset`` is the canonical specification of the data set (`breakeven.specs.dataset`), ``network_options``
    holds only those that differ from the network's own defaults (`breakeven.config.options`).
    """

    # of `breakeven.training.registry`; not fields, since there is one of each
    optimizer: ClassVar[str] = "sgd"
    schedule_kind: ClassVar[str] = "switches"

    dataset: dict[str, Any]
    network: str
    network_options: dict[str, Any]
    learning_rate: float
    batch_size: int
    snapshots: tuple[Segment, ...]
    seed: int
    steps: int | None = None
    epochs: int | None = None
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: tuple[Switch, ...] = ()
    augmentation: str = "none"
    precision: str = "float32"
    label_smoothing: float = 0.0
    stop_at_accuracy: float | None = None


def canonical_json(spec: RunSpec) -> str:
    """The canonical form of ``spec``: sorted keys, no spaces, neutral values left out; equal runs have equal text."""
    return json.dumps(_without_neutral(spec), sort_keys=True, separators=(",", ":"), allow_nan=False)


def run_id(spec: RunSpec) -> str:
    """A readable name that is safe as a folder's, and ten digits of the canonical form's SHA-256."""
    slug = f"{spec.dataset['loader']}-{spec.network}-lr{spec.learning_rate:g}-bs{spec.batch_size}-seed{spec.seed}"
    digest = hashlib.sha256(canonical_json(spec).encode()).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', slug)[:80]}-{digest[:10]}"


def from_json(text: str) -> RunSpec:
    """The run whose canonical form is ``text``; the inverse of `canonical_json`."""
    try:
        content = json.loads(text)
        content["snapshots"] = tuple(Segment(**segment) for segment in content["snapshots"])
        content["schedule"] = tuple(Switch(**switch) for switch in content.get("schedule", ()))
        return RunSpec(**content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"not the specification of a run ({error!r}): {text[:200]!r}") from None


def source_of(spec: RunSpec) -> RunSpec | None:
    """The run whose break-even point ``spec`` counts in: the same, but for this and all later switches; None if none is."""
    for index, switch in enumerate(spec.schedule):
        if switch.unit == "break_even":
            return replace(spec, schedule=spec.schedule[:index])
    return None


def _without_neutral(record: Any) -> dict[str, Any]:
    """The fields of a dataclass that differ from their defaults; float fields are floats, even if given as 1."""
    content = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if field.default is not MISSING and value == field.default:
            continue
        if isinstance(value, tuple):
            value = [_without_neutral(item) for item in value]
        content[field.name] = float(value) if field.type is float else value
    return content
