import math
import warnings

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from breakeven.specs.multipliers import Cosine, Linear, StepDecay, WarmUp
from breakeven.specs.run import Switch
from breakeven.store import training_record
from breakeven.training.schedules import schedule as module
from tests.tiny import tiny_spec


def built(schedule, break_even_step=None, **changes):
    """Of a run at η = 0.1 with 40 steps per epoch."""
    return module.build(tiny_spec(**{"learning_rate": 0.1, "schedule": schedule} | changes), 40, break_even_step)


def rates_at(schedule, at, break_even_step=None, **changes):
    rate = built(schedule, break_even_step, **changes).rate
    return [rate(step) for step in at]


def test_learning_rate():
    assert rates_at((), (0, 199)) == [0.1, 0.1]
    switched = (Switch(10, 0.01), Switch(2, 0.001, "epoch"))
    assert rates_at(switched, (0, 9, 10, 79, 80, 200)) == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]


def test_a_switch_at_the_break_even_point():
    switched = (Switch(10, 0.05), Switch(1.5, 0.01, "break_even"))
    assert rates_at(switched, (0, 10, 59, 60, 200), break_even_step=40) == [0.1, 0.05, 0.05, 0.01, 0.01]
    assert rates_at(switched, (0, 10, 200), break_even_step=None) == [0.1, 0.05, 0.05]  # it never comes


@pytest.mark.parametrize(("point", "steps"), [(40, (10, 60, 20)), (None, (10, None, 20)), (0, (10, 0, 20))])
def test_where_it_switches(point, steps):
    """In the order in which the switches are declared."""
    switched = (Switch(10, 0.05), Switch(1.5, 0.01, "break_even"), Switch(20, 0.2))
    rates = (0.05, 0.01, 0.2)
    expected = [training_record.SwitchAtStep(*pair) for pair in zip(steps, rates, strict=True)]
    assert list(built(switched, point).switches) == expected


def test_the_last_one_that_is_declared_holds():
    """Also where a break-even point comes later than the step of a switch that is declared after it."""
    draws = np.random.default_rng(0)
    for _ in range(200):
        pairs = [(int(draws.integers(12)), float(draws.random())) for _ in range(draws.integers(6))]
        switched = tuple(
            Switch(step, rate) if draws.random() < 0.5 else Switch(step / 8, rate, "break_even") for step, rate in pairs
        )
        expected = [[rate for at, rate in [(0, 0.1), *pairs] if at <= step][-1] for step in range(14)]
        assert rates_at(switched, range(14), break_even_step=8) == expected


T = 200  # steps of a run of five epochs


