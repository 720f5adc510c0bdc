"""What a plan makes: for each job its files, the results that it reads, and the key that stands for all that they depend on.

The key of a result is a digest of the code of its stage, of the settings that it depends on, and of the keys of the results that
its job reads. The job writes it beside the files (`breakeven.store.record`). So what is out of date is seen in the files alone,
by whatever path the results folder is reached, and whatever Snakemake remembers.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from breakeven.config.code_digest import Code, code_of
from breakeven.config.plan import Plan
from breakeven.data.registry import loader_source
from breakeven.figures.registry import FIGURES, NEEDS_EMBEDDING
from breakeven.networks.registry import network_source
from breakeven.specs.dataset import dataset_id
from breakeven.specs.measurements import BY_NAME, MEASUREMENTS, is_asked_for, values_of
from breakeven.specs.own_code import is_own
from breakeven.specs.run import begins_as, canonical_json, run_id, source_of
from breakeven.specs.source import Source
from breakeven.specs.study import part_of
from breakeven.stages import STAGE
from breakeven.store.errors import UserError
from breakeven.store.notes import Note
from breakeven.store.record import is_current, left_out
from breakeven.store.training_record import KEPT_FILE
from breakeven.training.registry import augmentation_modules, modules_of, optimizer_module, optimizer_source

MEASURES = {f"measure_{each.name}": each.name for each in MEASUREMENTS}  # their jobs alone read snapshots
# the stage that a rule calls, in the order in which data flow
STAGE_OF = {
    "prepare_dataset": "prepare",
    "train_run": "train",
    **MEASURES,
    "thin_run": "thin",
    "embed_study": "embed",
    "summarise_study": "summarise",
    "evaluate_claims": "claims",
    "bundle_javascript": "bundle",
    "plot_figure": "plot",
    "write_report": "report",
}
WITH_ARRAYS = {"train_run", "measure_hessian"}  # whose snapshots and eigenvectors the stage thin deletes
PAGE = ("figures/page.html.jinja",)
EXACT = {"prepare_dataset", "bundle_javascript", "summarise_study", "evaluate_claims", "plot_figure", "write_report"}
TEMPLATES = tuple(f"report/report.{suffix}" for suffix in ("html.jinja", "css", "js"))


@dataclass(frozen=True, eq=False)
class Result:
    """What one job makes: all ``files`` that it writes in the results folder, the last one last; the results that it ``needs``.

    ``rule``, ``name``: the rule's, and the run, study, figure or data set that it is of. ``told``: the settings that its stage is
    told, as plain data. ``code``: of its stage. ``read``: the digest of each file or folder of the user's that the stage reads.
    ``exact``: made again from the same, its files are the same to the byte; those of others may differ in their last digits, on a
    GPU or by more threads. ``family``: of a training, the key of what its beginning depends on: longer runs may go on from it.
    """

    rule: str
    name: str
    files: tuple[Path, ...]
    told: Any
    code: Code
    read: Mapping[str, str]
    key: str
    needs: tuple["Result", ...]
    exact: bool
    family: str = ""

    @property
    def last(self) -> Path:
        """The file by which it goes: it is written last, and has the record."""
        return self.files[-1]

    @property
    def cost(self) -> Path:
        """The file in which its job says what it took."""
        *folders, name = self.name.split() or ["all"]  # a figure's has two parts
        return Path("benchmarks", STAGE_OF[self.rule], *folders, f"{name}.tsv")


def files_of(dataset: Mapping[str, Any]) -> list[Path]:
    """The files and folders of the user's that a data set, by its specification, is read from."""
    name = dataset["loader"]
    return list(loader_source(name).files(dataset.get("options", {}) if is_own(name) else dataset))


