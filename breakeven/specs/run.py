"""What a run is: everything that can change its weights, and nothing that can't; its canonical form and its id.

A hyperparameter is declared here and nowhere else: the config's ``base`` and ``sweeps``, what they are checked for and their JSON
schema are made from the fields of `RunSpec`. What this module says of a run is in the run's id, so the module is in no digest of
code, and may hold nothing that changes a number.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal, get_args

from annotated_types import Ge, Gt, Le, Lt, MinLen

from breakeven.specs.checked import by_kind, check_fields, default_of
from breakeven.specs.multipliers import Multiplier
from breakeven.specs.source import File
from breakeven.store.errors import UserError

# a text in Annotated describes the field, in the JSON schema of the config


@dataclass(frozen=True)
class Segment:
    """One segment of the snapshots: one each ``every`` steps (or epochs), up to and including ``until``."""

    every: Annotated[int, Ge(1), "A snapshot each so many steps or epochs, counted from where the segment starts."]
    until: Annotated[
        Annotated[int, Ge(1)] | None,
        "Last step or epoch of the segment, counted from the run's start; null, in the last segment only, means the run's end.",
    ] = None
    unit: Annotated[Literal["step", "epoch"], "What is counted."] = "step"


@dataclass(frozen=True)
class Switch:
    """A switch of the learning rate: it is ``learning_rate``, times what multiplies it, from step (or epoch) ``at`` on.

    In the unit ``break_even``, ``at`` counts break-even points: 0.5 is half of the way there, 1 is at it, 2 is as far again.
    ``of``: of the run that begins at this learning rate instead, so that runs with several first rates switch at one step.
    """

    at: Annotated[
        int | float,
        Gt(0),
        Le(1_000_000_000),
        "Step or epoch from which on the new learning rate holds, an integer; or how many times as far as the break-even point "
        "it is.",
    ]
    learning_rate: Annotated[float, Gt(0), "The new learning rate."]
    unit: Annotated[
        Literal["step", "epoch", "break_even"],
        "What is counted; break_even counts in the break-even point of the same run without this and all later entries of the "
        "schedule, which is trained and measured first.",
    ] = "step"
    of: Annotated[
        Annotated[float, Gt(0)] | None,
        "In the unit break_even: the learning rate at which the run begins whose break-even point is counted in; null means that "
        "at which this run begins.",
    ] = None


# what a schedule is a list of: `by_kind` tells them apart, and a switch has no ``kind``
Entry = Switch | Multiplier


@dataclass(frozen=True)
class RunSpec:
    """The specification of a run.

    A default here is neutral: a run with that value is the run without that key. So a hyperparameter that is added
    later, with a default that means "as before", changes no id; **a default must never be changed**.

    ``dataset`` is the canonical specification of the data set (`breakeven.specs.dataset`), where a config has its name.
    ``initial_weights`` is the digest of the file's content (`breakeven.specs.initial_weights`), where a config has its path.
    ``network_options`` and ``optimizer_options`` hold only those that differ from the function's own defaults
    (`breakeven.config.options`).
    """

    dataset: Annotated[Mapping[str, Any], "One of the names under datasets."]
    network: Annotated[
        str,
        "One of the networks in breakeven/networks, or FILE.py:function, a builder function in a file of your own.",
    ]
    network_options: Annotated[
        Mapping[str, Any],
        "Options of the network; which there are, their types and defaults stand in the network's own function.",
    ]
    learning_rate: Annotated[float, Gt(0), "Learning rate, from the first step until the schedule switches it."]
    batch_size: Annotated[int, Ge(1), "Examples in a mini-batch."]
    snapshots: Annotated[
        tuple[Segment, ...],
        MinLen(1),
        "When weights are saved to be measured, besides the first and the last step; segments, one after the other.",
    ]
    seed: Annotated[
        int, Ge(0), Le(4_294_967_295), "Seed of the initial weights, the order of the examples and the augmentation."
    ]
    steps: Annotated[
        Annotated[int, Ge(1), Le(1_000_000_000)] | None,
        "Length of the run in steps. Give either this or epochs.",
    ] = None
    epochs: Annotated[
        Annotated[int, Ge(1), Le(1_000_000)] | None, "Length of the run in epochs. Give either this or steps."
    ] = None
    optimizer: Annotated[
        str,
        "One of the optimizers in breakeven/training/optimizers (sgd, adam, adamw, rmsprop), or FILE.py:function, in a file of "
        "your own.",
    ] = "sgd"
    optimizer_options: Annotated[
        Mapping[str, Any],
        "Options of the optimizer; which there are, their types and defaults stand in its function. adam and adamw have beta1, "
        "beta2, eps; rmsprop has alpha, eps.",
    ] = field(default_factory=dict)
    momentum: Annotated[float, Ge(0), Lt(1), "Momentum of SGD, or of RMSprop."] = 0.0
    weight_decay: Annotated[
        float,
        Ge(0),
        "Weight decay: an L2 penalty, of which the gradient is added to the loss's; of adamw the decay of the weights "
        "themselves, by the learning rate times this at each step (0 here, where PyTorch's default is 0.01).",
    ] = 0.0
    nesterov: Annotated[bool, "Whether the momentum of SGD is Nesterov's, in PyTorch's form."] = False
    schedule: Annotated[
        tuple[Entry, ...],
        "How the learning rate changes: switches, in order, and what multiplies it, told by 'kind': warm_up, cosine, linear, "
        "step_decay; all of them hold at once. None means a constant learning rate.",
    ] = ()
    initial_weights: Annotated[
        File | None,
        "File of safetensors with the weights that training begins from: each parameter of the network by its name, and buffers "
        "such as running averages where it has them; or a snapshot of another run, of which the weights of its step are taken. "
        "null means random ones, from the seed. Its content is part of a run's identity, its path is not.",
    ] = None
    sampling: Annotated[
        Literal["reshuffle", "replacement"],
        "How mini-batches are drawn: reshuffle takes them one after the other from a fresh random order of the training set in "
        "each epoch; replacement draws each by itself, without repetition inside of it: independent mini-batches, as Eq. 1 "
        "assumes. An epoch has as many steps in both.",
    ] = "reshuffle"
    augmentation: Annotated[
        Literal["none", "crop_flip"],
        "crop_flip shifts and mirrors training images at random; measured images are never augmented.",
    ] = "none"
    precision: Annotated[
        Literal["float32", "float64", "tf32", "bfloat16"],
        "Precision of the forward and backward passes of training. tf32 rounds products on a CUDA device, bfloat16 is PyTorch's "
        "autocast; weights are float32 in both. Measurements have their own.",
    ] = "float32"
    label_smoothing: Annotated[
        float,
        Ge(0),
        Lt(1),
        "Share of each label that is spread over all classes, in the training loss and so in the loss that is measured; the "
        "recorded losses are without.",
    ] = 0.0
    stop_at_accuracy: Annotated[
        Annotated[float, Gt(0), Le(1)] | None,
        "Training ends with a snapshot where the training accuracy, evaluated at each epoch and snapshot, is at least this; null "
        "means that it goes on to the end.",
    ] = None


# What a config may leave out although it has no neutral value: it always stands in the canonical form.
UNLESS_SAID: Mapping[str, Any] = {"network_options": {}, "snapshots": (Segment(10, 100), Segment(50))}


def canonical_json(spec: RunSpec) -> str:
    """The canonical form of ``spec``: sorted keys, no spaces, neutral values left out; equal runs have equal text."""
    return json.dumps(_without_neutral(spec), sort_keys=True, separators=(",", ":"), allow_nan=False)


def run_id(spec: RunSpec) -> str:
    """A readable name that is safe as a folder's, and ten digits of the canonical form's SHA-256."""
    slug = f"{spec.dataset['loader']}-{spec.network}-lr{spec.learning_rate:g}-bs{spec.batch_size}-seed{spec.seed}"
    digest = hashlib.sha256(canonical_json(spec).encode()).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', slug)[:80]}-{digest[:10]}"


def begins_as(spec: RunSpec) -> str:
    """`canonical_json` without length, schedule and snapshots: equal for runs of which one may be the beginning of the other."""
    return canonical_json(replace(spec, steps=None, epochs=None, schedule=(), snapshots=()))


def from_json(text: str) -> RunSpec:
    """The run whose canonical form is ``text``; the inverse of `canonical_json`."""
    try:
        content = json.loads(text)
        content["snapshots"] = tuple(Segment(**segment) for segment in content["snapshots"])
        content["schedule"] = tuple(map(entry, content.get("schedule", ())))
        return RunSpec(**content)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"not the specification of a run ({error!r}): {text[:200]!r}") from None


def from_hand(text: str) -> RunSpec:
    """`from_json` of what someone may have written by hand: each value must be of its field's type, and in its bounds."""
    try:
        content = json.loads(text)
        check_fields(RunSpec, content, "spec")
        if not isinstance(content["dataset"].get("loader"), str):
            raise ValueError("spec.dataset needs 'loader'")
    except (ValueError, RecursionError) as error:
        raise UserError(f"not the specification of a run ({error}): {text[:200]!r}") from None
    return from_json(text)


