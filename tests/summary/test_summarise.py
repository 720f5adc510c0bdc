import csv
import json
import math
from dataclasses import replace

import pandas as pd
import pytest

from breakeven.specs.measurements import QUANTITIES
from breakeven.specs.quantities import Quantity
from breakeven.specs.study import Study
from breakeven.store.errors import UserError
from breakeven.store.notes import Note, cell
from breakeven.store.tables import read_table, write_table
from breakeven.store.training_record import SnapshotEntry, SwitchAtStep, TrainingRecord, write_training
from breakeven.summary import summarise as module
from breakeven.summary.remarks import remarks
from breakeven.summary.summarise import summarise

# step: (λ_K^1, λ_K^*, Tr K) and (λ_H^1, λ_H^2, Tr H)
COVARIANCE = {0: (1.5, 0.5, 3.0), 10: (4.0, 1.0, 6.0), 20: (2.0, 1.5, 5.0)}
HESSIAN = {0: (7.0, 3.0, 9.0), 10: (8.0, 2.0, 8.5), 20: (9.5, 1.0, 12.0)}
# step: (s², left-hand side of Eq. 1, α*, ΔL) at η = 0.1, S = 32, N = 288
STABILITY = {0: (1.0, 0.4, 9.0, -0.1), 10: (2.0, 1.5, 2.5, 0.2), 20: (3.0, 0.9, 2.0, 0.1)}
# of assumptions.csv, whose values here are the step and the place of the column
ASSUMPTIONS = [each.column for each in QUANTITIES if each.table == "assumptions"]
# step: (training loss and accuracy, test loss and accuracy), 8 steps per epoch
HISTORY = {
    0: (2.3, 0.1, 2.4, 0.1),
    8: (1.0, 0.6, 1.1, 0.55),
    10: (0.8, 0.7, 1.0, 0.6),
    16: (0.9, 0.5, 1.0, 0.5),
    20: (0.5, 0.9, 0.7, 0.8),
}


@pytest.fixture(autouse=True)
def folders_are_called_as_their_runs(monkeypatch):
    monkeypatch.setattr(module, "run_in", lambda folder: folder.name)


def record(steps=(), diverged_step=None, stopped_step=None, switches=(), **others):
    return TrainingRecord(
        key="",
        steps=20,
        steps_per_epoch=8,
        train_examples=288,
        diverged_step=diverged_step,
        stopped_step=stopped_step,
        switches=tuple(SwitchAtStep(*switch) for switch in switches),
        snapshots=tuple(SnapshotEntry(step, f"step-{step}", "", 0.1) for step in steps),
        **others,
    )


def write_run(
    results,
    run,
    covariance=COVARIANCE,
    hessian=HESSIAN,
    history=HISTORY,
    diverged_step=None,
    stability=STABILITY,
    **training,
):
    folder = results / "runs" / run
    folder.mkdir(parents=True)
    covariance = {step: covariance.get(step, (1.0, 0.5, 2.0)) for step in hessian}  # of the same snapshots
    tables = {
        "covariance": [
            "step,lambda_1,lambda_star,trace,lambda_star_over_lambda_1,trace_over_lambda_1,g_over_g5,gamma_norm,note",
            *(
                f"{step},{k1},{ks},{tr},{ks / k1 if k1 else ''},{tr / k1 if k1 else ''},{k1 / k1 / 4 if k1 else ''},{step + 1},"
                for step, (k1, ks, tr) in covariance.items()
            ),
        ],
        "hessian": [
            "step,lambda_1,lambda_2,trace,residual_1,residual_2,matvecs,converged,trace_over_lambda_1,"
            "trace_top_5_over_lambda_1,note",
            *(
                f"{step},{h1},{h2},{tr},1e-4,1e-4,30,{step != 20},{tr / h1},{2 * tr / h1},"
                for step, (h1, h2, tr) in hessian.items()
            ),
        ],
        "stability": [
            "step,learning_rate,lambda_1,curvature_variance,stability_lhs,two_over_lr,alpha_star,delta_loss,threshold,"
            "break_even_curvature,note",
            *(
                f"{step},0.1,{hessian[step][0]},{s2},{lhs},20.0,{a},{d},38.0,{hessian[step][0] / 2},"
                for step, (s2, lhs, a, d) in ((step, stability.get(step, (1.0, 0.5, 2.0, 0.1))) for step in hessian)
            ),
        ],
        "assumptions": [
            ",".join(["step", *ASSUMPTIONS, "note"]),
            *(",".join([str(step), *(str(step + place) for place in range(len(ASSUMPTIONS))), ""]) for step in hessian),
        ],
        "history": [
            "step,epoch,split,loss,accuracy,learning_rate",
            *(
                f"{step},{step / 8},{split},{loss},{accuracy},{0.1 - step / 1000}"
                for step, (a, b, c, d) in history.items()
                for split, loss, accuracy in (("train", a, b), ("test", c, d))
            ),
        ],
    }
    point = next((step for step in hessian if stability.get(step, (1.0, 0.5))[1] >= 1), None)
    before = [step for step in hessian if point is not None and step < point][-1:]
    tables["locate"] = [
        "step,learning_rate,lambda_1,curvature_variance,stability_lhs,break_even_curvature,matvecs,note",
        *(
            f"{step},0.1,{hessian[step][0]},1.0,{stability.get(step, (1.0, 0.5))[1]},{hessian[step][0] / 2},,"
            for step in (*before, *([] if point is None else [point]))
        ),
    ]
    for name, lines in tables.items():
        (folder / f"{name}.csv").write_text("\n".join(lines).replace("nan", "") + "\n")
    write_training(folder, record(hessian, diverged_step, **training))


