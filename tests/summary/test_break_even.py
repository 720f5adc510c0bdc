import math

import pandas as pd
import pytest

from breakeven.specs.condition import Condition
from breakeven.specs.schedule import interval_of_break_even
from breakeven.spectra.equation_1 import break_even_curvature, left_hand_side
from breakeven.store.notes import Note, cell
from breakeven.store.tables import read_table, write_table
from breakeven.summary.break_even import FRESH, BreakEven
from breakeven.summary.break_even import break_even as from_tables

ETA, S, N = 0.1, 32, 1437


def table(rows, *notes):
    """rows: (step, λ, s²); the left-hand side follows, unless a note says why there is none."""
    records = [
        {
            "step": step,
            "learning_rate": ETA,
            "lambda_1": lam,
            "curvature_variance": var,
            "stability_lhs": math.nan if notes else left_hand_side(ETA, S, N, lam, var),
            "break_even_curvature": math.nan if notes else break_even_curvature(ETA, S, N, lam, var),
            "note": cell(notes),
        }
        for step, lam, var in rows
    ]
    columns = [
        "step",
        "learning_rate",
        "lambda_1",
        "curvature_variance",
        "stability_lhs",
        "break_even_curvature",
        "note",
    ]
    return pd.DataFrame(records, columns=columns)


def break_even(stability, *between):
    """Of a run whose stage locate measured the rows ``between`` its ends, or nothing."""
    sides = stability[["step", "stability_lhs"]].itertuples(index=False, name=None)
    rows = stability[stability["step"].isin(interval_of_break_even(sides) or ())]
    return from_tables(stability, pd.concat([rows, *between]).sort_values("step"))


def test_the_first_step_at_which_it_reaches_one():
    found = break_even(table([(0, 2.0, 1.0), (10, 18.0, 9.0), (20, 26.0, 100.0), (30, 15.0, 4.0), (40, 30.0, 9.0)]))
    assert (found.step, found.after_step, found.lambda_H, found.note) == (20, 10, 26.0, "")
    assert found.predicted_lambda_H == pytest.approx(20 / (1 + 100 / 26**2 * (N - S) / (S * (N - 1))))
    assert 18.0 < found.predicted_lambda_H < 26.0


def test_with_a_preconditioner_it_follows_a_stable_step():
    rows = table([(0, 3e6, 0.0), (10, 300.0, 0.0), (20, 5.0, 0.0), (30, 26.0, 0.0), (40, 5.0, 0.0)])
    found = from_tables(rows, rows[rows["step"].isin([20, 30])], from_stable=True)
    assert (found.step, found.after_step, found.lambda_H) == (30, 20, 26.0)
    assert found.note == f"the left-hand side of Eq. 1 is at least 1 at the first 2 measured steps, too: {FRESH}"
    never = from_tables(rows[:3], rows[:0], from_stable=True)
    assert never.step is None
    assert never.note == f"the left-hand side of Eq. 1 is at least 1 at the first 2 measured steps alone: {FRESH}"
    assert break_even(rows).step == 0, "without one, the first measured step counts"


def test_where_not_all_steps_before_were_tried_it_is_said():
    ends = table([(0, 2.0, 0.0), (100, 26.0, 0.0)])
    between = [table([(step, 2.0 if step < 21 else 26.0, 0.0)]) for step in (10, 20, 21, 30)]
    found = break_even(ends, *between)
    assert (found.step, found.after_step) == (21, 20)
    said = "2 of the 20 steps between the stable snapshot at step 0 and it were measured (locate: most_steps)"
    assert found.note == f"it may lie before: {said}"
    every = [table([(step, 2.0 if step < 21 else 26.0, 0.0)]) for step in range(1, 22)]
    assert break_even(ends, *every).note == ""


def test_exactly_one_counts():
    found = break_even(table([(0, 2.0, 0.0), (10, 20.0, 0.0)]))
    assert (found.step, found.predicted_lambda_H) == (10, 20.0)


def test_never():
    assert break_even(table([(0, 2.0, 1.0), (10, 3.0, 1.0)])) == BreakEven(
        note="the left-hand side of Eq. 1 stays below 1"
    )


def test_at_once():
    found = break_even(table([(0, 25.0, 1.0), (10, 3.0, 1.0)]))
    assert (found.step, found.after_step, found.note) == (0, None, "at the first measured step")


def test_at_the_first_step_that_is_known():
    found = break_even(table([(0, math.nan, math.nan), (10, 25.0, 1.0)]))
    assert (found.step, found.after_step) == (10, None)
    assert found.note == "at the first measured step where the left-hand side of Eq. 1 is known"


def test_never_where_it_is_known():
    found = break_even(table([(0, 2.0, 1.0), (10, math.nan, math.nan), (20, 3.0, 1.0)]))
    assert found == BreakEven(
        note="the left-hand side of Eq. 1 stays below 1 where it is known, at 2 of 3 measured steps"
    )


