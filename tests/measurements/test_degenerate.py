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
from breakeven.measurements.covariance import measure_covariance
from breakeven.measurements.density import measure_density
from breakeven.measurements.hessian import measure_hessian
from breakeven.measurements.predictions import measure_predictions
from breakeven.measurements.stability import measure_stability
from breakeven.report.build import build
from breakeven.specs.run import RunSpec, Segment, Switch, run_id, source_of
from breakeven.specs.study import from_part
from breakeven.spectra.gram_spectrum import spectrum
from breakeven.spectra.lanczos import largest_eigenpairs
from breakeven.spectra.trace import hutchinson
from breakeven.store.errors import UserError
from breakeven.store.predictions import read
from breakeven.store.tables import read_table
from breakeven.summary.break_even import break_even_step
from breakeven.summary.embed import FEWEST, embed
from breakeven.summary.summarise import summarise
from breakeven.training.train import train
from tests.tiny import DATASET, tiny_splits

CPU = torch.device("cpu")
NETWORK = f"{Path(__file__).with_name('degenerate_network.py')}:build"
SEARCH = {"eigenvalues": 2, "tolerance": 1e-3, "max_matvecs": 40, "trace_probes": 2, "batch_size": 8}
FEW_FIGURES = ("training_curves", "lambda_H", "early_phase", "break_even", "maxima", "generalization")
EXPLODES = 1e30  # a learning rate


@dataclass(frozen=True)
class Case:
    """What is run, and what is known of it: in the order of ``rates``, or the same for all runs.

    ``snapshots``: the steps that are measured; ``k``, ``h``, ``lhs``: those of them where K, H and the left-hand side of Eq. 1
    have values; None is all. ``log``, ``remarks``, ``point``: parts of what is said in the log of the training, and in
    ``runs.csv`` of what could not be computed and why there is no break-even point.
    """

    kind: str = "sound"
    rates: tuple[float, ...] = (0.05,)
    settings: dict = field(default_factory=dict)
    splits: str = "tiny"
    swept: tuple[str, ...] = ()
    diverged: tuple[int | None, ...] = (None,)
    snapshots: tuple[list[int], ...] = ([0, 2, 4],)
    k: list[int] | None = None
    h: list[int] | None = None
    lhs: list[int] | None = None
    log: str = ""
    remarks: str = ""
    point: str = ""
    figures: str = "few"


def switch(step: int) -> dict:
    """Settings that make the weights explode in the SGD step that follows ``step``."""
    return {"schedule": (Switch(step, EXPLODES),)}