def points_of(*rows, columns=("learning_rate", "batch_size")):
    return {run: dict(zip((*columns, "seed"), labels, strict=True)) for run, *labels in rows}


def tables_of(results, points, threshold=0.6):
    out = results / "tables" / "main"
    summarise(results, Study(points=points, accuracy_threshold=threshold), out)
    tables = []
    for name in ("runs", "trajectories"):
        with (out / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            tables.append(list(csv.DictReader(file)))
    return tables


def values(trajectories, quantity, run="a"):
    rows = [row for row in trajectories if row["run"] == run and row["quantity"] == quantity]
    return {int(row["step"]): float(row["value"]) for row in rows}


def test_one_row_per_run(tmp_path):
    write_run(tmp_path, "a")
    (row,), _ = tables_of(tmp_path, points_of(("a", 0.1, 32, 3)))
    assert row == {
        "run": "a",
        "learning_rate": "0.1",
        "batch_size": "32",
        "seed": "3",
        "diverged": "False",
        "max_lambda_K": "4.0",
        "step_of_max_lambda_K": "10",
        "max_lambda_H": "9.5",
        "step_of_max_lambda_H": "20",
        "max_trace_K": "6.0",
        "max_lambda_star_over_lambda_1": "0.75",
        "max_trace_over_lambda_1": "2.5",
        "break_even_step": "10",
        "break_even_lambda_H": "8.0",
        "break_even_epoch": "1.25",
        "threshold_epoch": "1.25",  # at step 8 the accuracy is the threshold, and not above it
        "final_train_accuracy": "0.9",
        "final_test_accuracy": "0.8",
        "break_even_after_step": "0",
        "predicted_lambda_H": "4.0",  # as the stage stability put it into `break_even_curvature`, at step 10
        "break_even_note": "",
        "first_peak_step": "",  # it grows until the end
        "unconverged_snapshots": "1",
        "first_switch_step": "",
        "lambda_K_over_lambda_H": str(math.exp(sum(math.log(COVARIANCE[t][0] / HESSIAN[t][0]) for t in (0, 10)) / 2)),
        "lambda_K_over_lambda_H_spread": "",  # of two steps until break-even
        "lambda_K_lambda_H_slope": "",
        "max_trace_H": "12.0",
        "max_g_over_g5": "0.25",
        "remarks": "",
        "sampling": "reshuffle",
        "max_trace_H_over_lambda_1": str(9 / 7),
        "max_trace_top_5_H_over_lambda_1": str(18 / 7),
        "measured_break_even_step": "10",
        "stable_again_step": "",
    }


def test_the_long_table(tmp_path):
    write_run(tmp_path, "a")
    _, rows = tables_of(tmp_path, points_of(("a", 0.1, 32, 3)))
    assert list(rows[0]) == ["run", "learning_rate", "batch_size", "seed", "step", "epoch", "quantity", "value"]
    assert all(
        (row["run"], row["learning_rate"], row["batch_size"], row["seed"]) == ("a", "0.1", "32", "3") for row in rows
    )
    assert all(float(row["epoch"]) == int(row["step"]) / 8 for row in rows)
    expected = {
        "lambda_K_1": {step: k[0] for step, k in COVARIANCE.items()},
        "lambda_K_star": {step: k[1] for step, k in COVARIANCE.items()},
        "trace_K": {step: k[2] for step, k in COVARIANCE.items()},
        "lambda_star_over_lambda_1": {step: k[1] / k[0] for step, k in COVARIANCE.items()},
        "trace_over_lambda_1": {step: k[2] / k[0] for step, k in COVARIANCE.items()},
        "g_over_g5": dict.fromkeys(COVARIANCE, 0.25),
        "gamma_norm": {step: step + 1.0 for step in COVARIANCE},
        "lambda_H_1": {step: h[0] for step, h in HESSIAN.items()},
        "lambda_H_2": {step: h[1] for step, h in HESSIAN.items()},
        "trace_H": {step: h[2] for step, h in HESSIAN.items()},
        "trace_H_over_lambda_1": {step: h[2] / h[0] for step, h in HESSIAN.items()},
        "trace_top_5_H_over_lambda_1": {step: 2 * h[2] / h[0] for step, h in HESSIAN.items()},
        "converged_H": {0: 1.0, 10: 1.0, 20: 0.0},
        "curvature_variance": {step: s[0] for step, s in STABILITY.items()},
        "stability_lhs": {step: s[1] for step, s in STABILITY.items()},
        # from the last stable snapshot to the first unstable one
        "located_lambda_H_1": {step: HESSIAN[step][0] for step in (0, 10)},
        "located_stability_lhs": {step: STABILITY[step][1] for step in (0, 10)},
        "alpha_star": {step: s[2] for step, s in STABILITY.items()},
        "delta_loss": {step: s[3] for step, s in STABILITY.items()},
        "threshold": dict.fromkeys(STABILITY, 38.0),
        "two_over_lr": dict.fromkeys(STABILITY, 20.0),
        "break_even_curvature": {step: h[0] / 2 for step, h in HESSIAN.items()},
        **{name: {step: step + place for step in HESSIAN} for place, name in enumerate(ASSUMPTIONS)},
        "train_loss": {step: h[0] for step, h in HISTORY.items()},
        "train_accuracy": {step: h[1] for step, h in HISTORY.items()},
        "test_loss": {step: h[2] for step, h in HISTORY.items()},
        "test_accuracy": {step: h[3] for step, h in HISTORY.items()},
        "step_learning_rate": {step: 0.1 - step / 1000 for step in HISTORY},
    }
    assert {row["quantity"] for row in rows} == expected.keys()
    for quantity, trajectory in expected.items():
        assert values(rows, quantity) == trajectory
        assert list(values(rows, quantity)) == sorted(trajectory)


@pytest.mark.parametrize(
    ("threshold", "epoch"), [(0.0, "0.0"), (0.55, "1.0"), (0.69, "1.25"), (0.7, "2.5"), (0.95, "")]
)
def test_threshold_epoch(tmp_path, threshold, epoch):
    write_run(tmp_path, "a")
    (row,), _ = tables_of(tmp_path, points_of(("a", 0.1, 32, 3)), threshold)
    assert row["threshold_epoch"] == epoch


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([1, 5, 4, 9], "10"),  # the first one that counts, and not the largest
        ([1, 4, 3, 9, 8], "30"),  # a bump below half of the largest does not count
        ([1, 4, 3, 9], ""),  # nobody knows whether it goes on growing after the last measured step
        ([9, 1, 1, 1], "0"),
        ([1, 5, 5, 1], "20"),
        ([1, 5, math.nan, 9, 8], ""),  # the largest may be the one that is missing
        ([math.nan, 5, 1, 9, 8], ""),
        ([7], ""),
        ([math.nan] * 4, ""),
    ],
)
def test_where_lambda_h_stops_growing(tmp_path, values, step):
    write_run(tmp_path, "a", hessian={10 * i: (value, 0.5, 1.0) for i, value in enumerate(values)})
    (row,), _ = tables_of(tmp_path, points_of(("a", 0.1, 32, 3)))
    assert row["first_peak_step"] == step


