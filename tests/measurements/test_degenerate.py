"""Runs that diverge, and runs that leave nothing to measure, through all stages: what is computed, and what is said."""

import contextlib
import io
import json
import math
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from breakeven.claims.evaluate import evaluate
from breakeven.data.prepare import write
from breakeven.figures.plot import plot, specification
from breakeven.figures.registry import FIGURES
from breakeven.figures.symbols import html
from breakeven.measurements.assumptions import measure_assumptions
from breakeven.measurements.covariance import measure_covariance
from breakeven.measurements.density import measure_density
from breakeven.measurements.hessian import measure_hessian
from breakeven.measurements.locate import measure_locate
from breakeven.measurements.predictions import measure_predictions
from breakeven.measurements.sharpness import measure_sharpness
from breakeven.measurements.stability import measure_stability
from breakeven.report.build import build
from breakeven.specs.run import RunSpec, Segment, Switch, run_id, source_of
from breakeven.specs.study import Study
from breakeven.spectra.gram_spectrum import spectrum
from breakeven.spectra.lanczos import largest_eigenpairs
from breakeven.spectra.trace import hutchinson
from breakeven.store.errors import UserError
from breakeven.store.notes import Note
from breakeven.store.predictions import read
from breakeven.store.tables import read_table
from breakeven.summary.embed import FEWEST, embed
from breakeven.summary.summarise import summarise
from breakeven.training.train import train
from tests.tiny import DATASET, tiny_splits

CPU = torch.device("cpu")
NETWORK = f"{Path(__file__).with_name('degenerate_network.py')}:build"
SEARCH = {"eigenvalues": 2, "tolerance": 1e-3, "max_matvecs": 40, "trace_probes": 2, "batch_size": 8}
EXPLODES = 1e30  # a learning rate


@dataclass(frozen=True)
class Case:
    """What is run: a study with one run for each of ``rates``, on the network of this ``kind`` and the data ``splits``."""

    kind: str = "sound"
    rates: tuple[float, ...] = (0.05,)
    splits: str = "tiny"
    settings: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """What comes out, in the order of the rates, or the same for all runs.

    ``diverged``: the step, if so. ``snapshots``: the steps that are measured; ``k``, ``h``, ``lhs``: those of them where K, H and
    the left-hand side of Eq. 1 have values; None is all. ``log``, ``remarks``, ``point``: parts of what is said in the log of the
    training, and in ``runs.csv`` of what could not be computed and why there is no break-even point.
    """

    diverged: tuple[int | None, ...] = (None,)
    snapshots: tuple[list[int], ...] = ([0, 2, 4],)
    k: list[int] | None = None
    h: list[int] | None = None
    lhs: list[int] | None = None
    log: str = ""
    remarks: str = ""
    point: str = ""


def switch(step: int) -> dict:
    """Settings that make the weights explode in the SGD step that follows ``step``."""
    return {"schedule": (Switch(step, EXPLODES),)}