def _once(make: Callable[..., Result]) -> Callable[..., Result]:
    """A method of `Results` that makes each result once."""

    @wraps(make)
    def made(self: "Results", *names: str) -> Result:
        key = (make.__name__, *names)
        if key not in self._made:
            try:
                self._made[key] = make(self, *names)
            except KeyError:
                raise UserError(f"the config has nothing of which '{' '.join(names)}' is the {make.__name__}") from None
        return self._made[key]

    return made


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
        self._made: dict[tuple[str, ...], Result] = {}

    def planned(self) -> list[Result]:
        """All that the config asks for, each after what it needs."""
        runs = sorted({run for study in self.plan.studies.values() for run in study.runs})
        asked = [each.name for each in MEASUREMENTS if is_asked_for(each, self.plan.config.measurements)]
        ends = [self.measurement(name, run) for name in asked for run in runs]
        if self.plan.config.keep_snapshots != 1:
            ends += map(self.thinned, self.plan.runs)
        return in_order([self.report(), *ends])

    def _read(self, source: Source, options: Mapping[str, Any]) -> dict[str, str]:
        return {str(path): self.contents(path) for path in source.files(options)}

    @_once
    def data(self, dataset: str) -> Result:
        """A data set, prepared."""
        spec, key = self.plan.datasets[dataset].spec, self.prepared(dataset)
        source = loader_source(spec["loader"])
        own = is_own(spec["loader"])  # which may draw other numbers each time
        read = {str(path): self.contents(path) for path in files_of(spec)} if key is None else {}
        code, out = _code("prepare", source.module), f"data/{dataset}"
        made = _result("prepare_dataset", dataset, out, spec, code, read=read)
        return replace(made, exact=not own, key=made.key if key is None else key)

    @_once
    def training(self, run: str) -> Result:
        """A run, trained; where its schedule counts in the break-even point of another, that one's is located first."""
        spec = self.plan.runs[run]
        source = source_of(spec)
        network = network_source(spec.network)
        read = self._read(network, spec.network_options)
        read |= self._read(optimizer_source(spec.optimizer), spec.optimizer_options)
        told, code = canonical_json(spec), _code("train", network.module, *modules_of(spec))
        needs = [self.data(dataset_id(spec.dataset))]
        if source is not None:
            needs += [self.training(run_id(source)), self.measurement("locate", run_id(source))]
        made = _result("train_run", run, f"runs/{run}", told, code, network.function, needs, read)
        return replace(made, family=_key("train", begins_as(spec), code, network.function, needs, read))

    @_once
    def measurement(self, name: str, run: str) -> Result:
        """A measurement of a run."""
        each, spec = BY_NAME[name], self.plan.runs[run]
        told, network = values_of(each, self.plan.config.measurements), network_source(spec.network)
        optimizer = [optimizer_module(spec)] if each.of_optimizer else []
        drawing = augmentation_modules(spec) if each.of_training else []
        modules = modules_of(spec) if each.takes_steps else [*optimizer, *drawing]
        out, code = f"runs/{run}/{each.table}", _code(name, network.module, *modules)
        read = [self.measurement(other, run) for other in each.reads]
        needs = [self.data(dataset_id(spec.dataset)), self.training(run), *read]
        return _result(f"measure_{name}", run, out, told, code, network.function, needs)

    @_once
    def thinned(self, run: str) -> Result:
        """The snapshots of a run that are kept once all is measured."""
        config, out = self.plan.config, f"runs/{run}/{KEPT_FILE}"
        studies = [study for study in self.plan.studies.values() if run in study.runs]
        # of one that is in no study, others need the break-even point
        names = ["locate", *BY_NAME["locate"].reads]
        if studies:
            names = [each.name for each in MEASUREMENTS if each.always or is_asked_for(each, config.measurements)]
        if any(study.predictions for study in studies):
            names.append("predictions")
        needs = [self.training(run), *(self.measurement(name, run) for name in names)]
        return _result("thin_run", run, out, config.keep_snapshots, _code("thin"), needs=needs)

    @_once
    def embedding(self, study: str) -> Result:
        """The predictions of a study's runs in two dimensions."""
        needs = [self.measurement("predictions", run) for run in self.plan.studies[study].runs]
        told, out = part_of(self.plan.studies[study], "points"), f"tables/{study}/embedding.csv"
        return _result("embed_study", study, out, told, _code("embed"), needs=needs)

    @_once
    def tables(self, study: str) -> Result:
        """The two tables of a study."""
        of, needs = self.plan.studies[study], []
        measured = [each.name for each in MEASUREMENTS if each.always or each.name in of.measurements]
        for run in of.runs:
            needs += [self.training(run), *(self.measurement(each, run) for each in measured)]
        # no more than without optional measurements where there are none: a part of the key
        told = part_of(of, "points", "accuracy_threshold", *(["measurements"] if of.measurements else []))
        sentences = [note.sentence for note in Note]  # which stand in the remarks
        return _result("summarise_study", study, f"tables/{study}", told, _code("summarise"), sentences, needs)

    @_once
    def claims(self) -> Result:
        """The verdicts; the order of the studies changes none."""
        names = sorted(self.plan.studies)
        told = [part_of(self.plan.studies[name], "name", "swept", "predictions") for name in names]
        embedded = [name for name in names if self.plan.studies[name].predictions]
        needs = [*map(self.tables, names), *map(self.embedding, embedded)]
        return _result("evaluate_claims", "", "tables/claims.csv", told, _code("claims"), needs=needs)

    @_once
    def javascript(self) -> Result:
        """What all pages hold to open offline."""
        return _result("bundle_javascript", "", "figures/vega.js", None, _code("bundle"), version("vl-convert-python"))

    @_once
    def figure(self, study: str, figure: str) -> Result:
        """A figure of a study."""
        if figure not in FIGURES:
            raise KeyError(figure)
        told = part_of(self.plan.studies[study], "name", "swept", "accuracy_threshold")
        name, out, code = (
            f"{study} {figure}",
            f"figures/{study}",
            _code("plot", f"breakeven.figures.{figure}", files=PAGE),
        )
        embedding = [self.embedding(study)] if figure in NEEDS_EMBEDDING else []
        needs = [self.javascript(), self.tables(study), *embedding]
        return _result("plot_figure", name, out, told, code, needs=needs, figure=figure)

    @_once
    def report(self) -> Result:
        """The report. What it says below a figure is in no digest of code."""
        studies = self.plan.studies.values()
        shown = ("name", "description", "swept", "accuracy_threshold", "figures")
        told = [part_of(study, *shown) for study in studies]
        drawn = [(study.name, figure) for study in studies for figure in study.figures]
        captions = {figure: FIGURES[figure] for _, figure in drawn}
        needs = [
            *(self.javascript(), self.claims()),
            *map(self.training, self.plan.runs),
            *map(self.tables, self.plan.studies),
            *(self.figure(*names) for names in drawn),
        ]
        return _result("write_report", "", "report.html", told, _code("report", files=TEMPLATES), captions, needs)


