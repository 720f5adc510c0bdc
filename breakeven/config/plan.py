"""Expand the studies of a config into runs: what the workflow plans its jobs from."""

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from breakeven.config.checks import check_dataset, check_measured, check_run
from breakeven.config.datasets import Dataset
from breakeven.config.finding import Finding
from breakeven.config.messages import not_known, show, show_path
from breakeven.config.models import Config, Hyperparameters, Machine, StudyConfig
from breakeven.config.options import canonical_options
from breakeven.config.schedule_checks import MOMENTS
from breakeven.config.validate import Invalid, Problem, validated
from breakeven.config.yaml_file import Place, YamlFile, read_yaml
from breakeven.figures.registry import (
    DEFAULT,
    FIGURES,
    NEEDS_EMBEDDING,
    NEEDS_MEASUREMENT,
    NEEDS_PRECONDITIONER,
    chosen,
)
from breakeven.networks.registry import NETWORKS, network_source
from breakeven.specs.dataset import dataset_id
from breakeven.specs.initial_weights import digest_at
from breakeven.specs.measurements import BY_NAME, is_asked_for, summarised
from breakeven.specs.multipliers import Multiplier
from breakeven.specs.run import Entry, RunSpec, Switch, canonical_json, run_id, source_of
from breakeven.specs.study import Study
from breakeven.specs.words import in_words
from breakeven.store.errors import ConfigError, UserError
from breakeven.training.registry import optimizer_source

MOST_RUNS = 20_000
LONGEST_SPEC = 100_000  # Linux takes arguments of a command up to 128 KiB
TOO_LONG = f"the specification of a run is longer than {LONGEST_SPEC} characters, too long for a command"


@dataclass(frozen=True)
class DatasetUse:
    """A data set that runs use: one of its names in the config, its canonical specification, where it lies."""

    name: str
    spec: Mapping[str, Any]
    location: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """Everything that a config asks for: runs and data sets by id, sorted; studies that share a run name the same id.

    ``runs`` holds those that others take their break-even points from, too, whether or not they are in a study.
    ``weights``: where the files of initial weights lie, by what stands for them in the specifications of runs.
    """

    config: Config
    runs: dict[str, RunSpec]
    studies: dict[str, Study]
    datasets: dict[str, DatasetUse]
    weights: dict[str, str]

    def data_set_of(self, name: str) -> str:
        """What the config calls the data set of a run, or one of this id, if ids don't say it: they name its loader."""
        dataset = dataset_id(self.runs[name].dataset) if name in self.runs else name
        use = self.datasets.get(dataset)
        return "" if use is None or use.name == use.spec["loader"] else use.name


@dataclass(frozen=True)
class Point:
    """A point of a study: the values that it takes instead of the base's, where in the config they stand, and the whole."""

    values: Mapping[str, Any]
    section: Place
    run: Hyperparameters


def load_plan(given: str | Path | YamlFile, overrides: Mapping[str, Any] | None = None) -> Plan:
    """Read, validate and expand a config, a file or what was read; ``overrides`` are top-level values from the command line.

    A ConfigError lists all mistakes of the first of these steps that finds one.
    """
    file, overrides = given if isinstance(given, YamlFile) else _file(given), dict(overrides or {})
    unknown = [name for name in overrides if name not in Machine.model_fields]
    if unknown:
        raise ConfigError([f"--config: {not_known(name, Machine.model_fields)}" for name in unknown])
    try:
        config = validated(Config, file.content | overrides)
    except Invalid as error:
        _refuse(error.problems, file, overrides)
        raise
    _refuse(_size_problems(config), file, overrides)
    points = {name: list(_points(study)) for name, study in config.studies.items()}
    problems = list(_config_problems(config, points))
    for name, study in config.studies.items():
        problems += _study_problems(name, study, points[name], config, overrides)
    _refuse(problems, file, overrides)

    runs: dict[str, RunSpec] = {}
    studies = {}
    digests = {path: digest_at(Path(path)) for path in _used("initial_weights", points)}
    measurements = summarised(config.measurements)
    for name, study in config.studies.items():
        studies[name], of_study = _expanded(name, study, points[name], config.datasets, digests, measurements, problems)
        runs |= of_study
    _refuse(problems, file, overrides)
    for spec in list(runs.values()):  # a source has none itself: all switches in break-even points are gone from it
        source = source_of(spec)
        if source is not None:
            runs[run_id(source)] = source
    weights = {digest: path for path, digest in reversed(digests.items())}  # of two that are equal, the first
    return Plan(config, dict(sorted(runs.items())), studies, _used_datasets(config, points), weights)


def _file(path: str | Path) -> YamlFile:
    if not str(path).isprintable():
        message = "the name of a config can't hold a line break or another character that can't be seen"
        raise ConfigError([f"{str(path)!r}: {message}"])
    return read_yaml(path)


