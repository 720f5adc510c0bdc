"""What a plan makes: for each job its files, the results that it reads, and the key that stands for all that they depend on.

The key of a result is a digest of the code of its stage, of the settings that it depends on, and of the keys of the results that
its job reads. The job writes it beside the files (`breakeven.store.record`). So what is out of date is seen in the files alone,
by whatever path the results folder is reached, and whatever Snakemake remembers.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from breakeven.config.code_digest import code_digest
from breakeven.config.plan import Plan
from breakeven.data.registry import loader_source
from breakeven.figures.registry import FIGURES, NEEDS_EMBEDDING
from breakeven.networks.registry import network_source
from breakeven.specs.dataset import dataset_id
from breakeven.specs.measurements import BY_NAME, MEASUREMENTS, is_asked_for, values_of
from breakeven.specs.run import RunSpec, canonical_json, run_id, source_of
from breakeven.specs.study import part_of
from breakeven.stages import STAGE
from breakeven.store.record import is_current
from breakeven.training.registry import modules_of

TEMPLATES = tuple(f"report/report.{suffix}" for suffix in ("html.jinja", "css", "js"))


@dataclass(frozen=True, eq=False)
class Result:
    """What one job makes: all ``files`` that it writes in the results folder, the last one last; the results that it ``needs``.

    ``rule``, ``name``: the rule's, and the run, study, figure or data set that it is of. ``exact``: made again from the same,
    its files are the same to the byte; those of others may differ in their last digits, on a GPU or by more threads.
    """

    rule: str
    name: str
    files: tuple[Path, ...]
    key: str
    needs: tuple["Result", ...]
    exact: bool

    @property
    def last(self) -> Path:
        """The file by which it goes: it is written last, and has the record."""
        return self.files[-1]


class Results:
    """The results of ``plan``.

    ``contents``: the digest of the files at a path, of which a data set or a network is read. ``prepared``: the key of a data
    set, by its id, that is taken as it lies there; a job on another machine need not see what it was read from.
    """

    def __init__(
        self,
        plan: Plan,
        contents: Callable[[Path], str],
        prepared: Callable[[str], str | None] = lambda dataset: None,
    ) -> None:
        self.plan, self.contents, self.prepared = plan, contents, prepared
        self._made: dict[Path, Result] = {}

    def planned(self) -> list[Result]:
        """All that the config asks for, each after what it needs."""
        runs = sorted({run for study in self.plan.studies.values() for run in study.runs})
        asked = [each.name for each in MEASUREMENTS if is_asked_for(each, self.plan.config.measurements)]
        wanted = [self.report(), *(self.measurement(name, run) for name in asked for run in runs)]
        return in_order(wanted)

    def data(self, dataset: str) -> Result:
        """A data set, prepared."""
        use = self.plan.datasets[dataset]
        source = loader_source(use.spec["loader"])

        def made_from() -> Any:
            given = use.spec.get("options", use.spec)
            return [use.spec, _code("prepare", source.module), [self.contents(path) for path in source.files(given)]]

        return self._result(
            "prepare_dataset", "prepare", dataset, f"data/{dataset}", made_from, key=self.prepared(dataset)
        )

    def training(self, run: str) -> Result:
        """A run, trained; where its schedule counts in the break-even point of another, that one's stability comes first."""
        spec = self.plan.runs[run]
        source = source_of(spec)

        def made_from() -> Any:
            files = network_source(spec.network).files(spec.network_options)
            code = _network_code("train", spec, *modules_of(spec))
            return [canonical_json(spec), code, [self.contents(path) for path in files]]

        def needs() -> list[Result]:
            other = None if source is None else run_id(source)
            counted = [] if other is None else [self.training(other), self.measurement("stability", other)]
            return [self.data(dataset_id(spec.dataset)), *counted]

        return self._result("train_run", "train", run, f"runs/{run}", made_from, needs, exact=False)

    def measurement(self, name: str, run: str) -> Result:
        """A measurement of a run."""
        each, spec = BY_NAME[name], self.plan.runs[run]

        def made_from() -> Any:
            return [values_of(each, self.plan.config.measurements), _network_code(name, spec)]

        def needs() -> list[Result]:
            read = (self.measurement(other, run) for other in each.reads)
            return [self.data(dataset_id(spec.dataset)), self.training(run), *read]

        return self._result(f"measure_{name}", name, run, f"runs/{run}/{each.table}", made_from, needs, exact=False)

    def embedding(self, study: str) -> Result:
        """The predictions of a study's runs in two dimensions."""
        return self._result(
            "embed_study",
            "embed",
            study,
            f"tables/{study}/embedding.csv",
            lambda: [part_of(self.plan.studies[study], "points"), _code("embed")],
            lambda: [self.measurement("predictions", run) for run in self.plan.studies[study].runs],
            exact=False,
        )

    def tables(self, study: str) -> Result:
        """The two tables of a study."""
        always = [each.name for each in MEASUREMENTS if each.always]

        def needs() -> Iterator[Result]:
            for run in self.plan.studies[study].runs:
                yield self.training(run)
                yield from (self.measurement(name, run) for name in always)

        return self._result(
            "summarise_study",
            "summarise",
            study,
            f"tables/{study}",
            lambda: [part_of(self.plan.studies[study], "points", "accuracy_threshold"), _code("summarise")],
            needs,
        )

    def claims(self) -> Result:
        """The verdicts; sorted, since the order of the studies changes none."""
        names = sorted(self.plan.studies)
        return self._result(
            "evaluate_claims",
            "claims",
            "",
            "tables/claims.csv",
            lambda: [[part_of(self.plan.studies[name], "name", "swept") for name in names], _code("claims")],
            lambda: map(self.tables, names),
        )

    def javascript(self) -> Result:
        """What all pages hold to open offline."""
        return self._result(
            "bundle_javascript",
            "bundle",
            "",
            "figures/vega.js",
            lambda: [version("vl-convert-python"), _code("bundle")],
        )

    def figure(self, study: str, figure: str) -> Result:
        """A figure of a study."""

        def made_from() -> Any:
            part = part_of(self.plan.studies[study], "name", "swept", "accuracy_threshold")
            return [part, _code("plot", f"breakeven.figures.{figure}", files=("figures/page.html.jinja",))]

        def needs() -> list[Result]:
            embedding = [self.embedding(study)] if figure in NEEDS_EMBEDDING else []
            return [self.javascript(), self.tables(study), *embedding]

        return self._result(
            "plot_figure", "plot", f"{study} {figure}", f"figures/{study}", made_from, needs, figure=figure
        )

    def report(self) -> Result:
        """The report. What it says below a figure is in no digest of code."""
        studies = self.plan.studies.values()
        shown = ("name", "description", "swept", "accuracy_threshold", "figures")

        def made_from() -> Any:
            captions = {figure: FIGURES[figure] for study in studies for figure in study.figures}
            return [[part_of(study, *shown) for study in studies], captions, _code("report", files=TEMPLATES)]

        def needs() -> list[Result]:
            figures = (self.figure(study.name, figure) for study in studies for figure in study.figures)
            return [
                self.javascript(),
                *map(self.training, self.plan.runs),
                *(self.tables(study.name) for study in studies),
                self.claims(),
                *figures,
            ]

        return self._result("write_report", "report", "", "report.html", made_from, needs)

    def _result(
        self,
        rule: str,
        stage: str,
        name: str,
        out: str,
        made_from: Callable[[], Any],
        needs: Callable[[], Iterable[Result]] = tuple,
        key: str | None = None,
        exact: bool = True,
        **parameters: str,
    ) -> Result:
        """The result that ``rule`` makes by calling ``stage`` with ``out``, made once; its ``key`` may be given."""
        files = STAGE[stage].outputs(Path(out), parameters)
        if files[-1] not in self._made:
            needed = tuple(needs())
            made = key or _digest([stage, made_from(), [each.key for each in needed]])
            self._made[files[-1]] = Result(rule, name, files, made, needed, exact)
        return self._made[files[-1]]