def entry(content: Mapping[str, Any]) -> Entry:
    """The entry of a schedule whose fields are ``content``; a KeyError or TypeError where there is none."""
    made: Entry = by_kind(get_args(Entry))[content.get("kind")](**content)
    return made


def source_of(spec: RunSpec) -> RunSpec | None:
    """The run whose break-even point ``spec`` counts in; None if it counts in none.

    It is the same, but for this and all later entries of the schedule, and for the learning rate that it begins at where the
    entry says ``of``.
    """
    for index, each in enumerate(spec.schedule):
        if each.unit == "break_even":
            begins_at = spec.learning_rate if each.of is None else each.of
            return replace(spec, learning_rate=begins_at, schedule=spec.schedule[:index])
    return None


def _without_neutral(record: Any) -> dict[str, Any]:
    """The fields of a dataclass that differ from their defaults, and ``kind``; float fields are floats, even if given as 1."""
    content = {}
    for each in fields(record):
        value = getattr(record, each.name)
        if value == default_of(each) and each.name != "kind":
            continue
        if isinstance(value, tuple):
            value = [_without_neutral(item) for item in value]
        content[each.name] = float(value) if _takes_floats(each.type) else value
    return content


def _takes_floats(annotated: Any) -> bool:
    """Of the type of a field: float, or also None."""
    declared = get_args(annotated)[0]
    return declared is float or any(get_args(each)[:1] == (float,) for each in get_args(declared))