def torchs(make, steps):
    """The learning rates of one of PyTorch's schedulers, which begins at η = 0.1."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the optimizer takes no steps
            scheduler.step()
    return rates


OF_TORCH = {
    "warm-up": ((WarmUp(until=30),), lambda o: lr_scheduler.LinearLR(o, 1 / 30, total_iters=29)),
    "warm-up from 0.2": (
        (WarmUp(until=2, unit="epoch", initial=0.2),),
        lambda o: lr_scheduler.LinearLR(o, 0.2 + 0.8 / 80, total_iters=79),
    ),
    "cosine": ((Cosine(),), lambda o: lr_scheduler.CosineAnnealingLR(o, T)),
    "cosine to 0.1": (
        (Cosine(until=5, unit="epoch", final=0.1),),
        lambda o: lr_scheduler.CosineAnnealingLR(o, T, 0.01),
    ),
    "linear": ((Linear(final=0.25),), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.25, T)),
    "linear to 0": ((Linear(until=120),), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, 120)),
    "step decay": ((StepDecay(every=30, factor=0.5),), lambda o: lr_scheduler.StepLR(o, 30, 0.5)),
    "step decay in epochs": (
        (StepDecay(every=2, factor=0.1, unit="epoch"),),
        lambda o: lr_scheduler.StepLR(o, 80, 0.1),
    ),
    "warm-up and step decay": (
        (WarmUp(until=50), StepDecay(every=30, factor=0.5)),
        lambda o: lr_scheduler.ChainedScheduler(
            [lr_scheduler.LinearLR(o, 1 / 50, total_iters=49), lr_scheduler.StepLR(o, 30, 0.5)]
        ),
    ),
    "warm-up, then cosine": (
        (WarmUp(until=50), Cosine(at=50)),
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.LinearLR(o, 1 / 50, total_iters=49), lr_scheduler.CosineAnnealingLR(o, T - 50)], [50]
        ),
    ),
}


@pytest.mark.parametrize("name", OF_TORCH)
def test_the_rates_of_pytorchs_schedulers(name):
    """At each step, up to the one from the last snapshot."""
    schedule, make = OF_TORCH[name]
    found, expected = rates_at(schedule, range(T + 1), steps=T), torchs(make, T + 1)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-15)
    assert min(expected) < 0.5 * max(expected)  # it does change


def test_by_hand():
    assert rates_at((WarmUp(until=4),), range(6)) == [0.025, 0.05, pytest.approx(0.075), 0.1, 0.1, 0.1]
    assert rates_at((WarmUp(until=1),), range(3)) == [0.1] * 3
    assert rates_at((WarmUp(until=2, initial=0.5),), range(3)) == pytest.approx([0.075, 0.1, 0.1])
    assert rates_at((Linear(at=2, until=4, final=0.5),), range(7)) == pytest.approx([0.1] * 3 + [0.075] + [0.05] * 3)
    assert rates_at((StepDecay(every=2, factor=0.5),), range(5)) == [0.1, 0.1, 0.05, 0.05, 0.025]
    third = 0.1 * (1 + math.cos(math.pi / 3)) / 2
    assert rates_at((Cosine(at=1, until=4),), range(7)) == pytest.approx([0.1, 0.1, third, 0.025, 0, 0, 0])


def test_a_decay_ends_with_the_run():
    """In its last step, that from its last snapshot, the learning rate is the final one."""
    for kind in (Cosine, Linear):
        assert rates_at((kind(),), (0, 12), steps=12) == rates_at((kind(),), (0, 80), steps=None, epochs=2) == [0.1, 0]
        assert rates_at((kind(final=0.5),), (12, 13), steps=12) == [0.05, 0.05]
        assert rates_at((kind(),), (6,), steps=12) != rates_at((kind(),), (6,), steps=13)


def test_a_decay_that_would_begin_after_the_run_changes_no_step():
    for kind in (Cosine, Linear):
        assert rates_at((kind(at=5.0, unit="break_even"),), range(13), 9, steps=12) == [0.1] * 13
        assert rates_at((kind(at=12),), range(13), steps=12) == [0.1] * 12 + [0.0]


def test_they_multiply():
    """In any order, and with the switches, which say what is multiplied."""
    kinds = [WarmUp(until=9), Cosine(at=3), Linear(until=10, final=0.5), StepDecay(every=4, factor=0.5)]
    alone = [rates_at((kind,), range(13)) for kind in kinds]
    switches = (Switch(2, 0.3), Switch(8, 0.01))
    expected = np.prod(alone, axis=0) / 0.1 ** len(kinds) * rates_at(switches, range(13))
    for order in ((*kinds, *switches), (switches[0], *reversed(kinds), switches[1])):
        np.testing.assert_allclose(rates_at(order, range(13)), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("point", [8, 9, 40])
@pytest.mark.parametrize("make", [lambda c, u: WarmUp(until=c, unit=u), lambda c, u: Cosine(at=c, unit=u, final=0.3),
                                  lambda c, u: Linear(at=c / 2, until=c, unit=u),
                                  lambda c, u: StepDecay(every=c, factor=0.5, unit=u)])  # fmt: skip
def test_in_units_of_the_break_even_point(make, point):
    entry, steps = make(1.5, "break_even"), range(100)
    counted = make(round(1.5 * point), "step") if not isinstance(entry, Linear) else Linear(
        at=round(0.75 * point), until=round(1.5 * point)
    )  # fmt: skip
    assert rates_at((entry,), steps, point, steps=100) == rates_at((counted,), steps, steps=100)


def test_a_break_even_point_that_never_comes_or_is_at_the_start():
    multipliers = (
        WarmUp(until=1.0, unit="break_even"),
        Cosine(at=1.0, unit="break_even"),
        StepDecay(every=2.0, factor=0.5, unit="break_even"),
    )
    assert rates_at((*multipliers, Switch(1, 0.2)), range(3)) == [0.1, 0.2, 0.2]
    assert built((*multipliers, Switch(1, 0.2))).never == ("warm_up", "cosine", "step_decay")
    found = built(multipliers, 0, steps=4)
    assert found.never == ()
    expected = [0.1 * 0.5**t * (1 + math.cos(math.pi * t / 4)) / 2 for t in range(5)]
    assert [found.rate(step) for step in range(5)] == pytest.approx(expected)
    assert rates_at((Linear(at=0.1, until=0.4, unit="break_even", final=0.5),), range(3), 1) == [0.05] * 3


def test_constant_rates_are_the_very_numbers():
    """Not off by a rounding: the runs of before have the same bytes."""
    assert rates_at((Switch(3, 0.3),), (0, 3)) == [0.1, 0.3]
    assert str(built((Switch(3, 0.3),))) == str((training_record.SwitchAtStep(3, 0.3),))  # it is in checkpoints' keys


def test_what_it_says_of_itself_tells_rates_apart():
    """A training is known by it: with another break-even point the same specification is another training."""
    for entry in (
        WarmUp(until=1.5, unit="break_even"),
        Cosine(at=0.5, unit="break_even"),
        Switch(1.5, 0.3, "break_even"),
    ):
        assert len({str(built((entry,), point)) for point in (None, 3, 8)}) == 3
