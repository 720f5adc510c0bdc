"""What a config says, as models of pydantic.

A hyperparameter is declared in `breakeven.specs.run`, the settings of a measurement in `breakeven.specs.measurements`, the
options of a data set or network in its function's signature, and the rest here.
"""

import dataclasses
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    TypeAdapter,
    WrapValidator,
)

from breakeven.config.datasets import Dataset, dataset
from breakeven.config.derive import (
    LARGEST,
    WHOLE,
    Count,
    EachOnce,
    Number,
    Section,
    as_checked,
    declared_by,
    described,
    made_of,
    record,
)
from breakeven.config.folders import results_problem
from breakeven.config.yaml_file import Place
from breakeven.figures.registry import DEFAULT
from breakeven.specs.measurements import MEASUREMENTS
from breakeven.specs.run import UNLESS_SAID, RunSpec

# the name of a folder; described in `breakeven.config.validate.FOLDER_NAME`
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=60)]


def _study_name(text: str) -> str:
    if text in ("claims.csv", "vega.js"):
        raise ValueError("is the name of a file that lies beside the folders of studies")
    return text


StudyName = Annotated[Name, AfterValidator(_study_name)]


def _results(text: str) -> str:
    problem = results_problem(text, Path.cwd())
    if problem:
        raise ValueError(problem)
    return text


# ------------------------------------------------------------------ hyperparameters

# a config names its data set, and lists seeds beside the base
HYPERPARAMETERS = {name: option for name, option in declared_by(RunSpec).items() if name != "seed"}
REQUIRED = tuple(
    name
    for name, option in HYPERPARAMETERS.items()
    if option.default is dataclasses.MISSING and name not in UNLESS_SAID
)


def _type_of(name: str) -> Any:
    return str if name == "dataset" else as_checked(HYPERPARAMETERS[name].type)


def _in_base(name: str) -> Any:
    """A hyperparameter of the base; one that sweeps must give if the base doesn't is None there."""
    description = described(HYPERPARAMETERS[name].type)
    if name in REQUIRED:
        return _type_of(name), Field(default_factory=lambda: None, description=description)
    return _type_of(name), Field(UNLESS_SAID.get(name, HYPERPARAMETERS[name].default), description=description)


def _in_grid(name: str) -> Any:
    """The values of a swept hyperparameter; none where it isn't swept."""
    values: Any = GenericAlias(tuple, (_type_of(name), ...))
    return Annotated[values, MinLen(1), EachOnce], Field(
        default_factory=tuple, description=f"Values, each once. {described(HYPERPARAMETERS[name].type)}"
    )


class Hyperparameters(made_of({name: _in_base(name) for name in HYPERPARAMETERS})):  # type: ignore[misc]
    """The hyperparameters of the runs; dataset, network, learning_rate, batch_size and steps or epochs here or in sweeps."""


class Grid(made_of({name: _in_grid(name) for name in HYPERPARAMETERS})):  # type: ignore[misc]
    """Hyperparameter, and the values that it takes instead of the base's; several make a grid."""

    def values(self) -> dict[str, tuple[Any, ...]]:
        """The values of those that are swept, by name, sorted."""
        return {name: values for name, values in sorted(self) if values}


# ------------------------------------------------------------------ studies


def _grids(value: Any, _: Any) -> Any:
    """Pydantic alone would tell the mistakes of a mapping that is no list, and those of a list that is no mapping."""
    return TypeAdapter(SEVERAL).validate_python(value) if isinstance(value, list) else Grid.model_validate(value)


SEVERAL = Annotated[tuple[Grid, ...], MinLen(1)]
SEED = Annotated[int, Ge(0), Le(4_294_967_295), WHOLE, Field(description=described(declared_by(RunSpec)["seed"].type))]
FIGURE = Annotated[
    str,
    Field(description="A name in breakeven/figures/registry.py; default stands for all that every study can show."),
]


class StudyConfig(Section):
    """A sweep of hyperparameters, each point with several seeds."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    description: str = ""
    """What the study asks; free text for the report."""
    base: Hyperparameters
    sweeps: Annotated[Grid | SEVERAL, WrapValidator(_grids)] = Field(default_factory=Grid)
    """One grid of hyperparameters, or a list of grids that are joined."""
    seeds: Annotated[tuple[SEED, ...], MinLen(1), EachOnce]
    """Every point of the sweep is run once with each seed."""
    accuracy_threshold: Annotated[Number, Gt(0), Le(1)] = 0.6
    """Figures mark the first epoch whose training accuracy is above this. Not part of a run's identity."""
    figures: Annotated[tuple[FIGURE, ...], MinLen(1), EachOnce] = (DEFAULT,)
    """The figures that are drawn; a study that sweeps schedules can add early_switch, for instance."""

    @property
    def grids(self) -> list[tuple[Place, dict[str, tuple[Any, ...]]]]:
        """The grids of the swept values, with where they stand: one, or a list."""
        if isinstance(self.sweeps, Grid):
            return [(("sweeps",), self.sweeps.values())]
        return [(("sweeps", index), grid.values()) for index, grid in enumerate(self.sweeps)]

    @property
    def swept(self) -> tuple[str, ...]:
        """The names of all hyperparameters that are swept, sorted."""
        return tuple(sorted({name for _, grid in self.grids for name in grid}))


# ------------------------------------------------------------------ the whole

SETTINGS = {each.name: each.settings for each in MEASUREMENTS if each.settings is not None}


class Measurements(made_of({name: (record(cls), Field(default_factory=cls)) for name, cls in SETTINGS.items()})):  # type: ignore[misc]
    """How every run is measured at its snapshots."""


class Machine(Section):
    """How jobs run and where results go. Not part of a run's identity; the command line may say otherwise, too."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    results: Annotated[str, MinLen(1), AfterValidator(_results)] = "results"
    """Folder for what is written, and for nothing else; its name has no braces or line breaks, and no '~' or '-' in front."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where training and measuring run; auto takes the GPU where there is one. Not part of a run's identity."""
    threads: Count = 1
    """CPU threads of each job. Not part of a run's identity."""
    slots_per_gpu: Count = 1
    """Jobs that share a GPU, where small runs leave it idle; let Snakemake start as many with --resources gpu=N."""
    keep_snapshots: Annotated[int, Ge(0), Le(LARGEST), WHOLE] = 1
    """Of a run's snapshots, which stay once all is measured: 1 all, N each N-th and the last, 0 none."""
    memory_mb: Count | None = None
    """Megabytes for the gradients of a measurement, in pieces if need be; null: 2000, or half of a GPU, shared by its slots."""


class Config(Machine):
    """Studies of the early phase of SGD, and how their runs are measured."""

    datasets: Annotated[dict[Name, Annotated[Dataset, PlainValidator(dataset)]], MinLen(1)]
    """Name of a data set, and how it is prepared."""
    measurements: Measurements = Field(default_factory=Measurements)
    studies: Annotated[dict[StudyName, StudyConfig], MinLen(1)]
    """Name of a study, and its runs."""