@pytest.mark.parametrize(
    "rows", [[(0, 2.0, 1.0), (10, 1e200, 1.0)], [(0, 2.0, 1.0), (10, 1e200, 1.0), (20, 30.0, 1.0)]]
)
def test_an_infinite_left_hand_side_is_unstable_also_when_it_comes_from_a_file(tmp_path, rows):
    write_table(tmp_path / "stability.csv", table(rows), infinite=["stability_lhs"])
    for stability in (table(rows), read_table(tmp_path / "stability.csv")):
        assert math.isinf(stability["stability_lhs"][1])
        found = break_even(stability)
        assert (found.step, found.after_step, found.lambda_H) == (10, 0, 1e200)
        assert found.predicted_lambda_H == pytest.approx(2 / ETA)


@pytest.mark.parametrize("curvature", [0.0, -3.0])
def test_unstable_without_curvature(curvature):
    found = break_even(table([(0, 2.0, 1.0), (10, curvature, 100.0)]))
    assert (found.step, found.after_step, found.lambda_H) == (10, 0, curvature)
    assert found.predicted_lambda_H is None
    assert found.note == "λ_H^1 is not above 0 there, and Eq. 1 predicts none"
    both = break_even(table([(0, curvature, 100.0)])).note
    assert both == "at the first measured step; λ_H^1 is not above 0 there, and Eq. 1 predicts none"


def test_where_no_curvature_is_small_enough():
    """As with a weight decay above the threshold, 20 here."""
    unstable = table([(0, 2.0, 1.0), (10, 3.0, 1.0)]).assign(stability_lhs=[0.9, 1.1])
    known = Condition(weight_decay=20.5)
    unstable.loc[1, "break_even_curvature"] = break_even_curvature(ETA, S, N, 3.0, 1.0, known)
    found = break_even(unstable)
    assert (found.step, found.predicted_lambda_H) == (10, None)
    assert found.note == "Eq. 1 calls every λ_H^1 above 0 unstable there, and predicts none"


def test_where_equation_1_does_not_apply():
    rows = table([(0, 25.0, 1.0)], Note.LOSS_ZERO, Note.NO_CONDITION, Note.COARSE)
    assert break_even(rows) == BreakEven(note=Note.NO_CONDITION.sentence)
    both = table([(0, 0.0, 0.0)], Note.NO_CURVATURE, Note.NO_CONDITION)
    assert break_even(both).note == f"{Note.NO_CURVATURE.sentence}; {Note.NO_CONDITION.sentence}"


def test_no_rows():
    assert break_even(table([])) == BreakEven(note="nothing was measured")


def test_a_step_without_a_value_lies_in_between():
    rows = table([(0, 2.0, 1.0), (10, math.nan, math.nan), (20, 26.0, 1.0)])
    found = break_even(rows)
    assert (found.step, found.after_step) == (20, 0)


def test_an_earlier_step_without_a_value_is_told():
    """It may have been the break-even point."""
    lost = [(step, math.nan, math.nan) for step in (10, 20)]
    found = break_even(table([(0, 2.0, 1.0), *lost, (30, 3.0, 1.0), (40, 26.0, 1.0)]))
    assert (found.step, found.after_step) == (40, 30)
    assert found.note == (
        "the left-hand side of Eq. 1 is not known at 2 earlier measured steps, where it may have reached 1"
    )
    assert "an earlier measured step" in break_even(table([*lost[:1], (20, 3.0, 1.0), (40, 26.0, 1.0)])).note
    assert break_even(table([(0, 2.0, 1.0), *lost, (40, 26.0, 1.0)])).note == ""  # it lies in between


def test_the_step_between_two_snapshots():
    """What stage locate measured between them counts; a prediction is that of its row."""
    stability = table([(0, 2.0, 1.0), (10, 18.0, 9.0), (20, 26.0, 100.0)])
    between = table([(11, 19.0, 9.0), (12, 20.5, 9.0), (13, 21.0, 9.0)])
    found = break_even(stability, between)
    assert (found.step, found.after_step, found.lambda_H, found.measured_step) == (12, 11, 20.5, 20)
    assert (found.note, found.stable_again_step) == ("", None)
    assert found.predicted_lambda_H == pytest.approx(break_even_curvature(ETA, S, N, 20.5, 9.0))
    again = break_even(stability, between, table([(14, 3.0, 1.0)]))
    assert (again.step, again.stable_again_step) == (12, 14)
    assert again.note == "the left-hand side of Eq. 1 is below 1 again at step 14, and not at step 20"
    lost = between.assign(stability_lhs=[math.nan, *between["stability_lhs"][1:]])
    assert break_even(stability, lost).note == "the left-hand side of Eq. 1 is not known at step 11 before it"


@pytest.mark.parametrize("note", [Note.OTHER_BITS, Note.NOT_REPEATED])
def test_that_the_steps_were_not_the_same_is_said(note):
    stability = table([(0, 2.0, 1.0), (20, 26.0, 100.0)])
    rows = stability.assign(note=["", note.code])
    assert from_tables(stability, rows).note == note.sentence