def _refuse(problems: Iterable[Problem], file: YamlFile, overridden: Collection[str]) -> None:
    """Raise a ConfigError with all problems, in the order of the file, equal ones once, if there are any.

    ``overridden``: the keys whose values are not the file's.
    """
    lines = []
    for problem in sorted(problems, key=lambda problem: file.line(problem.place)):
        given = bool(problem.place) and problem.place[0] in overridden
        where = "--config" if given else file.where(problem.place)
        lines.append(f"{where}: {show_path(problem.place)}: {problem.message}")
    if lines:
        raise ConfigError(list(dict.fromkeys(lines)))


def plain(value: Any) -> Any:
    """``value`` as plain data: segments and entries of schedules as mappings, in the order in which people write them."""
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if isinstance(value, Switch):
        other = {} if value.of is None else {"of": value.of}
        return {"at": value.at, "unit": value.unit, **other, "learning_rate": value.learning_rate}
    if isinstance(value, Multiplier):
        return {name: said for name, said in asdict(value).items() if said is not None}
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def _points(study: StudyConfig) -> Iterator[Point]:
    """The points of all grids."""
    for section, grid in study.grids:
        for combination in itertools.product(*grid.values()):
            values = dict(zip(grid, combination, strict=True))
            yield Point(values, section, study.base.model_copy(update=values))


def _size_problems(config: Config) -> Iterator[Problem]:
    """Counted before they are made: a grid of three long lists is millions of runs."""
    total = 0
    for name, study in config.studies.items():
        points = sum(math.prod(map(len, grid.values())) for _, grid in study.grids)
        count = points * len(study.seeds)
        total += count
        if count > MOST_RUNS:
            yield Problem(
                ("studies", name), f"{count} runs are too many; at most {MOST_RUNS} in all studies of a config"
            )
            total -= count
    if total > MOST_RUNS:
        yield Problem(("studies",), f"{total} runs are too many; at most {MOST_RUNS} in all studies of a config")


def _config_problems(config: Config, points: Mapping[str, list[Point]]) -> Iterator[Problem]:
    """Mistakes of data sets, alone and with the measurements, and of the studies' names."""
    for name, dataset in config.datasets.items():
        yield from check_dataset(name, dataset)
    batch_size = config.measurements.covariance.batch_size
    for name in _used("dataset", points):
        if name in config.datasets:
            yield from check_measured(name, config.datasets[name], batch_size)
    for name in _used("network", points):
        if batch_size == 1 and name in NETWORKS and NETWORKS[name].batch_statistics:
            yield Problem(
                ("measurements", "covariance", "batch_size"),
                f"1 asks for the gradients of single examples, which network {show(name)} does not have: its batch "
                "normalization takes statistics of a mini-batch; make it at least 2",
            )
    folders: dict[str, str] = {}
    for name in config.studies:
        other = folders.setdefault(name.lower(), name)
        if other != name:
            message = (
                f"differs from {show(other)} only in upper and lower case, which some file systems don't tell apart"
            )
            yield Problem(("studies", name), message)


def _study_problems(
    name: str, study: StudyConfig, points: list[Point], config: Config, overridden: Collection[str]
) -> Iterator[Problem]:
    """Mistakes of the study's points, each with the swept values that it depends on."""
    for index, figure in enumerate(study.figures):
        if figure not in (DEFAULT, *FIGURES):
            yield Problem(("studies", name, "figures", index), not_known(figure, [DEFAULT, *FIGURES]))
        needed = BY_NAME.get(NEEDS_MEASUREMENT.get(figure, ""))
        if needed and not is_asked_for(needed, config.measurements):
            message = f"{show(figure)} would show nothing: it draws what measurements.{needed.asked_by} asks for, which is off"
            yield Problem(("studies", name, "figures", index), message)
        if figure in NEEDS_PRECONDITIONER and not any(map(_may_have_preconditioner, points)):
            of_these = ", ".join(sorted({show(point.run.optimizer) for point in points}))
            message = f"{show(figure)} would show nothing: no optimizer of the study ({of_these}) has a preconditioner"
            yield Problem(("studies", name, "figures", index), message)
    device = f"{'--config' if 'device' in overridden else 'the config'} says device: {config.device}"
    for point in points:
        for finding in check_run(point.run, config.datasets, config.device, device):
            section = point.section if finding.hyperparameter in point.values else ("base",)
            place = ("studies", name, *section, finding.hyperparameter, *finding.place)
            yield Problem(place, finding.message + _at(finding, point.values))


def _may_have_preconditioner(point: Point) -> bool:
    """Also one that there is not: `check_run` says so."""
    try:
        return optimizer_source(point.run.optimizer).has_beside("preconditioner")
    except UserError:
        return True


