"""Expand the studies of a config into runs: what the workflow plans its jobs from."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breakeven.config.checks import Finding, check_dataset, check_measured, check_run
from breakeven.config.folders import results_problem
from breakeven.config.messages import distinct_lines, not_known, show
from breakeven.config.options import canonical_options
from breakeven.config.validate import Problem, validate
from breakeven.config.yaml_file import read_yaml
from breakeven.figures.registry import DEFAULT, FIGURES, chosen
from breakeven.networks.registry import BATCH_STATISTICS
from breakeven.specs.dataset import canonical_dataset, dataset_id, location
from breakeven.specs.own_code import is_own
from breakeven.specs.run import RunSpec, Segment, Switch, canonical_json, run_id, source_of
from breakeven.store.errors import ConfigError

MOST_RUNS = 20_000
LONGEST_SPEC = 100_000  # Linux takes arguments of a command up to 128 KiB
TOO_LONG = f"the specification of a run is longer than {LONGEST_SPEC} characters, too long for a command"
OVERRIDABLE = ("device", "memory_mb", "results", "slots_per_gpu", "threads")
Labels = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """A study: the hyperparameters that it sweeps, its runs, the swept values of each run, and its figures."""

    name: str
    description: str
    swept: tuple[str, ...]
    runs: tuple[str, ...]
    accuracy_threshold: float
    points: dict[str, Labels]
    figures: tuple[str, ...]


@dataclass(frozen=True)
class DatasetUse:
    """A data set that runs use: one of its names in the config, its canonical specification, where it lies."""

    name: str
    spec: dict[str, Any]
    location: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """Everything that a config asks for: runs and data sets by id, sorted; studies that share a run name the same id.

    ``runs`` holds those that others take their break-even points from, too, whether or not they are in a study.
    """

    config: dict[str, Any]
    runs: dict[str, RunSpec]
    studies: dict[str, Study]
    datasets: dict[str, DatasetUse]


def load_plan(path: str | Path, schema_path: str | Path, overrides: dict[str, Any] | None = None) -> Plan:
    """Read, validate and expand the config ``path``; ``overrides`` are top-level values from the command line."""
    if not str(path).isprintable():
        message = "the name of a config can't hold a line break or another character that can't be seen"
        raise ConfigError([f"{str(path)!r}: {message}"])
    config = read_yaml(path)
    overrides = overrides or {}
    unknown = [name for name in overrides if name not in OVERRIDABLE]
    if unknown:
        raise ConfigError([f"--config: {not_known(name, OVERRIDABLE)}" for name in unknown])
    return make_plan(validate(config | overrides, read_yaml(schema_path), str(path)), str(path))


def make_plan(config: dict[str, Any], filename: str = "config.yaml") -> Plan:
    """Expand a validated ``config`` and check every run of it; a ConfigError lists all mistakes, equal ones once."""
    _refuse(list(_size_problems(config)), filename)
    problems = list(_config_problems(config))
    for name in config["studies"]:
        problems += _study_problems(name, config)
    _refuse(problems, filename)
    for options in config["datasets"].values():
        if is_own(options["loader"]):
            options["options"] = canonical_options(options["loader"], options["options"])

    runs: dict[str, RunSpec] = {}
    studies = {}
    for name, study in config["studies"].items():
        points: dict[str, Labels] = {}
        swept = _swept(study)
        for point in _points(study):
            for seed in study["seeds"]:
                spec = _run_spec(study["base"] | point.values, seed, config["datasets"])
                run = run_id(spec)
                if len(canonical_json(spec)) > LONGEST_SPEC:
                    problems.append(Problem(("studies", name, "base"), TOO_LONG))
                labels = {key: _label(key, study["base"] | point.values) for key in swept}
                if run in points:
                    message = f"the points {show(points[run])} and {show(labels)} are the same run"
                    problems.append(Problem(("studies", name, "sweeps"), message))
                runs[run], points[run] = spec, labels
        points = dict(sorted(points.items()))
        studies[name] = Study(
            name=name,
            description=study["description"],
            swept=swept,
            runs=tuple(points),
            accuracy_threshold=study["accuracy_threshold"],
            points=points,
            figures=chosen(study["figures"]),
        )
    for spec in list(runs.values()):  # a source has none itself: all switches in break-even points are gone from it
        source = source_of(spec)
        if source is not None:
            runs[run_id(source)] = source
    _refuse(problems, filename)
    return Plan(config, dict(sorted(runs.items())), studies, _used_datasets(config))


def _refuse(problems: list[Problem], filename: str) -> None:
    """Raise a ConfigError with all problems, if there are any."""
    if problems:
        raise ConfigError(distinct_lines(filename, ((problem.path, problem.message) for problem in problems)))


def describe(plan: Plan) -> str:
    """What a config asks for: a line of totals, then one for each study."""
    counts = (_count(len(plan.studies), "study", "studies"), _count(len(plan.runs), "run", "runs"))
    lines = [", ".join((*counts, _count(len(plan.datasets), "data set", "data sets")))]
    for name, study in plan.studies.items():
        settings = plan.config["studies"][name]
        swept = [f"{key} {_listed(_values(key, settings))}" for key in study.swept] or ["nothing swept"]
        seeds = f"{'seed' if len(settings['seeds']) == 1 else 'seeds'} {_listed(settings['seeds'])}"
        lines.append(f"{name}: {'; '.join([*swept, seeds])} ({_count(len(study.runs), 'run', 'runs')})")
    return "\n".join(lines)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _values(key: str, settings: dict[str, Any]) -> list[Any]:
    """The values that a swept hyperparameter takes in a study, each once, in the order of the config."""
    base = [settings["base"].get(key)]
    values = [value for _, grid in _grids(settings) for value in grid.get(key, base)]
    return [value for index, value in enumerate(values) if value not in values[:index]]


def _listed(values: list[Any]) -> str:
    return ", ".join(value if isinstance(value, str) else show(value) for value in values)


@dataclass(frozen=True)
class Point:
    """A point of a study: the values that it takes instead of the base's, and where in the config they stand."""

    values: dict[str, Any]
    section: tuple[str | int, ...]