def test_what_has_no_value_has_no_row(tmp_path):
    covariance = {0: (1.5, 0.5, 3.0), 10: (math.nan, math.nan, math.nan)}
    hessian = {0: (7.0, 3.0, 9.0), 10: (math.nan, 2.0, math.nan)}
    history = {0: (2.3, 0.1, 2.4, 0.1), 10: (math.nan, 0.1, 9.0, 0.2)}
    write_run(tmp_path, "a", covariance, hessian, history, diverged_step=10)
    (row,), rows = tables_of(tmp_path, points_of(("a", 0.1, 32, 3)))
    # the largest may be the one that is missing
    assert (row["diverged"], row["max_lambda_K"], row["step_of_max_lambda_K"]) == ("True", "", "")
    assert (row["max_lambda_H"], row["step_of_max_lambda_H"], row["max_trace_H"]) == ("", "", "")
    assert (row["max_trace_K"], row["max_trace_over_lambda_1"], row["max_lambda_star_over_lambda_1"]) == ("", "", "")
    assert (row["threshold_epoch"], row["final_train_accuracy"], row["final_test_accuracy"]) == ("", "", "")
    assert values(rows, "lambda_K_1") == {0: 1.5}
    assert values(rows, "lambda_H_1") == {0: 7.0}
    assert values(rows, "trace_H") == {0: 9.0}
    assert values(rows, "train_loss") == {0: 2.3}
    assert values(rows, "test_loss") == {0: 2.4, 10: 9.0}


