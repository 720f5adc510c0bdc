"""Stage ``check``: what a config would run, in words, and what is doubtful about it on this machine."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from breakeven.config.messages import show
from breakeven.config.models import StudyConfig
from breakeven.config.plan import Plan, load_plan, plain
from breakeven.config.results import Results
from breakeven.data.registry import loader_source
from breakeven.networks.registry import network_source
from breakeven.specs.dataset import dataset_id
from breakeven.specs.hub import PRETRAINED
from breakeven.specs.own_code import is_own
from breakeven.specs.run import RunSpec
from breakeven.specs.schedule import snapshot_steps
from breakeven.specs.source import Source
from breakeven.training.registry import optimizer_source

SEEDS_FOR_A_VERDICT = 6  # a two-sided sign test at 5 % takes as many (`breakeven.claims.hypothesis_tests.fewest_seeds`)
SEEDS_FOR_A_SPREAD = 3
GPUS = ("nvidiactl", "kfd", "dxg")  # what the drivers of NVIDIA, of AMD, and of Windows' Linux make beside /dev/null


def check(config: Path = Path("config.yaml")) -> str:
    """What the config in this file would run, in words; what would fail here, or tell little, as warnings."""
    plan = load_plan(config)
    warnings = [f"warning: {words}" for words in (*_missing(plan), *_device(plan), *_seeds(plan))]
    return "\n".join([*describe(plan), f"{_size(plan)}; time, disk, memory: breakeven estimate {config}", *warnings])


def describe(plan: Plan) -> Iterator[str]:
    """What a config asks for: a line of totals, then one for each study, and for each data set that ids don't name."""
    counts = (_count(len(plan.studies), "study", "studies"), _count(len(plan.runs), "run"))
    yield ", ".join((*counts, _count(len(plan.datasets), "data set")))
    for name, study in plan.studies.items():
        settings = plan.config.studies[name]
        swept = [f"{key} {_listed(_values(key, settings))}" for key in study.swept] or ["nothing swept"]
        seeds = f"{'seed' if len(settings.seeds) == 1 else 'seeds'} {_seeds_listed(settings.seeds)}"
        yield f"{name}: {'; '.join([*swept, seeds])} ({_count(len(study.runs), 'run')})"
    for dataset in plan.datasets:
        if called := plan.data_set_of(dataset):
            yield f"data set {called} is {dataset} in the results; runs are called by its loader, too"


def _size(plan: Plan) -> str:
    """The jobs and, where the sizes of the data sets are known, the snapshots."""
    jobs = _count(len(Results(plan, lambda path: "").planned()), "job")
    snapshots = _snapshots(plan)
    return jobs if snapshots is None else f"{jobs}, {_count(snapshots, 'snapshot')} of weights"


def _snapshots(plan: Plan) -> int | None:
    """How many snapshots all runs take; None where the files alone know how long an epoch is."""
    sizes = {key: plan.config.datasets[use.name].training_examples for key, use in plan.datasets.items()}
    alike: Counter[tuple[Any, ...]] = Counter()
    first: dict[tuple[Any, ...], RunSpec] = {}
    for spec in plan.runs.values():
        key = (spec.snapshots, spec.steps, spec.epochs, spec.batch_size, dataset_id(spec.dataset))
        alike[key] += 1
        first.setdefault(key, spec)
    total = 0
    for key, count in alike.items():
        examples = sizes[key[-1]]
        if examples is None:
            return None
        total += count * len(snapshot_steps(first[key], max(1, examples // first[key].batch_size)))
    return total


# ------------------------------------------------------------------ warnings


def _missing(plan: Plan) -> Iterator[str]:
    """The files and folders that runs read and that are not there."""
    read = []
    for use in plan.datasets.values():
        loader = use.spec["loader"]
        given = use.spec.get("options", {}) if is_own(loader) else use.spec
        read += [(f"data set {show(use.name)}", path) for path in _files(loader, loader_source(loader), given)]
    for run in plan.runs.values():
        files = _files(run.network, network_source(run.network), run.network_options)
        read += [(f"network {show(run.network)}", path) for path in files]
        files = optimizer_source(run.optimizer).files(run.optimizer_options)
        read += [(f"optimizer {show(run.optimizer)}", path) for path in files]
    for reader, path in dict.fromkeys(read):
        if not path.exists():
            yield f"{reader} reads '{path}', which is not there"


def _files(name: str, source: Source, given: Mapping[str, Any]) -> list[Path]:
    """What is read from the disk; a name on the hub may stand in the place of a folder."""
    option = PRETRAINED.get(name)
    named = None if option is None else given.get(option, source.options[option].default)
    return [path for path in source.files(given) if str(path) != named]


def _device(plan: Plan) -> Iterator[str]:
    if plan.config.device == "cuda" and not any(Path(os.devnull).with_name(name).exists() for name in GPUS):
        yield "device: cuda needs a GPU, and this machine has none: jobs that run here would fail"


def _seeds(plan: Plan) -> Iterator[str]:
    counts = {name: len(study.seeds) for name, study in plan.config.studies.items()}
    too_few = [name for name, count in counts.items() if count < SEEDS_FOR_A_SPREAD]
    few = [name for name, count in counts.items() if SEEDS_FOR_A_SPREAD <= count < SEEDS_FOR_A_VERDICT]
    if too_few:
        verdict = f"nor give a verdict on a claim, which takes {SEEDS_FOR_A_VERDICT}"
        yield f"fewer than {SEEDS_FOR_A_SPREAD} seeds don't show how much is chance, {verdict}: {', '.join(too_few)}"
    if few:
        yield f"too few seeds for a verdict on a claim, which takes {SEEDS_FOR_A_VERDICT}: {', '.join(few)}"


# ------------------------------------------------------------------ words


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def _values(key: str, study: StudyConfig) -> list[Any]:
    """The values that a swept hyperparameter takes in a study, each once, in the order of the config."""
    base = (getattr(study.base, key),)
    values = [plain(value) for _, grid in study.grids for value in grid.get(key, base)]
    return [value for index, value in enumerate(values) if value not in values[:index]]


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(value if isinstance(value, str) else show(value) for value in values)


def _seeds_listed(seeds: Sequence[int]) -> str:
    """`0 to 7` where they are consecutive."""
    consecutive = list(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 2 and list(seeds) == consecutive else _listed(seeds)