def _grids(study: dict[str, Any]) -> list[tuple[tuple[str | int, ...], dict[str, list[Any]]]]:
    """The grids of the swept values, with where they stand: one, or a list."""
    sweeps = study["sweeps"]
    if isinstance(sweeps, dict):
        return [(("sweeps",), sweeps)]
    return [(("sweeps", index), grid) for index, grid in enumerate(sweeps)]


def _swept(study: dict[str, Any]) -> tuple[str, ...]:
    """The names of all hyperparameters that are swept, sorted."""
    return tuple(sorted({name for _, grid in _grids(study) for name in grid}))


def _points(study: dict[str, Any]) -> Iterator[Point]:
    """The points of all grids."""
    for section, grid in _grids(study):
        swept = sorted(grid)
        for values in itertools.product(*(grid[name] for name in swept)):
            yield Point(dict(zip(swept, values, strict=True)), section)


def _label(hyperparameter: str, run: dict[str, Any]) -> Any:
    """How tables and figures name the value of a swept hyperparameter; a schedule is told in words, with what it begins at."""
    if hyperparameter != "schedule":
        return run.get(hyperparameter)
    words = [f"{run['learning_rate']:g}"]
    for switch in run["schedule"]:
        at = (
            f"{switch['at']:g} x break-even" if switch["unit"] == "break_even" else f"{switch['unit']} {switch['at']:g}"
        )
        words.append(f"{switch['learning_rate']:g} from {at}")
    return ", ".join(words)


