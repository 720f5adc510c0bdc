import json
import math

import pytest
from simulated_studies import run, study

from breakeven.claims.early_switch import Comparison, EarlySwitch, comparisons
from breakeven.specs.run import Switch
from breakeven.specs.words import in_words

EARLY, LATE, LATER = (f"0.03, 0.3 from {at} x break-even" for at in ("0.5", "1.5", "3"))
# as the tables have them: the learning rate that each begins at, and its switches
TABLES = {"0.03": (0.03, []), "0.3": (0.3, [])} | {
    words: (0.03, [{"at": at, "learning_rate": 0.3, "unit": "break_even"}])
    for words, at in {EARLY: 0.5, LATE: 1.5, LATER: 3}.items()
}
NOISE = [0.9, 1.0, 1.1]


def rows(runs, quantity="lambda_K_1", swept=("schedule",)):
    return list(EarlySwitch(quantity).rows(study(runs, swept)))


def one(seed, schedule, after, at=None, accuracy=None, **others):
    """λ_K^1 is 100 up to step 30, which must not count, then ``after``; the later switch is at 30, the earlier at 10."""
    at = {EARLY: 10, LATE: 30, LATER: 40}.get(schedule) if at is None else at
    curve = [100.0] * 4 + [after] * 3
    rate, switches = TABLES[schedule]
    others |= {"learning_rate": rate, "schedule": json.dumps(switches)}
    return run(seed, {"lambda_K_1": curve}, first_switch_step=at, final_test_accuracy=accuracy, **others)


def has(run, schedule):
    rate, switches = TABLES[schedule]
    return run["learning_rate"] == rate and json.loads(run["schedule"]) == switches


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
    assert row.p_value < 0.05 and row.direction == 1 and row.n_seeds == 3
    centre = 8 * (0.9 * 1.1) ** (1 / 3)
    assert row.our_value == f"2 (η = 0.3 from the start), 2.2 (η = {EARLY}), {centre:.3g} (η = {LATE})"


def test_the_later_switch_ends_closer():
    """Whether above or below the reference."""
    [row] = rows(all_runs(early=0.5, late=2.0))
    assert row.effect == pytest.approx(sum(abs(math.log(n)) for n in NOISE) / 3 - math.log(4))
    assert EarlySwitch("lambda_K_1").outcomes[row.direction] == "the later switch ends closer"


def test_accuracies_are_compared_by_plain_differences():
    [row] = rows([r | {"final_test_accuracy": r["final_test_accuracy"] + 0.01 * r["seed"] * (has(r, EARLY))}
                  for r in all_runs(early=90.0, late=70.0, reference=95.0)], "final_test_accuracy")  # fmt: skip
    assert row.quantity == f"final test accuracy; {EARLY}; {LATE}"
    assert row.effect == pytest.approx(0.25 - (0.05 + 0.04 + 0.03) / 3)
    assert row.direction == 1
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
    runs = [r | {"first_switch_step": 60 if has(r, LATE) else r["first_switch_step"]} for r in all_runs(2, 8)]
    [row] = rows(runs)
    assert row.n_seeds == 0 and math.isnan(row.effect) and row.our_value == "" and "0, 1, 2" in row.note


def test_a_schedule_that_diverged():
    [row] = rows([r | {"diverged": has(r, EARLY) and r["seed"] == 0} for r in all_runs(2.2, 8.0)])
    assert row.n_seeds == 0 and "diverged: schedule = 0.03, 0.3 from 0.5 x" in row.note and "all three" in row.note


def compared(*schedules):
    """The comparisons that schedules allow: each its first learning rate and its switches (at, learning rate, unit)."""
    found = {}
    for rate, *switches in schedules:
        described = [dict(zip(("at", "learning_rate", "unit"), switch, strict=True)) for switch in switches]
        found[in_words(rate, described)] = (rate, tuple(Switch(**switch) for switch in described))
    return comparisons(found)


def at(multiple, first=0.03, second=0.3):
    return (first, (multiple, second, "break_even"))


ALL = [(0.03,), (0.3,), at(0.5), at(1.5), at(3)]
BOTH = Comparison(0.3, "0.3", EARLY, LATE)


def test_which_schedules_are_compared():
    assert compared(*ALL) == [BOTH]
    assert compared(*ALL, at(0.9)) == [Comparison(0.3, "0.3", "0.03, 0.3 from 0.9 x break-even", LATE)]
    back = Comparison(0.03, "0.03", "0.3, 0.03 from 1e-05 x break-even", "0.3, 0.03 from 1.5 x break-even")
    assert compared(*ALL, *(at(multiple, 0.3, 0.03) for multiple in (1.5, 1e-05, 1))) == [BOTH, back]
    assert compared((0.03,), at(0.5), at(1.5)) == []  # no 0.3 from the start
    others = [(*at(1.5), (90, 0.1, "step")), (0.03, (20, 0.3, "step")), (0.03, (2, 0.3, "epoch"))]
    assert compared((0.3,), at(0.5), *others) == []


def test_learning_rates_that_differ_in_a_digit_that_no_words_tell():
    assert compared((0.3000000001,), at(0.5), at(1.5)) == []


def test_a_switch_without_a_unit_counts_steps():
    runs = [r | {"schedule": r["schedule"].replace(', "unit": "break_even"', "")} for r in all_runs(2.2, 8.0)]
    assert rows(runs) == []


def test_the_learning_rate_may_be_swept_beside_the_schedule():
    """It is told with the schedule, and makes no rows of its own."""
    assert rows(all_runs(2.2, 8.0), swept=("learning_rate", "schedule")) == rows(all_runs(2.2, 8.0))


def test_a_grid_with_batch_sizes():
    runs = [r | {"batch_size": size} for size in (8, 32) for r in all_runs(2.2, 8.0)]
    found = rows(runs, swept=("batch_size", "schedule"))
    assert [row.quantity.rpartition("; ")[2] for row in found] == ["S = 8", "S = 32"]
    assert found[0].effect == found[1].effect