NOT_FINITE = "not finite in float32"
CASES = {
    "all diverge at step 0": Case(
        "nan", (0.1, 1.0), swept=("learning_rate",), diverged=(0, 0), snapshots=([], []), figures="all",
        log="diverged: the training loss is nan at step 0", point="nothing was measured",
    ),
    "the loss is infinite at step 0": Case(
        "infinite_loss", diverged=(0,), snapshots=([],), log="diverged: the training loss is inf at step 0",
        remarks="training loss at step 0: not finite; test loss at step 0: not finite",
    ),
    "a weight is infinite, the loss is not": Case(
        "infinite_weight", diverged=(0,), snapshots=([],), log="diverged: a weight is inf at step 0",
    ),
    "the gradient is infinite, the loss is not": Case(
        "infinite_gradient", diverged=(1,), snapshots=([0],), k=[], h=[], lhs=[],
        remarks=f"K at step 0: the gradients, or their inner products, are {NOT_FINITE}; "
        f"H at step 0: a product of H and a vector, or its norm, is {NOT_FINITE}; "
        "ΔL at step 0: the loss is not finite after the next SGD step",
        point="e_H^1 was not found",
    ),
    "the curvature is infinite, the gradient is not": Case(
        "infinite_curvature", diverged=(1,), snapshots=([0],), h=[], lhs=[],
        remarks=f"H at step 0: a product of H and a vector, or its norm, is {NOT_FINITE}", point="e_H^1 was not found",
    ),
    "diverges between snapshots, after the first": Case(
        settings=switch(0), diverged=(1,), snapshots=([0],),
        remarks="ΔL at step 0: the loss is not finite after the next SGD step",
    ),
    "diverges at a snapshot": Case(settings=switch(1), diverged=(2,), snapshots=([0],), remarks="loss at step 2"),
    "diverges after a snapshot in the middle": Case(
        settings=switch(2), diverged=(3,), snapshots=([0, 2],),
        remarks="ΔL at step 2: the loss is not finite after the next SGD step",
    ),
    "diverges at the last step": Case(settings=switch(3), diverged=(4,), snapshots=([0, 2],), remarks="loss at step 4"),
    "explodes only after the last step": Case(
        settings=switch(4), remarks="ΔL at step 4: the loss is not finite after the next SGD step"
    ),
    "a sound and an absurd learning rate, one seed": Case(
        rates=(0.05, 1e30), swept=("learning_rate",), diverged=(None, 1), snapshots=([0, 2], [0]),
        settings={"steps": 2}, figures="all",
    ),
    "a learning rate of a million, and others": Case(
        rates=(1.0, 1e6, 1e9, 1e15), swept=("learning_rate",), diverged=(None, 4, 3, 2),
        snapshots=([0, 2, 4], [0, 2], [0, 2], [0]),
    ),
    "an absurd learning rate with momentum": Case(
        rates=(1e30,), settings={"momentum": 0.9}, diverged=(1,), snapshots=([0],), lhs=[],
        point="Eq. 1 holds for plain SGD only, not with momentum 0.9",
    ),
    "a data set of one class": Case(
        splits="one_class", lhs=[], remarks="K at steps 0, 2, 4: K is 0, and has no conditioning; H at steps 0, 2, 4: H is 0; "
        "Eq. 1 at steps 0, 2, 4: there is no curvature along e_H^1", point="there is no curvature along e_H^1",
    ),
    "gradients and curvature are exactly 0": Case(
        "says_nothing", lhs=[], remarks="K at steps 0, 2, 4: K is 0, and has no conditioning; H at steps 0, 2, 4: H is 0"
    ),
    "all gradients are equal": Case(splits="equal", remarks="K at steps 0, 2, 4: K is 0, and has no conditioning"),
    "batch normalization of constant activations": Case("constant_batch_norm"),
    "one snapshot": Case(settings={"stop_at_accuracy": 0.0}, snapshots=([0],), log="stopped: the training accuracy"),
    "a switch at a break-even point that never comes": Case(
        "nan", settings={"schedule": (Switch(0.5, 0.01, "break_even"),)}, diverged=(0,), snapshots=([],),
        remarks="the learning rate never switches to 0.01: there is no break-even point to switch at",
    ),
    "a switch at the break-even point of a run that diverged": Case(
        rates=(EXPLODES,), settings={"schedule": (Switch(0.5, 0.01, "break_even"),)},
    ),
}  # fmt: skip


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
    step = None if source is None else break_even_step(results / "runs" / run_id(source))
    with contextlib.redirect_stderr(log):
        train(spec, data, run, results / "state", CPU, "", step)
        measure_covariance(run, data, run / "covariance.csv", CPU, 2000, 4, None, "float32")
        measure_hessian(run, data, run / "hessian.csv", CPU, 2000, **SEARCH, precision="float32")
        measure_stability(run, data, run / "stability.csv", CPU, SEARCH["batch_size"], "float32")
        measure_density(run, data, run / "density.csv", CPU, 2000, 1, 3, SEARCH["batch_size"], "float32")
        measure_predictions(run, data, run / "predictions.safetensors", CPU)
    return log.getvalue()


@pytest.fixture(scope="module", params=list(CASES))
def done(request, data, tmp_path_factory):
    """A case, with the results folder of its study, its runs and the logs of their trainings."""
    case, results = CASES[request.param], tmp_path_factory.mktemp("results")
    specs = [spec_of(case, rate) for rate in case.rates]
    study = {"name": "1e3", "swept": list(case.swept), "accuracy_threshold": 0.6}  # a name like a number, too
    rows = [[run_id(spec), spec.learning_rate, spec.batch_size, spec.seed] for spec in specs]
    points = {"columns": ["run", "learning_rate", "batch_size", "seed"], "rows": rows}
    tables, figures = results / "tables" / "1e3", results / "figures" / "1e3"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what can't be computed is said once, in the tables
        warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated")
        logs = [trained_and_measured(results, data[case.splits], spec) for spec in specs]
        summarise(results, points, study["accuracy_threshold"], tables)
        evaluate(results / "tables", [study], results / "tables" / "claims.csv")
        drawn = from_part(study | {"figures": list(FIGURES)})
        if case.figures == "all":
            embed(results, points, tables / "embedding.csv")
            for figure in FIGURES:
                plot(figure, tables, drawn, figures)
        else:
            for figure in FEW_FIGURES:
                specification(figure, tables, drawn)
        (results / "config.yaml").write_text("studies: {}\n", encoding="utf-8")
        build(results / "report.html", results, [drawn], results / "config.yaml")
    return case, results, [results / "runs" / run_id(spec) for spec in specs], logs


