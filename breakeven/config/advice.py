"""What to write instead, where a mistake is one that people make who know other tools."""

import re
from collections.abc import Collection, Sequence
from typing import Any

# what people write, and how it is called here: the first that is known at that place
OTHER_WORDS = {
    "lr": ("learning_rate",),
    "eta": ("learning_rate",),
    "bs": ("batch_size",),
    "wd": ("weight_decay",),
    "beta_1": ("beta1",),
    "beta_2": ("beta2",),
    "epsilon": ("eps",),
    "opt": ("optimizer",),
    "optim": ("optimizer",),
    "l2": ("weight_decay",),
    "step": ("steps", "at", "step_decay"),
    "epoch": ("epochs", "at"),
    "gamma": ("factor",),
    "step_size": ("every",),
    "start_factor": ("initial",),
    "warmup": ("warm_up",),
    "cosine_annealing": ("cosine",),
    "iters": ("steps",),
    "iterations": ("steps",),
    "model": ("network",),
    "arch": ("network",),
    "architecture": ("network",),
    "net": ("network",),
    "model_options": ("network_options",),
    "experiments": ("studies",),
    "grid": ("sweeps",),
    "output": ("results",),
    "train_size": ("train_examples",),
    "test_size": ("test_examples", "test_fraction"),
    "k": ("eigenvalues",),
    "top": ("eigenvalues",),
    "gpu": ("cuda",),
    "bf16": ("bfloat16",),
    "fp16": ("bfloat16",),
    "float16": ("bfloat16",),
    "half": ("bfloat16",),
    "fp32": ("float32",),
    "single": ("float32",),
    "fp64": ("float64",),
    "double": ("float64",),
    "mnist": ("fashion_mnist",),
}

AT_THE_TOP = "it stands at the top of the config, beside 'studies'"
OF_OPTIMIZER = "options of an optimizer stand in 'optimizer_options'"
IN_OPTIONS = "options of a network stand in 'network_options'"
HOW_IT_CHANGES = "how the learning rate changes, as in [{at: 1000, learning_rate: 0.01}] or [{kind: cosine}]"
BY_SCHEDULE = f"'schedule' lists {HOW_IT_CHANGES}"
# an unknown key beside a key that is known there, and what there is instead
INSTEAD = {
    ("seed", "learning_rate"): "seeds are listed in the study's 'seeds', beside 'base' and 'sweeps'",
    ("seeds", "learning_rate"): "seeds are listed in the study's 'seeds', beside 'base' and 'sweeps'",
    ("loss", "learning_rate"): "the data decide: the cross-entropy for classes, the squared loss for numbers",
    **{
        (name, "learning_rate"): BY_SCHEDULE
        for name in ("scheduler", "lr_schedule", "lr_scheduler", "warmup", "warm_up", "cosine", "step_decay")
    },
    **{(name, "learning_rate"): AT_THE_TOP for name in ("device", "threads", "results")},
    **{
        (name, "network_options"): IN_OPTIONS
        for name in ("activation", "channels", "dense", "depth", "dropout", "hidden", "layers", "width")
    },
    **{(name, "optimizer_options"): OF_OPTIMIZER for name in ("alpha", "beta1", "beta2", "betas", "eps")},
    ("figures", "studies"): "figures are listed in a study, beside 'base'",
    ("seeds", "studies"): "seeds are listed in a study, beside 'base'",
}
# a value of the wrong form, by its key
FORMS = {
    "schedule": f"list {HOW_IT_CHANGES}",
    "snapshots": "list how often they are taken, as in [{every: 10}]",
    "seeds": "list them, as in [0, 1, 2]",
    "figures": "list them, as in [default]",
    "batch_size": "it counts examples",
}


def other_words(name: Any, known: Collection[str]) -> str | None:
    """What ``name`` is called here, by the ``known`` names."""
    return next((each for each in OTHER_WORDS.get(str(name).lower(), ()) if each in known), None)


def instead(name: Any, known: Collection[str]) -> str | None:
    """What there is instead of the unknown key ``name``."""
    return next((words for (key, beside), words in INSTEAD.items() if key == name and beside in known), None)


def form(place: Sequence[str | int], value: Any, types: Collection[str]) -> str | None:
    """How the ``value`` that stands at ``place`` in the config is to be written, which is none of these ``types`` of JSON."""
    key = next((part for part in reversed(place) if isinstance(part, str)), "")
    if isinstance(value, list) and tuple(place[2:3]) == ("base",) and place[-1] == key:
        return "several values stand in the study's 'sweeps'"
    if key in FORMS and (place[-1] == key or "object" in types):
        return FORMS[key]
    if set(types) == {"array"} and isinstance(value, str | int | float) and re.fullmatch(r"[\w.-]{1,60}", str(value)):
        return f"write [{value}]"
    if "number" in types and isinstance(value, str) and re.fullmatch(r"\d+,\d+", value):
        return f"write {value.replace(',', '.')}"
    return None