def _size_problems(config: dict[str, Any]) -> Iterator[Problem]:
    """Counted before they are made: a grid of three long lists is millions of runs."""
    total = 0
    for name, study in config["studies"].items():
        points = sum(math.prod(map(len, grid.values())) for _, grid in _grids(study))
        count = points * len(study["seeds"])
        total += count
        if count > MOST_RUNS:
            yield Problem(
                ("studies", name), f"{count} runs are too many; at most {MOST_RUNS} in all studies of a config"
            )
            total -= count
    if total > MOST_RUNS:
        yield Problem(("studies",), f"{total} runs are too many; at most {MOST_RUNS} in all studies of a config")


def _config_problems(config: dict[str, Any]) -> Iterator[Problem]:
    """Mistakes of the folder of the results, of data sets, alone and with the measurements."""
    unfit = results_problem(config["results"], Path.cwd())
    if unfit:
        yield Problem(("results",), unfit)
    for name, options in config["datasets"].items():
        yield from check_dataset(name, options)
    batch_size = config["measurements"]["covariance"]["batch_size"]
    for name in _used("dataset", config):
        if name in config["datasets"]:
            yield from check_measured(name, config["datasets"][name], batch_size)
    for name in _used("network", config):
        if batch_size == 1 and name in BATCH_STATISTICS:
            yield Problem(
                ("measurements", "covariance", "batch_size"),
                f"1 asks for the gradients of single examples, which network {show(name)} does not have: its batch "
                "normalization takes statistics of a mini-batch; make it at least 2",
            )
    folders: dict[str, str] = {}
    for name in config["studies"]:
        other = folders.setdefault(name.lower(), name)
        if other != name:
            message = (
                f"differs from {show(other)} only in upper and lower case, which some file systems don't tell apart"
            )
            yield Problem(("studies", name), message)


def _study_problems(name: str, config: dict[str, Any]) -> Iterator[Problem]:
    """Mistakes of the study's points, each with the swept values that it depends on."""
    study = config["studies"][name]
    for index, figure in enumerate(study["figures"]):
        if figure not in (DEFAULT, *FIGURES):
            yield Problem(("studies", name, "figures", index), not_known(figure, [DEFAULT, *FIGURES]))
    for point in _points(study):
        for finding in check_run(study["base"] | point.values, config["datasets"], config["device"]):
            section = point.section if finding.hyperparameter in point.values else ("base",)
            path = ("studies", name, *section, finding.hyperparameter, *finding.path)
            yield Problem(path, finding.message + _at(finding, point.values))


def _at(finding: Finding, values: dict[str, Any]) -> str:
    names = [name for name in (finding.hyperparameter, *finding.because_of) if name in values]
    return f" (at {', '.join(f'{name}={show(values[name])}' for name in names)})" if names else ""


def _run_spec(run: dict[str, Any], seed: int, datasets: dict[str, Any]) -> RunSpec:
    return RunSpec(
        **run
        | {
            "dataset": canonical_dataset(datasets[run["dataset"]]),
            "network_options": canonical_options(run["network"], run["network_options"]),
            "snapshots": tuple(Segment(**segment) for segment in run["snapshots"]),
            "schedule": tuple(_switch(**switch) for switch in run["schedule"]),
            "seed": seed,
        }
    )


def _switch(at: float, unit: str, learning_rate: float) -> Switch:
    return Switch(at if unit == "break_even" else int(at), learning_rate, unit)


def _used(hyperparameter: str, config: dict[str, Any]) -> list[str]:
    """The values of ``hyperparameter``, a name, in all runs, sorted."""
    studies = config["studies"].values()
    values = {(study["base"] | point.values).get(hyperparameter) for study in studies for point in _points(study)}
    return sorted(values - {None})


def _used_datasets(config: dict[str, Any]) -> dict[str, DatasetUse]:
    """Data sets by id; of two names for the same one, the first in the alphabet says where it lies."""
    used: dict[str, DatasetUse] = {}
    for name in _used("dataset", config):
        options = config["datasets"][name]
        spec = canonical_dataset(options)
        used.setdefault(dataset_id(spec), DatasetUse(name, spec, location(options)))
    return dict(sorted(used.items()))