def test_a_quantity_that_declares_a_maximum_has_a_column(tmp_path, monkeypatch):
    """Also one of a new measurement: nothing else says it."""
    more = Quantity("a", "a", "a", "stability", "alpha_star", maximum="max_a")
    monkeypatch.setattr(module, "QUANTITIES", (*QUANTITIES, more))
    write_run(tmp_path, "a")
    (row,), _ = tables_of(tmp_path, points_of(("a", 0.1, 32, 3)))
    assert float(row["max_a"]) == max(values[2] for values in STABILITY.values())
    assert list(row)[-2:] == ["max_trace_top_5_H_over_lambda_1", "max_a"]


def test_a_ratio_that_does_not_exist_is_no_gap(tmp_path):
    """K is 0 at step 10, so that there is no ratio; nothing is unknown."""
    write_run(tmp_path, "a", {0: (1.5, 0.5, 3.0), 10: (0.0, 0.0, 0.0), 20: (1.0, 0.5, 2.5)})
    path = tmp_path / "runs/a/covariance.csv"
    (row,), _ = tables_of(tmp_path, points_of(("a", 0.1, 32, 3)))
    assert "10,0.0,0.0,0.0,,,,11," in path.read_text()
    assert (row["max_lambda_K"], row["max_trace_K"]) == ("1.5", "3.0")
    assert (row["max_trace_over_lambda_1"], row["max_lambda_star_over_lambda_1"]) == ("2.5", "0.5")
    assert row["max_g_over_g5"] == "0.25"


@pytest.mark.parametrize(
    ("ended", "step", "remark"),
    [
        ({}, "10", ""),
        ({"diverged_step": 11}, "10", ""),
        ({"diverged_step": 10}, "", "the run diverged at step 10, before the switch at step 10"),
        ({"stopped_step": 10}, "10", ""),
        ({"stopped_step": 9}, "", "the run stopped at step 9, before the switch at step 10"),
    ],
)
def test_only_a_switch_that_was_reached_counts(tmp_path, ended, step, remark):
    write_run(tmp_path, "a", **ended, switches=[(10, 0.01)])
    (row,), _ = tables_of(tmp_path, points_of(("a", 0.1, 32, 3)))
    assert row["first_switch_step"] == step
    assert row["remarks"] == (remark and f"the learning rate never switches to 0.01: {remark}")


