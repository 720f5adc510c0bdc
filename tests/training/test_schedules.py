import numpy as np
import pytest

from breakeven.specs.run import Switch
from breakeven.store import training_record
from breakeven.training.registry import build_schedule
from tests.tiny import tiny_spec


def rates_at(schedule, steps, break_even_step=None):
    built = build_schedule(tiny_spec(learning_rate=0.1, schedule=schedule), 40, break_even_step)
    return [built.rate(step) for step in steps]


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
    built = build_schedule(tiny_spec(schedule=switched), 40, point)
    rates = (0.05, 0.01, 0.2)
    assert built.switches == tuple(training_record.SwitchAtStep(*pair) for pair in zip(steps, rates, strict=True))


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