def steps_with(table: pd.DataFrame, column: str) -> list[int]:
    return table["step"][table[column].notna()].tolist()


def of(values, index):
    return values[index] if len(values) > 1 else values[0]


def test_a_run_ends_where_it_diverges(done):
    case, _, runs, logs = done
    for index, (run, log) in enumerate(zip(runs, logs, strict=True)):
        training = json.loads((run / "training.json").read_text(encoding="utf-8"))
        step = of(case.diverged, index)
        assert training["diverged_step"] == step
        assert [entry["step"] for entry in training["snapshots"]] == of(case.snapshots, index)
        assert ("diverged" in log) == (step is not None)
        assert case.log in log


def test_what_can_be_measured_is_and_the_rest_has_a_reason(done):
    case, _, runs, _ = done
    for index, run in enumerate(runs):
        steps = of(case.snapshots, index)
        names = ("covariance", "hessian", "stability", "density")
        k, h, stability, density = (read_table(run / f"{name}.csv") for name in names)
        assert k["step"].tolist() == h["step"].tolist() == stability["step"].tolist() == steps
        assert set(density["step"]) == set(steps)
        assert steps_with(k, "lambda_1") == steps_with(k, "trace") == (steps if case.k is None else case.k)
        assert steps_with(h, "lambda_1") == (steps if case.h is None else case.h)
        assert set(steps_with(density, "eigenvalue")) == set(steps_with(h, "lambda_1"))
        assert steps_with(stability, "stability_lhs") == (steps if case.lhs is None else case.lhs)
        # an empty cell has its reason beside it, and nothing else than an empty cell stands for it
        empty = k.drop(columns=["gamma_norm", "note"]).isna().any(axis=1)
        assert k["note"][empty].notna().all() and k["note"][~empty].isna().all()
        assert density["note"].notna().equals(density["eigenvalue"].isna())
        assert h["note"][h["lambda_1"].isna()].notna().all() and not h["converged"][h["lambda_1"].isna()].any()
        assert stability["note"][stability["stability_lhs"].isna() | stability["delta_loss"].isna()].notna().all()
        for path in run.glob("*.csv"):
            assert "inf" not in path.read_text(encoding="utf-8").replace("finite", "")
        found, predictions = read(run / "predictions.safetensors", run.name)
        assert found.tolist() == steps and predictions.shape[0] == len(steps)


def test_the_tables_of_the_study_say_what_is_missing(done):
    case, results, runs, _ = done
    table = read_table(results / "tables/1e3/runs.csv").set_index("run")
    trajectories = read_table(results / "tables/1e3/trajectories.csv")
    assert np.isfinite(trajectories["value"].astype(float)).all()
    for index, run in enumerate(runs):
        row = table.loc[run.name]
        assert row["diverged"] == (of(case.diverged, index) is not None)
        assert pd.isna(row["final_test_accuracy"]) == row["diverged"]
        assert case.remarks in ("" if pd.isna(row["remarks"]) else row["remarks"])
        assert case.point in ("" if pd.isna(row["break_even_note"]) else row["break_even_note"])
        if case.lhs == []:
            assert pd.isna(row[["break_even_step", "break_even_lambda_H", "predicted_lambda_H"]]).all()


def test_the_claims_are_inconclusive_and_say_why(done):
    _, results, _, _ = done
    claims = read_table(results / "tables/claims.csv")
    assert set(claims["verdict"]) == {"inconclusive"}
    assert claims["note"].notna().all() and claims["p_value"].isna().all()


def test_the_report_shows_what_is_missing(done):
    case, results, _, _ = done
    page = (results / "report.html").read_text(encoding="utf-8")
    assert case.remarks in page and case.point in page
    if case.figures == "all":
        names = sorted(path.name for path in (results / "figures/1e3").iterdir() if path.suffix != ".sha256")
        assert names == sorted(f"{name}.{end}" for name in FIGURES for end in ("html", "svg", "png", "vl.json", "csv"))


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
    trace, error = hutchinson(lambda vector: matrix @ vector, found.basis, found.projected, 2, draws)
    assert trace == pytest.approx(28) and error == pytest.approx(0)  # of a diagonal matrix, exact
    assert math.isnan(hutchinson(lambda v: math.nan * v, found.basis, found.projected, 2, draws)[0])


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
    """UMAP is slow to import; that it lays out what is finite is tested in tests/test_embed.py."""
    assert max(sum(map(len, case.snapshots)) for case in CASES.values() if case.figures == "all") < FEWEST