@pytest.mark.parametrize(
    ("switches", "first", "remarks"),
    [
        ([(None, 0.2)], "", ["0.2: there is no break-even point to switch at"]),
        ([(None, 0.2), (None, 0.3)], "", [f"{eta}: there is no break-even point to switch at" for eta in (0.2, 0.3)]),
        ([(4, 0.2), (24, 0.3)], "4", ["0.3: the run ends at step 20, before the switch at step 24"]),
        ([(4, 0.2), (16, 0.3)], "4", []),
        ([(16, 0.2), (4, 0.3)], "4", []),
        ([(None, 0.2), (16, 0.2)], "16", ["0.2: there is no break-even point to switch at"]),
        ([(24, 0.2)], "", ["0.2: the run ends at step 20, before the switch at step 24"]),
    ],
)
def test_switches_that_never_come(tmp_path, switches, first, remarks):
    write_run(tmp_path, "a", switches=switches)
    (row,), _ = tables_of(tmp_path, points_of(("a", 0.1, 32, 3)))
    assert row["remarks"] == "; ".join(f"the learning rate never switches to {remark}" for remark in remarks)
    assert row["first_switch_step"] == first


def test_what_counts_in_a_break_even_point_that_never_comes(tmp_path):
    write_run(tmp_path, "a", switches=[(4, 0.2)], never=("warm_up", "cosine"), sampling="replacement")
    (row,), _ = tables_of(tmp_path, points_of(("a", 0.1, 32, 3)))
    why = "there is no break-even point to count in"
    assert row["remarks"] == f"the learning rate has no warm_up: {why}; the learning rate has no cosine: {why}"
    assert (row["first_switch_step"], row["sampling"]) == ("4", "replacement")


def test_few_eigenvalues_of_k_are_no_remark():
    """As K of so few mini-batches has no more; a reason for an empty cell is one."""
    few, top = Note.K_FEW_BATCHES, Note.K_NO_TOP_PART
    notes = [[few], [], [top, few], [top], [Note.K_ZERO, few]]
    covariance = pd.DataFrame({"step": range(0, 50, 10), "note": [cell(each) for each in notes]})
    none = pd.DataFrame({name: [] for name in ("step", "split", "loss", "note", "stability_lhs", "delta_loss")})
    expected = f"K at steps 20, 30: {top.sentence}; K at step 40: {Note.K_ZERO.sentence}"
    assert remarks(record(), none, {"covariance": covariance}) == expected


def test_of_many_steps_with_one_reason_their_number_is_told():
    stability = pd.DataFrame({"step": range(5), "note": cell([Note.ONLY_ROUNDING, Note.NEXT_LOSS_NOT_FINITE])})
    none = pd.DataFrame({name: [] for name in ("step", "split", "loss", "note")})
    told = remarks(record(), none, {"stability": stability})
    reasons = (("Eq. 1", Note.ONLY_ROUNDING), ("ΔL", Note.NEXT_LOSS_NOT_FINITE))
    assert told == "; ".join(f"{what} at 5 measured steps: {note.sentence}" for what, note in reasons)


def test_what_is_missing_of_batch_sharpness_is_a_remark_and_a_large_error_is_none():
    notes = [[Note.SHARPNESS_FEW_DRAWS], [Note.SHARPNESS_NOT_FINITE], [Note.BATCH_LAMBDA_1_UNCONVERGED]]
    sharpness = pd.DataFrame({"step": [0, 10, 20], "note": [cell(each) for each in notes]})
    none = pd.DataFrame({name: [] for name in ("step", "split", "loss")})
    lost, doubtful = Note.SHARPNESS_NOT_FINITE.sentence, Note.BATCH_LAMBDA_1_UNCONVERGED.sentence
    expected = f"batch sharpness at step 10: {lost}; batch sharpness at step 20: {doubtful}"
    assert remarks(record(), none, {"sharpness": sharpness}) == expected


def test_an_unconverged_eigenvalue_of_the_preconditioned_h_counts(tmp_path):
    write_run(tmp_path, "a")
    path = tmp_path / "runs/a/hessian.csv"
    table = read_table(path)
    (row,), _ = tables_of(tmp_path, points_of(("a", 0.1, 32, 3)))
    converged = table["converged"].copy()
    converged[converged.idxmax()] = False
    write_table(path, table.assign(preconditioned_lambda_1=1.0, preconditioned_converged=converged))
    (other,), _ = tables_of(tmp_path, points_of(("a", 0.1, 32, 3)))
    assert int(other["unconverged_snapshots"]) == int(row["unconverged_snapshots"]) + 1