NEXT_NOT_FINITE = "the loss is not finite after the next SGD step"
NO_PRODUCT = Note.H_NOT_FINITE.sentence
K_IS_0 = "K at steps 0, 2, 4: K is 0, and has no conditioning"
H_IS_0 = "H at steps 0, 2, 4: H is 0"
NO_CURVATURE = "there is no curvature along e_H^1"
AT_BREAK_EVEN = {"schedule": (Switch(0.5, 0.01, "break_even"),)}
CASES = {
    "all diverge at step 0": (
        Case("nan", (0.1, 1.0)),
        Told((0, 0), ([], []), log="diverged: the training loss is nan at step 0", point="nothing was measured"),
    ),
    "the loss is infinite at step 0": (
        Case("infinite_loss"),
        Told(
            (0,),
            ([],),
            log="diverged: the training loss is inf at step 0",
            remarks="training loss at step 0: not finite; test loss at step 0: not finite",
        ),
    ),
    "a weight is infinite, the loss is not": (
        Case("infinite_weight"),
        Told((0,), ([],), log="diverged: a weight is inf at step 0"),
    ),
    "the gradient is infinite, the loss is not": (
        Case("infinite_gradient"),
        Told(
            (1,),
            ([0],),
            k=[],
            h=[],
            lhs=[],
            remarks="K at step 0: the gradients, or their inner products, are not finite in the precision of the measurement; "
            f"H at step 0: {NO_PRODUCT}; ΔL at step 0: {NEXT_NOT_FINITE}",
            point="e_H^1 was not found",
        ),
    ),
    "the curvature is infinite, the gradient is not": (
        Case("infinite_curvature"),
        Told((1,), ([0],), h=[], lhs=[], remarks=f"H at step 0: {NO_PRODUCT}", point="e_H^1 was not found"),
    ),
    "diverges between snapshots, after the first": (
        Case(settings=switch(0)),
        Told((1,), ([0],), remarks=f"ΔL at step 0: {NEXT_NOT_FINITE}"),
    ),
    "diverges at a snapshot": (Case(settings=switch(1)), Told((2,), ([0],), remarks="loss at step 2")),
    "diverges after a snapshot in the middle": (
        Case(settings=switch(2)),
        Told((3,), ([0, 2],), remarks=f"ΔL at step 2: {NEXT_NOT_FINITE}"),
    ),
    "diverges at the last step": (Case(settings=switch(3)), Told((4,), ([0, 2],), remarks="loss at step 4")),
    "explodes only after the last step": (
        Case(settings=switch(4)),
        Told(remarks=f"ΔL at step 4: {NEXT_NOT_FINITE}"),
    ),
    "a sound and an absurd learning rate, one seed": (
        Case(rates=(0.05, 1e30), settings={"steps": 2}),
        Told((None, 1), ([0, 2], [0])),
    ),
    "a learning rate of a million, and others": (
        Case(rates=(1.0, 1e6, 1e9, 1e15)),
        Told((None, 4, 3, 2), ([0, 2, 4], [0, 2], [0, 2], [0])),
    ),
    "an absurd learning rate with momentum": (
        Case(rates=(1e30,), settings={"momentum": 0.9}),
        Told((1,), ([0],), point="at the first measured step"),
    ),
    "a data set of one class": (
        Case(splits="one_class"),
        Told(lhs=[], remarks=f"{K_IS_0}; {H_IS_0}; Eq. 1 at steps 0, 2, 4: {NO_CURVATURE}", point=NO_CURVATURE),
    ),
    "gradients and curvature are exactly 0": (Case("says_nothing"), Told(lhs=[], remarks=f"{K_IS_0}; {H_IS_0}")),
    "all gradients are equal": (Case(splits="equal"), Told(remarks=K_IS_0)),
    "batch normalization of constant activations": (Case("constant_batch_norm"), Told()),
    "one snapshot": (
        Case(settings={"stop_at_accuracy": 0.0}),
        Told(snapshots=([0],), log="stopped: the training accuracy"),
    ),
    "a switch at a break-even point that never comes": (
        Case("nan", settings=AT_BREAK_EVEN),
        Told(
            (0,),
            ([],),
            remarks="the learning rate never switches to 0.01: there is no break-even point to switch at",
        ),
    ),
    "a switch at the break-even point of a run that diverged": (
        Case(rates=(EXPLODES,), settings=AT_BREAK_EVEN),
        Told(),
    ),
}
# Those that go on to the claims, the figures and the report: nothing measured, nothing finite, nothing but 0, and a mixture;
# and whether pictures are made of the figures, too.
SHOWN = {
    "all diverge at step 0": True,
    "the gradient is infinite, the loss is not": False,
    "a data set of one class": False,
    "a sound and an absurd learning rate, one seed": True,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The folders of three data sets: ordinary, of one class, and of equal examples."""
    tiny = tiny_splits()
    one_class = replace(
        tiny, train_labels=0 * tiny.train_labels, test_labels=0 * tiny.test_labels, classes=("the only one",)
    )
    equal = replace(
        tiny,
        train_inputs=np.repeat(tiny.train_inputs[:1], len(tiny.train_inputs), axis=0),
        train_labels=0 * tiny.train_labels,
    )
    folders = {}
    for name, splits in {"tiny": tiny, "one_class": one_class, "equal": equal}.items():
        folders[name] = tmp_path_factory.mktemp(name)
        write(splits, DATASET, folders[name], 0.3, seed=0, train_examples=None, test_examples=None)
    return folders


def spec_of(case: Case, rate: float) -> RunSpec:
    settings = {"steps": 4, "snapshots": (Segment(2),), "network_options": {"kind": case.kind}} | case.settings
    return RunSpec(dataset=DATASET, network=NETWORK, learning_rate=rate, batch_size=8, seed=0, **settings)


def trained_and_measured(results: Path, data: Path, spec: RunSpec) -> str:
    """All stages of a run; the log of its training."""
    run, log = results / "runs" / run_id(spec), io.StringIO()
    source = source_of(spec)
    if source is not None:
        trained_and_measured(results, data, source)
    folder = None if source is None else results / "runs" / run_id(source)
    with contextlib.redirect_stderr(log):
        train(spec, data, run, results / "state", CPU, "", folder)
        measure_covariance(
            run, data, run / "covariance.csv", CPU, 2000, batch_size=4, batches=None, precision="float32"
        )
        measure_hessian(run, data, run / "hessian.csv", CPU, 2000, **SEARCH, precision="float32")
        of_hessian = {"batch_size": SEARCH["batch_size"], "precision": "float32"}
        measure_stability(run, data, run / "stability.csv", CPU, **of_hessian)
        of_k = {"covariance_batch_size": 4, "covariance_batches": None}
        measure_assumptions(run, data, run / "assumptions.csv", CPU, 2000, **of_hessian, **of_k)
        solver = {name: SEARCH[name] for name in ("tolerance", "max_matvecs")}
        measure_locate(run, data, run / "locate.csv", CPU, 2000, most_steps=32, **solver, **of_hessian)
        measure_density(run, data, run / "density.csv", CPU, 2000, probes=1, steps=3, **of_hessian)
        draws = {"max_draws": 4, "tolerance": 0.05, "eigenvalue_draws": 2, "precision": "float32"}
        measure_sharpness(run, data, run / "sharpness.csv", CPU, 2000, **draws)
        measure_predictions(run, data, run / "predictions.safetensors", CPU)
    return log.getvalue()


@dataclass(frozen=True)
class Done:
    """The results folder of a case; its study, the folders of its runs and the logs of their trainings."""

    results: Path
    study: Study
    runs: list[Path]
    logs: list[str]

    @property
    def tables(self) -> Path:
        return self.results / "tables" / NAME


NAME = "1e3"  # a name like a number, too


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    """A function that gives the study of a case, trained, measured and summarised once."""
    found = {}

    def study_of(name):
        if name not in found:
            case = CASES[name][0]
            results, specs = tmp_path_factory.mktemp("results"), [spec_of(case, rate) for rate in case.rates]
            with as_errors():
                logs = [trained_and_measured(results, data[case.splits], spec) for spec in specs]
                summarise(results, study_in(specs), results / "tables" / NAME)
            found[name] = Done(results, study_in(specs), [results / "runs" / run_id(spec) for spec in specs], logs)
        return found[name]

    return study_of


def study_in(specs):
    labels = ("learning_rate", "batch_size", "seed")
    points = {run_id(spec): {name: getattr(spec, name) for name in labels} for spec in specs}
    asked = ("sharpness",)
    return Study(
        NAME,
        measurements=asked,
        swept=("learning_rate",) if len(specs) > 1 else (),
        figures=tuple(FIGURES),
        points=points,
    )


@contextlib.contextmanager
def as_errors():
    """A warning is an error: what can't be computed is said once, in the tables."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated")
        yield


def steps_with(table: pd.DataFrame, column: str) -> list[int]:
    return table["step"][table[column].notna()].tolist()


def of(values, index):
    return values[index] if len(values) > 1 else values[0]


@pytest.mark.parametrize("name", CASES)
def test_what_is_computed(name, done):
    """Where each run ends, and at which steps each quantity has a value."""
    told, study = CASES[name][1], done(name)
    expected, found = [], []
    for index, run in enumerate(study.runs):
        steps, diverged = of(told.snapshots, index), of(told.diverged, index)
        in_order = [steps if there is None else there for there in (told.k, told.h, told.lhs)]
        expected.append(
            {"diverged": diverged, "snapshots": steps} | dict(zip(("K", "H", "Eq. 1"), in_order, strict=True))
        )
        training = json.loads((run / "training.json").read_text(encoding="utf-8"))
        k, h, stability = (read_table(run / f"{table}.csv") for table in ("covariance", "hessian", "stability"))
        found.append(
            {
                "diverged": training["diverged_step"],
                "snapshots": [entry["step"] for entry in training["snapshots"]],
                "K": steps_with(k, "lambda_1"),
                "H": steps_with(h, "lambda_1"),
                "Eq. 1": steps_with(stability, "stability_lhs"),
            }
        )
        assert ("diverged" in study.logs[index]) == (diverged is not None)
        assert told.log in study.logs[index]
    assert found == expected


@pytest.mark.parametrize("name", CASES)
def test_an_empty_cell_has_its_reason_beside_it(name, done):
    """And nothing else than an empty cell stands for what could not be computed."""
    told, study = CASES[name][1], done(name)
    for index, run in enumerate(study.runs):
        steps = of(told.snapshots, index)
        k, h, stability, density, sharpness = (
            read_table(run / f"{table}.csv") for table in ("covariance", "hessian", "stability", "density", "sharpness")
        )
        assert k["step"].tolist() == h["step"].tolist() == stability["step"].tolist() == steps
        assert set(density["step"]) == set(steps) and sharpness["step"].tolist() == steps
        assert sharpness["note"][sharpness.drop(columns="note").isna().any(axis=1)].notna().all()
        assumptions = read_table(run / "assumptions.csv")
        assert assumptions["step"].tolist() == steps
        empty = assumptions.drop(columns=["note"]).isna().any(axis=1)
        assert assumptions["note"][empty].notna().all() and assumptions["note"][~empty].isna().all()
        assert steps_with(k, "trace") == steps_with(k, "lambda_1")
        assert set(steps_with(density, "eigenvalue")) == set(steps_with(h, "lambda_1"))
        empty = k.drop(columns=["gamma_norm", "note"]).isna().any(axis=1)
        assert k["note"][empty].notna().all() and k["note"][~empty].isna().all()
        assert density["note"].notna().equals(density["eigenvalue"].isna())
        assert h["note"][h["lambda_1"].isna()].notna().all() and not h["converged"][h["lambda_1"].isna()].any()
        assert stability["note"][stability["stability_lhs"].isna() | stability["delta_loss"].isna()].notna().all()
        others = stability.drop(columns=["stability_lhs", "note"]).astype(float)
        assert not np.isinf(others).any(axis=None)
        for path in run.glob("*.csv"):
            if path.name not in ("stability.csv", "locate.csv"):  # where infinity is a left-hand side of Eq. 1
                assert "inf" not in path.read_text(encoding="utf-8").replace("finite", ""), path.name
        found, predictions = read(run / "predictions.safetensors", run.name)
        assert found.tolist() == steps and predictions.shape[0] == len(steps)


@pytest.mark.parametrize("name", CASES)
def test_the_tables_of_the_study_say_what_is_missing(name, done, vega):
    told, study = CASES[name][1], done(name)
    table = read_table(study.tables / "runs.csv").set_index("run")
    trajectories = read_table(study.tables / "trajectories.csv")
    infinite = trajectories["quantity"][np.isinf(trajectories["value"].astype(float))]
    assert set(infinite) <= {"stability_lhs"} and trajectories["value"].notna().all()
    for index, run in enumerate(study.runs):
        row = table.loc[run.name]
        assert row["diverged"] == (of(told.diverged, index) is not None)
        assert pd.isna(row["final_test_accuracy"]) == row["diverged"]
        assert told.remarks in ("" if pd.isna(row["remarks"]) else row["remarks"])
        assert told.point in ("" if pd.isna(row["break_even_note"]) else row["break_even_note"])
        if told.lhs == []:
            assert pd.isna(row[["break_even_step", "break_even_lambda_H", "predicted_lambda_H"]]).all()


@pytest.mark.parametrize("name", SHOWN)
def test_the_claims_figures_and_report_show_what_is_missing(name, done, vega):
    """Claims are inconclusive and say why; all figures are drawn where nothing but their axes may be left."""
    told, study = CASES[name][1], done(name)
    figures, config = study.results / "figures" / NAME, study.results / "config.yaml"
    config.write_text("studies: {}\n", encoding="utf-8")
    with as_errors():
        evaluate(study.results / "tables", [study.study], study.results / "tables" / "claims.csv")
        embed(study.results, study.study, study.tables / "embedding.csv")
        for figure in FIGURES:
            if SHOWN[name]:
                plot(figure, study.tables, study.study, figures, vega)
            else:
                specification(figure, study.tables, study.study)
        build(study.results / "report.html", study.results, [study.study], config, vega)

    claims = read_table(study.results / "tables/claims.csv")
    assert set(claims["verdict"]) == {"inconclusive"}
    assert claims["note"].notna().all() and (claims["p_value"].isna() | (claims["p_value"] == 1)).all()  # of one seed
    if SHOWN[name]:
        names = {path.name for path in figures.iterdir()}
        assert names == {f"{figure}.{end}" for figure in FIGURES for end in ("html", "svg", "png", "vl.json", "csv")}
    page = (study.results / "report.html").read_text(encoding="utf-8")
    assert html(told.remarks) in page and html(told.point) in page


# ------------------------------------------------------------------- refused


def test_a_batch_size_above_the_training_set(data, tmp_path):
    """Where only the files say how large the training set is; a config that knows it is refused before (tests/config)."""
    spec = replace(spec_of(Case(), 0.05), batch_size=64)
    with pytest.raises(UserError, match=r"^batch_size: 64 is more than the 43 training examples: lower it$"):
        train(spec, data["tiny"], tmp_path / "run", tmp_path / "state", CPU, "")


# ----------------------------------------------------------------- the parts


@pytest.mark.parametrize("value", [math.nan, math.inf, 3e38])
@pytest.mark.parametrize("at", [1, 3])
def test_an_eigensolver_stops_at_a_product_that_is_not_finite(value, at):
    """NaN, infinity, and finite numbers whose norm is not; no eigenvalue is made up of what came before."""
    matrix = torch.diag(torch.arange(8.0))
    products = []

    def matvec(vector):
        products.append(matrix @ vector)
        return torch.full_like(vector, value) if len(products) == at else products[-1]

    draws = torch.Generator().manual_seed(0)
    found = largest_eigenpairs(matvec, torch.randn(1, 8, generator=draws), 2, 1e-6, 8, draws)
    assert len(products) == found.matvecs == at and not found.converged
    assert found.values.isnan().all() and found.residuals.isnan().all()
    trace = hutchinson(lambda vector: matrix @ vector, found.basis, found.projected, 2, draws)
    assert trace.estimate == pytest.approx(28) and trace.error == pytest.approx(0)  # of a diagonal matrix, exact
    assert math.isnan(hutchinson(lambda v: math.nan * v, found.basis, found.projected, 2, draws).estimate)


def test_a_covariance_whose_sums_overflow_is_not_computed():
    gram = torch.full((4, 4), 1e308, dtype=torch.float64)
    assert spectrum(gram).eigenvalues.isnan().all()


@pytest.mark.parametrize("rows", [3, 17, 100])
def test_equal_gradients_have_a_covariance_of_zero(rows):
    """Up to the rounding of their inner products, of which no ratio is made."""
    draws = torch.Generator().manual_seed(rows)
    gradient = torch.randn(1000, generator=draws, dtype=torch.float64)
    gram = torch.full((rows, rows), float(gradient @ gradient), dtype=torch.float64)
    noise = torch.randn(rows, rows, generator=draws, dtype=torch.float64)
    found = spectrum(gram * (1 + 2e-16 * (noise + noise.T)))
    assert (found.eigenvalues == 0).all() and math.isnan(found.g_over_g5)


def test_the_cases_need_no_map():
    """UMAP is slow to import; that it lays out what is finite is tested in tests/summary/test_embed.py."""
    assert max(sum(map(len, CASES[name][1].snapshots)) for name in SHOWN) < FEWEST