class Why(Enum):
    """Why a result must be made: a file is missing; it is of something else, or was changed; it follows from another."""

    MISSING = "missing"
    CHANGED = "changed"
    FOLLOWS = "follows"


def to_make(results: Iterable[Result], folder: Path, again: Collection[str] = ()) -> dict[Result, Why]:
    """Those of the ``results``, each after what it needs, that the results folder doesn't have as they are planned.

    ``again``: rules, and files in there, that are to be made in any case.
    """
    found: dict[Result, Why] = {}
    others: set[Result] = set()  # those whose files may be others than before
    for result in results:
        is_asked = any(name in again for name in (result.rule, *map(str, result.files)))
        if not all((folder / file).exists() for file in result.files):
            found[result] = Why.MISSING
        elif is_asked or not is_current(folder / result.last, result.key):
            found[result] = Why.CHANGED
        if not others.isdisjoint(result.needs):
            found.setdefault(result, Why.FOLLOWS)
            others.add(result)
        elif is_asked or (result in found and not result.exact):
            others.add(result)
    return found


def in_order(results: Iterable[Result]) -> list[Result]:
    """The ``results`` and all that they need, each once, after what it needs."""
    found: dict[Result, None] = {}

    def visit(result: Result) -> None:
        if result not in found:
            for each in result.needs:
                visit(each)
            found[result] = None

    for result in results:
        visit(result)
    return list(found)


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _code(stage: str, *modules: str, files: tuple[str, ...] = ()) -> str:
    """The digest of a stage's code, and of the modules that it imports by name."""
    return code_digest([STAGE[stage].module, *modules], files)


def _network_code(stage: str, spec: RunSpec, *modules: str) -> str:
    """That of a stage of a run, with its network: the module, and the function in it, which the registry says."""
    network = network_source(spec.network)
    return f"{_code(stage, network.module, *modules)}:{network.function}"