def test_a_table_of_other_steps_is_refused(tmp_path):
    """As one that was cut where a line ends."""
    write_run(tmp_path, "a")
    path = tmp_path / "runs/a/covariance.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(
        UserError, match=r"a/covariance\.csv' does not have the steps of the run's snapshots: delete it"
    ):
        tables_of(tmp_path, points_of(("a", 0.1, 32, 0)))


def test_a_run_without_snapshots_beside_one_with(tmp_path):
    write_run(tmp_path, "a")
    write_run(tmp_path, "b", {}, {}, {0: (math.nan, 0.1, math.nan, 0.1)}, diverged_step=0)
    runs, rows = tables_of(tmp_path, points_of(("a", 0.1, 32, 0), ("b", 100.0, 32, 0)))
    assert [row["run"] for row in runs] == ["a", "b"]
    assert runs[0]["step_of_max_lambda_K"] == "10"  # and not 10.0, because b has none
    empty = [name for name in runs[1] if runs[1][name] == ""]
    assert {"max_lambda_K", "step_of_max_lambda_K", "max_lambda_H", "step_of_max_lambda_H", "max_trace_K"} < set(empty)
    assert runs[1]["diverged"] == "True"
    assert {row["quantity"] for row in rows if row["run"] == "b"} == {
        "train_accuracy",
        "test_accuracy",
        "step_learning_rate",
    }
    assert values(rows, "lambda_K_1") == {0: 1.5, 10: 4.0, 20: 2.0}
    assert {row["step"] for row in rows} == {"0", "8", "10", "16", "20"}


def test_a_study_of_nothing_but_runs_without_snapshots(tmp_path):
    write_run(tmp_path, "a", {}, {}, {0: (math.nan, 0.1, math.nan, 0.1)}, diverged_step=0)
    (row,), rows = tables_of(tmp_path, points_of(("a", 100.0, 32, 0)))
    assert (row["max_lambda_K"], row["step_of_max_lambda_K"]) == ("", "")
    assert [row["quantity"] for row in rows] == ["train_accuracy", "test_accuracy", "step_learning_rate"]


def test_swept_values_that_are_no_numbers(tmp_path):
    schedules = [[{"at": 5, "learning_rate": 0.01}], []]
    rows = []
    for position, (network, schedule) in enumerate((n, s) for n in ("simple_cnn_bn", "simple_cnn") for s in schedules):
        write_run(tmp_path, f"r{position}")
        rows.append((f"r{position}", 0.1, 32, network, schedule, 0))
    points = points_of(*rows, columns=("learning_rate", "batch_size", "network", "schedule"))
    runs, trajectories = tables_of(tmp_path, points)
    assert [row["run"] for row in runs] == ["r3", "r2", "r1", "r0"]
    assert [row["network"] for row in runs] == ["simple_cnn"] * 2 + ["simple_cnn_bn"] * 2
    assert [json.loads(row["schedule"]) for row in runs] == [schedules[1], schedules[0]] * 2
    assert {row["network"] for row in trajectories} == {"simple_cnn", "simple_cnn_bn"}


def test_the_order_of_the_input_does_not_matter(tmp_path):
    rows = [
        (f"lr{lr}-bs{bs}-{seed}", lr, bs, seed) for lr in (0.03, 0.1, 1.0) for bs in (8, 32, 128) for seed in (0, 2, 10)
    ]
    for run, *_ in rows:
        write_run(tmp_path, run)
    forth = tables_of(tmp_path, points_of(*rows))
    assert forth == tables_of(tmp_path, points_of(*reversed(rows)))
    assert [row["run"] for row in forth[0]] == [row[0] for row in rows]  # numbers sort as numbers


def test_runs_with_the_same_labels(tmp_path):
    for run in ("a", "b"):
        write_run(tmp_path, run)
    rows = [("a", 0.1, 32, 0), ("b", 0.1, 32, 0)]
    assert tables_of(tmp_path, points_of(*rows)) == tables_of(tmp_path, points_of(*reversed(rows)))


