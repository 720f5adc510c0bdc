"""Schedules of a config: what a kind takes, what is refused, and which are the same run."""

import pytest

from breakeven.specs.multipliers import Cosine, Linear, StepDecay, WarmUp
from breakeven.specs.run import Switch, entry, run_id, source_of
from tests.config.example import edited, mistakes, plan_of

STEPS = "      steps: 500\n"  # of 44 in an epoch
EPOCHS = "      epochs: 5\n"
HERE = "studies.main.base.schedule[0]"


def text(schedule, length=STEPS, more=""):
    return edited((STEPS, f"{length}      schedule: {schedule}\n{more}"))


@pytest.mark.parametrize(
    ("schedule", "line"),
    [
        (
            "[{kind: cosin}]",
            ".kind: 'cosin' is not known; allowed: cosine, linear, step_decay, warm_up; did you mean 'cosine'?",
        ),
        ("[{kind: one_cycle}]", ".kind: 'one_cycle' is not known; allowed: cosine, linear, step_decay, warm_up"),
        ("[{kind: 3}]", ".kind: 3 is not a text; allowed: warm_up or cosine or linear or step_decay"),
        ("[{kind: null, at: 3}]", ".kind: null is not a text; allowed: warm_up or cosine or linear or step_decay"),
        ("[{kind: cosine, every: 3}]", ".every: unknown key; allowed: kind, at, until, unit, of, final"),
        (
            "[{kind: cosine, learning_rate: 3}]",
            ".learning_rate: unknown key; allowed: kind, at, until, unit, of, final",
        ),
        ("[{kind: warm_up, untl: 3}]", ".untl: unknown key; did you mean 'until'?"),
        ("[{kind: step_decay, step_size: 3, gamma: 0.1}]", ".step_size: unknown key; did you mean 'every'?"),
        ("[{kind: step_decay, every: 3}]", ".factor: required, but missing"),
        ("[{kind: warm_up}]", ".until: required, but missing"),
        ("[{until: 3}]", ": has 'until' and no 'kind'; allowed: kind: cosine or linear or warm_up"),
        ("[{at: 3, learning_rate: 1, every: 3}]", ": has 'every' and no 'kind'; allowed: kind: step_decay"),
        ("[{}]", ".at: required, but missing"),
        ("[{kind: step_decay, every: 3, factor: 2}]", ".factor: 2 is too large; allowed: a number above 0 and below 1"),
        ("[{kind: cosine, final: 1}]", ".final: 1 is too large; allowed: a number of at least 0 and below 1"),
        ("[{kind: warm_up, until: 0}]", ".until: 0 is too small; allowed: a number above 0"),
        ("[{kind: warm_up, until: 2.5}]", ".until: 2.5 is not an integer; allowed: an integer of at least 1"),
        ("[{kind: cosine, at: 2.5}]", ".at: 2.5 is not an integer; allowed: an integer of at least 0"),
        (
            "[{kind: step_decay, every: 0.5, unit: epoch, factor: 0.1}]",
            ".every: 0.5 is not an integer; allowed: an integer of at least 1",
        ),
        ("[{kind: warm_up, until: 501}]", ".until: step 501 is after the end of the run at step 500"),
        ("[{kind: cosine, until: 12, unit: epoch}]", ".until: epoch 12 is after the end of the run at step 500"),
        ("[{kind: cosine, at: 500}]", ".at: step 500 is not before the end of the run at step 500"),
        (
            "[{kind: step_decay, every: 500, factor: 0.1}]",
            ".every: step 500 is not before the end of the run at step 500",
        ),
        ("[{kind: linear, at: 30, until: 30}]", ".until: step 30 is not after step 30, where it begins"),
        (
            "[{kind: linear, at: 3, until: 2.5, unit: break_even}]",
            ".until: 2.5 x break-even is not after 3 x break-even, where it begins",
        ),
        (
            "[{kind: cosine, unit: epoch, of: 0.3}]",
            ".of: counts with unit: break_even only, and this entry of kind cosine counts in epochs: leave it out",
        ),
        (
            "[{kind: cosine, at: 1, unit: break_even, of: 1.0e+39}]",
            ".of: 1e+39 is more than float32 can hold; allowed: at most 3.4e+38, or precision: float64",
        ),
    ],
)
def test_mistakes(tmp_path, schedule, line):
    assert mistakes(tmp_path, text(schedule))[0] == HERE + line


