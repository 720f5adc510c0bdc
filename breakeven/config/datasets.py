"""The data sets of a config: a loader's options stand beside ``loader``, those of a function of the user's own in ``options``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any

from pydantic import Field

from breakeven.config.derive import Section, declared_by, fields_of, made_of
from breakeven.config.messages import nearest, no_function, show
from breakeven.config.options import changed, options_model
from breakeven.config.validate import Invalid, Problem, validated
from breakeven.data.registry import LOADERS, OWN_GIVEN, available_examples, content, loader_source
from breakeven.specs import own_code
from breakeven.specs.dataset import Subsets, validation_examples
from breakeven.specs.own_code import is_own


@dataclass(frozen=True)
class Dataset:
    """A data set: its loader, with all options of that one's own, and the subsets that are drawn."""

    loader: str
    options: Mapping[str, Any]
    subsets: Subsets

    @property
    def spec(self) -> dict[str, Any]:
        """The canonical specification: the loader, and what differs from its default and changes the prepared data, by name."""
        subsets = asdict(self.subsets)
        drawn = {each.name: subsets[each.name] for each in fields(Subsets) if subsets[each.name] != each.default}
        options = changed(loader_source(self.loader), self.options)
        if is_own(self.loader):
            options = {"options": options} if options else {}
        return dict(sorted(({"loader": self.loader} | options | drawn).items()))

    @property
    def location(self) -> dict[str, Any]:
        """The options that say where the data lies and don't change it."""
        declared = loader_source(self.loader).options
        return {name: value for name, value in self.options.items() if declared[name].is_location}

    @property
    def content(self) -> str | None:
        """What it holds: "pictures", "words" or "word pieces"; None where only the user knows."""
        return content(self.loader)

    @property
    def available(self) -> tuple[int, int] | None:
        """How many training and test examples there are; None where only the files know."""
        return available_examples(self.loader, self.options)

    @property
    def training_examples(self) -> int | None:
        """The size of the training set, without what is held out of it; None where only the files tell."""
        count = self.subsets.train_examples or (self.available[0] if self.available else None)
        return None if count is None else count - validation_examples(self.subsets.validation_fraction, count)

    @property
    def measured_examples(self) -> int | None:
        """The size of the measured subset, where it is known; rounded as in `breakeven.data.prepare`."""
        count = self.training_examples
        return None if not count else max(1, round(self.subsets.measured_fraction * count))


def dataset(value: Any) -> Dataset:
    """The data set that ``value`` in a config says; an Invalid with all its mistakes."""
    if not isinstance(value, dict):
        raise Invalid([Problem((), f"{show(value)} is not a mapping; as in {{loader: digits}}")])
    problem = _loader_problem(value)
    if problem:
        raise Invalid([Problem(("loader",), problem)])
    loader = value["loader"]
    given = dict(validated(dataset_model(loader), value))
    subsets = Subsets(**{each.name: given[each.name] for each in fields(Subsets)})
    options = (
        dict(given["options"]) if is_own(loader) else {name: given[name] for name in loader_source(loader).options}
    )
    return Dataset(loader, options, subsets)


def _loader_problem(value: dict[str, Any]) -> str | None:
    """Why there is no such loader, if so."""
    if "loader" not in value:
        similar = nearest("loader", value)
        return "required, but missing; " + (
            f"is it {show(similar)}?" if similar else f"allowed: {', '.join(sorted(LOADERS))}"
        )
    loader = value["loader"]
    if is_own(loader):
        return own_code.problem(loader, OWN_GIVEN)
    return None if isinstance(loader, str) and loader in LOADERS else no_function(loader, LOADERS)


@cache
def dataset_model(loader: str) -> type[Section]:
    """What a config says of a data set with this loader."""
    source = loader_source(loader)
    options = fields_of(source.options)
    if is_own(loader):
        options = {"options": (options_model(source), Field(default_factory=dict, validate_default=True))}
    made: type[Section] = made_of({"loader": (str, Field())} | options | fields_of(declared_by(Subsets)))
    return made