@pytest.mark.parametrize("damage", ["missing", "empty"])
@pytest.mark.parametrize(
    "name",
    ["training.json", "history.csv", "covariance.csv", "hessian.csv", "stability.csv", "assumptions.csv", "locate.csv"],
)
def test_a_damaged_table_is_refused(tmp_path, name, damage):
    write_run(tmp_path, "a")
    path = tmp_path / "runs" / "a" / name
    path.unlink()
    if damage == "empty":
        path.touch()
    with pytest.raises(UserError, match=rf"'.*runs/a/{name}' is {'missing' if damage == 'missing' else 'no '}"):
        tables_of(tmp_path, points_of(("a", 0.1, 32, 0)))
    assert not (tmp_path / "tables").exists()


def test_a_history_that_was_cut_is_refused(tmp_path):
    write_run(tmp_path, "a", history={0: HISTORY[0], 8: HISTORY[8]})
    with pytest.raises(UserError, match=r"a/history\.csv' ends before the run does: delete it"):
        tables_of(tmp_path, points_of(("a", 0.1, 32, 0)))


def test_an_optional_measurement_stands_in_the_long_table_where_the_study_has_it(tmp_path):
    """And must be there: a table without it would say that nothing was measured."""
    write_run(tmp_path, "a")
    study = Study(points=points_of(("a", 0.1, 32, 0)), measurements=("sharpness",))
    out = tmp_path / "tables"
    with pytest.raises(UserError, match=r"sharpness.csv' is missing"):
        summarise(tmp_path, study, out)
    lines = ["step,batch_sharpness,batch_sharpness_error,batch_lambda_1,gradient_noise_interaction,draws,"]
    lines[0] += "lower_plateau,upper_plateau,note"
    lines += ["0,1.5,0.1,9.0,4.0,40,2,38,", "10,,,9.5,,3,2,38,sharpness:not_finite", "20,2.5,0.1,8.0,5.0,40,2,38,"]
    (tmp_path / "runs/a/sharpness.csv").write_text("\n".join(lines) + "\n")
    summarise(tmp_path, study, out)
    rows = pd.read_csv(out / "trajectories.csv")
    told = {
        (row.quantity, row.step): row.value
        for row in rows.itertuples()
        if row.quantity.startswith(("batch_", "gradient_noise"))
    }
    assert told == {
        ("batch_sharpness", 0): 1.5,
        ("batch_sharpness", 20): 2.5,
        ("batch_lambda_1", 0): 9.0,
        ("batch_lambda_1", 10): 9.5,
        ("batch_lambda_1", 20): 8.0,
        ("gradient_noise_interaction", 0): 4.0,
        ("gradient_noise_interaction", 20): 5.0,
    }
    summarise(tmp_path, replace(study, measurements=()), out)
    assert not set(pd.read_csv(out / "trajectories.csv")["quantity"]) & {quantity for quantity, _ in told}


def test_the_eigenvalues_of_blocks_are_quantities_of_their_names(tmp_path):
    write_run(tmp_path, "a")
    lines = ["step,block,parameters,lambda_1,residual,error,matvecs,converged,note"]
    lines += [
        f"{step},{block},9,{value},0,0,9,True," for step in HESSIAN for block, value in (("0", 3.0), ("fc", step + 1))
    ]
    (tmp_path / "runs/a/blocks.csv").write_text("\n".join(lines) + "\n")
    out = tmp_path / "tables" / "main"
    summarise(tmp_path, Study(points=points_of(("a", 0.1, 32, 3)), measurements=("blocks",)), out)
    with (out / "trajectories.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert values(rows, "lambda_H_1_of_block[fc]") == {step: step + 1 for step in HESSIAN}
    assert values(rows, "lambda_H_1_of_block[0]") == dict.fromkeys(HESSIAN, 3.0)
    (tmp_path / "runs/a/blocks.csv").write_text("\n".join(lines[:-2]) + "\n")  # a step is missing
    with pytest.raises(UserError, match=r"blocks\.csv' does not have the steps of the run's snapshots"):
        summarise(tmp_path, Study(points=points_of(("a", 0.1, 32, 3)), measurements=("blocks",)), out)