def test_the_break_even_points_of_two_runs(tmp_path):
    found = "{at: 1, unit: break_even, learning_rate: 1}, {kind: linear, at: 1, unit: break_even, of: 0.4}"
    assert mistakes(tmp_path, edited(("      learning_rate: [0.03, 0.1]", "      learning_rate: [0.1]"),
                                     (STEPS, f"{STEPS}      schedule: [{found}]\n"))) == [
        "studies.main.base.schedule[1].of: this entry of kind linear counts in the break-even point of learning rate 0.4, one "
        "before it in that of 0.1: a schedule counts in that of one run (at learning_rate=0.1)"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "schedule",
    [
        "[{kind: warm_up, until: 500}]",
        "[{kind: cosine, until: 500}, {kind: cosine, at: 499}]",
        "[{kind: linear, at: 5, until: 11, unit: epoch}]",
        "[{kind: step_decay, every: 499, factor: 0.1}]",
        "[{kind: linear, at: 3, until: 99, unit: break_even}]",  # where that lies is not known yet
    ],
)
def test_up_to_the_end(tmp_path, schedule):
    assert len(plan_of(tmp_path, text(schedule)).studies["main"].runs) == 4


def schedules(plan):
    return {spec.schedule for spec in plan.runs.values()}


def test_what_a_run_is_told(tmp_path):
    given = (
        "[{kind: warm_up, until: 2.0, unit: epoch}, {at: 9, learning_rate: 1}, {kind: cosine, at: 1, until: 5, unit: epoch}, "
        "{kind: linear, final: 0.5}, {kind: step_decay, every: 1, factor: 0.5}]"
    )
    expected = (
        WarmUp(until=2, unit="epoch"),
        Switch(9, 1.0),
        Cosine(at=1, until=5, unit="epoch"),
        Linear(final=0.5),
        StepDecay(every=1, factor=0.5),
    )
    plan = plan_of(tmp_path, text(given, EPOCHS))
    assert schedules(plan) == {expected}
    sweep = edited(("      learning_rate: [0.03, 0.1]", f"      learning_rate: [0.1]\n      schedule: [{given}, []]"),
                   (STEPS, EPOCHS))  # fmt: skip
    [told] = [
        point["schedule"] for point in plan_of(tmp_path, sweep).studies["main"].points.values() if point["schedule"]
    ][:1]
    assert tuple(map(entry, told)) == expected  # as tables have it, it can be read again
    assert told[0] == {"kind": "warm_up", "until": 2, "unit": "epoch", "initial": 0.0}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[{kind: cosine}]", "[{kind: cosine, at: 0, until: null, final: 0, unit: epoch}]"),
        ("[{kind: cosine}]", "[{unit: break_even, kind: cosine}]"),
        ("[{kind: warm_up, until: 3}]", "[{kind: warm_up, until: 3.0, initial: 0.0, unit: step}]"),
        ("[{kind: linear, final: 0.10}]", "[{final: 1e-1, kind: linear}]"),
    ],
)
def test_written_in_another_way(tmp_path, one, other):
    assert set(plan_of(tmp_path, text(one)).runs) == set(plan_of(tmp_path, text(other)).runs)
    others = "[{kind: cosine, at: 1}]", "[{kind: linear}]", "[{kind: warm_up, until: 4}]", "[]"
    for another in others:
        assert not set(plan_of(tmp_path, text(one)).runs) & set(plan_of(tmp_path, text(another)).runs)


def test_the_run_whose_break_even_point_is_counted_in_is_planned(tmp_path):
    given = "[{kind: warm_up, until: 9}, {kind: cosine, at: 1.5, unit: break_even}, {kind: linear}]"
    plan = plan_of(tmp_path, text(given))
    assert len(plan.studies["main"].runs) == 4 and len(plan.runs) == 8
    for run in plan.studies["main"].runs:
        source = source_of(plan.runs[run])
        assert source.schedule == (WarmUp(until=9),) and run_id(source) in plan.runs


def test_sampling(tmp_path):
    plain = plan_of(tmp_path, edited())
    assert set(plan_of(tmp_path, edited((STEPS, STEPS + "      sampling: reshuffle\n"))).runs) == set(plain.runs)
    swept = edited(("      learning_rate: [0.03, 0.1]", "      sampling: [reshuffle, replacement]"))
    plan = plan_of(tmp_path, swept)
    assert [point["sampling"] for point in plan.studies["main"].points.values()].count("replacement") == 2
    assert len(plan.runs) == 4 and len({spec.sampling for spec in plan.runs.values()}) == 2
    assert mistakes(tmp_path, edited((STEPS, STEPS + "      sampling: bootstrap\n"))) == [
        "studies.main.base.sampling: 'bootstrap' is not known; allowed: replacement, reshuffle"
    ]