def _at(finding: Finding, values: Mapping[str, Any]) -> str:
    names = [name for name in (finding.hyperparameter, *finding.because_of) if name in values]
    return f" (at {', '.join(f'{name}={show(plain(values[name]))}' for name in names)})" if names else ""


def _expanded(
    name: str,
    study: StudyConfig,
    points: list[Point],
    datasets: Mapping[str, Dataset],
    digests: Mapping[str, str],
    measurements: tuple[str, ...],
    problems: list[Problem],
) -> tuple[Study, dict[str, RunSpec]]:
    """A study of valid points, with its runs; ``digests``: of files of weights; ``problems`` takes what is wrong with them."""
    swept = study.swept
    columns = ("learning_rate", "batch_size", *(key for key in swept if key not in ("learning_rate", "batch_size")))
    runs: dict[str, RunSpec] = {}
    found: dict[str, Point] = {}
    specs = {key: dataset.spec for key, dataset in datasets.items()}
    labels = {}
    for point in points:
        for seed in study.seeds:
            spec = _run_spec(point.run, seed, specs, digests)
            run = run_id(spec)
            if len(canonical_json(spec)) > LONGEST_SPEC:
                problems.append(Problem(("studies", name, "base"), TOO_LONG))
            if run in runs:
                told = " and ".join(_told(swept, each.run) for each in (found[run], point))
                problems.append(Problem(("studies", name, "sweeps"), f"the points {told} are the same run"))
            runs[run], found[run] = spec, point
            labels[run] = {key: _label(key, point.run, spec) for key in columns} | {"seed": seed}
    figures = chosen(list(study.figures))
    made = Study(
        name=name,
        description=study.description,
        swept=swept,
        accuracy_threshold=study.accuracy_threshold,
        figures=figures,
        predictions=not NEEDS_EMBEDDING.isdisjoint(figures),
        measurements=measurements,
        points=dict(sorted(labels.items())),
    )
    return made, runs


def _label(hyperparameter: str, run: Hyperparameters, spec: RunSpec) -> Any:
    """What tables and figures call the value of a hyperparameter: as it stands in the config."""
    of_config = ("dataset", "network_options", "optimizer_options", "initial_weights")
    return plain(getattr(run if hyperparameter in of_config else spec, hyperparameter))


def _told(swept: Iterable[str], run: Hyperparameters) -> str:
    """The swept values of a point, in an error; a schedule in words, since it is long."""
    values = {name: plain(getattr(run, name)) for name in swept}
    if "schedule" in values:
        values["schedule"] = in_words(run.learning_rate, values["schedule"])
    return show(values)


def _run_spec(
    run: Hyperparameters, seed: int, datasets: Mapping[str, Mapping[str, Any]], digests: Mapping[str, str]
) -> RunSpec:
    return RunSpec(
        **dict(run)
        | {
            "dataset": datasets[run.dataset],
            "network_options": canonical_options(network_source(run.network), run.network_options),
            "optimizer_options": canonical_options(optimizer_source(run.optimizer), run.optimizer_options),
            "schedule": tuple(_canonical_entry(entry, run.learning_rate) for entry in run.schedule),
            "initial_weights": None if run.initial_weights is None else digests[run.initial_weights],
            "seed": seed,
        }
    )


def _canonical_entry(entry: Entry, begins_at: float) -> Entry:
    """As it is in the specification of a run that begins at this learning rate, of which ``of`` need not be said."""
    moments = {name: getattr(entry, name, None) for name in MOMENTS}
    changes: dict[str, Any] = {}
    if not any(moments.values()):  # from the start to the end of the run, in any unit
        changes = {"unit": "step", "of": None}
    elif entry.unit != "break_even":
        changes = {name: int(value) for name, value in moments.items() if value is not None}
    elif entry.of == begins_at:
        changes = {"of": None}
    made: Entry = replace(cast(Any, entry), **changes)
    return made


def _used(hyperparameter: str, points: Mapping[str, list[Point]]) -> list[str]:
    """The values of ``hyperparameter``, a name, in all runs, sorted."""
    return sorted({getattr(point.run, hyperparameter) for of_study in points.values() for point in of_study} - {None})


def _used_datasets(config: Config, points: Mapping[str, list[Point]]) -> dict[str, DatasetUse]:
    """Data sets by id; of two names for the same one, the first in the alphabet says where it lies."""
    used: dict[str, DatasetUse] = {}
    for name in _used("dataset", points):
        dataset = config.datasets[name]
        used.setdefault(dataset_id(dataset.spec), DatasetUse(name, dataset.spec, dataset.location))
    return dict(sorted(used.items()))
