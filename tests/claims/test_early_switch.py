import math

import pytest

from breakeven.claims.catalogue import Claim, Switch
from breakeven.claims.early_switch import switch, triples
from tests.claims.simulated import run, study

EARLY, LATE, LATER = (f"0.03, 0.3 from {at} x break-even" for at in ("0.5", "1.5", "3"))
SCHEDULES = ["0.03", "0.3", EARLY, LATE, LATER]
NOISE = [0.9, 1.0, 1.1]


def rows(runs, quantity="lambda_K_1", swept=("schedule",)):
    claim = Claim("x", "Words.", Switch(quantity), "")
    return list(switch(claim, claim.test, study(runs, swept)))


def one(seed, schedule, after, at=None, accuracy=None, **others):
    """λ_K^1 is 100 up to step 30, which must not count, then ``after``; the later switch is at 30, the earlier at 10."""
    at = {EARLY: 10, LATE: 30, LATER: 40}.get(schedule) if at is None else at
    curve = [100.0] * 4 + [after] * 3
    return run(
        seed, {"lambda_K_1": curve}, schedule=schedule, first_switch_step=at, final_test_accuracy=accuracy, **others
    )


def all_runs(early, late, reference=2.0):
    ends = {"0.03": 50.0, "0.3": reference, EARLY: early, LATE: late, LATER: 77.0}
    return [
        one(seed, name, end * (NOISE[seed] if name == LATE else 1), accuracy=end / 100)
        for name, end in ends.items()
        for seed in range(3)
    ]


def test_the_later_switch_ends_further_away():
    [row] = rows(all_runs(early=2.2, late=8.0))
    logs = [math.log(4 * noise) - math.log(1.1) for noise in NOISE]
    assert row.quantity == f"λ_K^1 after both switches; {EARLY}; {LATE}"
    assert row.effect == pytest.approx(sum(logs) / 3)
    assert row.p_value < 0.05 and row.as_expected and row.n_seeds == 3
    centre = 8 * (0.9 * 1.1) ** (1 / 3)
    assert row.our_value == f"2 (η = 0.3 from the start), 2.2 (η = {EARLY}), {centre:.3g} (η = {LATE})"


def test_the_later_switch_ends_closer():
    """Whether above or below the reference."""
    [row] = rows(all_runs(early=0.5, late=2.0))
    assert row.effect == pytest.approx(sum(abs(math.log(n)) for n in NOISE) / 3 - math.log(4))
    assert not row.as_expected and row.observed == "the later switch ends closer"


def test_accuracies_are_compared_by_plain_differences():
    [row] = rows([r | {"final_test_accuracy": r["final_test_accuracy"] + 0.01 * r["seed"] * (r["schedule"] == EARLY)}
                  for r in all_runs(early=90.0, late=70.0, reference=95.0)], "final_test_accuracy")  # fmt: skip
    assert row.quantity == f"final test accuracy; {EARLY}; {LATE}"
    assert row.effect == pytest.approx(0.25 - (0.05 + 0.04 + 0.03) / 3)
    assert row.as_expected
    assert row.our_value == f"0.95 (η = 0.3 from the start), 0.91 (η = {EARLY}), 0.7 (η = {LATE})"


def test_a_run_that_never_switched():
    runs = [r | {"first_switch_step": None if r["seed"] == 1 else r["first_switch_step"]} for r in all_runs(2.2, 8.0)]
    for quantity in ("lambda_K_1", "final_test_accuracy"):
        [row] = rows(runs, quantity)
        assert row.n_seeds == 2 and math.isnan(row.p_value)
        assert (
            row.note == "seeds left out, without a switch or a measured step after it: 1; fewer than 3 seeds: no test"
        )


def test_nothing_measured_after_the_switch():
    runs = [r | {"first_switch_step": 60 if r["schedule"] == LATE else r["first_switch_step"]} for r in all_runs(2, 8)]
    [row] = rows(runs)
    assert row.n_seeds == 0 and math.isnan(row.effect) and row.our_value == "" and "0, 1, 2" in row.note


def test_a_schedule_that_diverged():
    [row] = rows([r | {"diverged": r["schedule"] == EARLY and r["seed"] == 0} for r in all_runs(2.2, 8.0)])
    assert row.n_seeds == 0 and "diverged: schedule = 0.03, 0.3 from 0.5 x" in row.note and "all three" in row.note


def test_which_schedules_are_compared():
    assert triples(SCHEDULES) == [("0.3", EARLY, LATE)]
    closer = "0.03, 0.3 from 0.9 x break-even"
    assert triples([*SCHEDULES, closer]) == [("0.3", closer, LATE)]
    back = [f"0.3, 0.03 from {at} x break-even" for at in ("1.5", "1e-05", "1")]
    assert triples([*SCHEDULES, *back]) == [("0.3", EARLY, LATE), ("0.03", back[1], back[0])]
    assert triples(["0.03", EARLY, LATE]) == []  # no 0.3 from the start
    assert (
        triples(["0.3", EARLY, f"{LATE}, 0.1 from step 90", "0.03, 0.3 from step 20", "0.03, 0.3 from epoch 2"]) == []
    )


def test_a_grid_with_batch_sizes():
    runs = [r | {"batch_size": size} for size in (8, 32) for r in all_runs(2.2, 8.0)]
    found = rows(runs, swept=("batch_size", "schedule"))
    assert [row.quantity.rpartition("; ")[2] for row in found] == ["S = 8", "S = 32"]
    assert found[0].effect == found[1].effect
