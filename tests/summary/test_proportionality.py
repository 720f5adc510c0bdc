import math

import numpy as np
import pandas as pd
import pytest

from breakeven.summary.proportionality import Proportionality, proportionality


def of(k, h, until=1000):
    steps = range(0, 10 * len(k), 10)
    return proportionality(*(pd.DataFrame({"step": steps, "lambda_1": values}) for values in (k, h)), until)


def test_in_proportion():
    h = [1.0, 3.0, 10.0, 30.0]
    found = of([0.2 * each for each in h], h)
    assert (found.alpha, found.spread, found.slope) == pytest.approx((0.2, 1.0, 1.0))


def test_a_power():
    h = np.array([1.0, 3.0, 10.0, 30.0])
    found = of(h**2, h)
    assert found.slope == pytest.approx(2) and found.alpha == pytest.approx(math.exp(np.log(h).mean()))
    assert found.spread == pytest.approx(math.exp(np.log(h).std(ddof=1)))


def test_only_until_break_even_and_where_both_are_positive():
    k, h = [1.0, 2.0, math.nan, 4.0, 5.0, 1e9], [2.0, 4.0, 6.0, 8.0, 10.0, 1.0]
    assert of(k, h, until=40).alpha == pytest.approx(0.5) and of(k, h, until=40).slope == pytest.approx(1)
    assert of([*k[:4], -1.0, 5.0], [*h[:5], 10.0], until=50).slope == pytest.approx(1)


def test_too_few_steps_or_nobody_knows_which():
    assert of([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]) == Proportionality(alpha=pytest.approx(0.5))
    assert of([1.0] * 5, [2.0] * 5, until=None) == Proportionality()
    assert of([-1.0] * 5, [2.0] * 5) == Proportionality()
    assert of([1.0, 2.0, 3.0, 4.0], [2.0] * 4).slope is None  # λ_H^1 stays the same