def _result(
    rule: str,
    name: str,
    out: str,
    told: Any,
    code: Code,
    beside: Any = None,
    needs: Iterable[Result] = (),
    read: Mapping[str, str] = MappingProxyType({}),
    **parameters: str,
) -> Result:
    """The result that ``rule`` makes by giving its stage ``out`` and what it is ``told``.

    ``beside``: what it depends on beside all that, the results that it ``needs``, and the files that are ``read``.
    """
    stage, needed = STAGE[STAGE_OF[rule]], tuple(needs)
    key = _key(stage.name, told, code, beside, needed, read)
    return Result(rule, name, stage.outputs(Path(out), parameters), told, code, read, key, needed, rule in EXACT)


def _key(stage: str, told: Any, code: Code, beside: Any, needs: Iterable[Result], read: Mapping[str, str]) -> str:
    return _digest([stage, told, code.digest, beside, dict(read), [each.key for each in needs]])


class Why(Enum):
    """Why a result must be made: a file is missing; it is of something else, or was changed; it follows from another."""

    MISSING = "missing"
    CHANGED = "changed"
    FOLLOWS = "follows"


def to_make(results: Iterable[Result], folder: Path, again: Collection[str] = ()) -> dict[Result, Why]:
    """Those of the ``results``, each after what it needs, that the results folder doesn't have as they are planned.

    ``again``: rules, and files in there, that are to be made in any case.
    """
    planned = list(results)
    thinned = {each for each in planned if each.rule in WITH_ARRAYS and left_out(folder / each.last)}
    wanted: set[Result] = set()  # of these, those whose snapshots or eigenvectors are to be read
    while True:
        found = _to_make(planned, folder, again, wanted)
        missing = {need for each in found if each.rule in MEASURES for need in each.needs} & thinned - found.keys()
        if not missing:
            return found
        wanted |= missing


def _to_make(
    results: Iterable[Result], folder: Path, again: Collection[str], incomplete: Collection[Result]
) -> dict[Result, Why]:
    """`to_make` where the ``incomplete`` results miss files that are needed."""
    found: dict[Result, Why] = {}
    others: set[Result] = set()  # those whose files may be others than before
    for result in results:
        is_asked = any(name in again for name in (result.rule, *map(str, result.files)))
        if result in incomplete or not all((folder / file).exists() for file in result.files):
            found[result] = Why.MISSING
        elif is_asked or not is_current(folder / result.last, result.key):
            found[result] = Why.CHANGED
        elif result.rule == "thin_run" and left_out(folder / result.needs[0].last) is None:
            found[result] = Why.CHANGED  # the run was trained again since
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


def _code(stage: str, *modules: str, files: tuple[str, ...] = ()) -> Code:
    """The code of a stage, of the modules that it imports by name, and of ``files`` of the package."""
    return code_of((STAGE[stage].module, *modules), files)
