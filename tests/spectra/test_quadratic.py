"""The relative error of quadratic models, on losses whose derivatives are known."""

import math

import pytest
import torch

from breakeven.spectra.quadratic import quadratic_errors

A = 0.25


def errors(curvature, cubic, quartic=0.0, a=A, dtype=torch.float64, slope=0.5, loss=1.0):
    """Of losses ℓ_i + s a + h_i a²/2 + c_i a³/6 + q_i a⁴/24."""
    h, c, q = (torch.as_tensor(values, dtype=dtype).expand(9).clone() for values in (curvature, cubic, quartic))
    at = lambda x: loss + slope * x + h * x**2 / 2 + c * x**3 / 6 + q * x**4 / 24  # noqa: E731
    return quadratic_errors((at(0.0), torch.full_like(h, slope), h), (at(a), at(-a)), a)


def test_a_quadratic_loss_has_none():
    found = errors(2.0, 0.0)
    assert found.resolved and found.loss == pytest.approx(0, abs=1e-12) and found.example == pytest.approx(0, abs=1e-12)


def test_a_cubic_term_and_a_quartic_one():
    assert errors(2.0, 3.0).example == pytest.approx(A * 3.0 / (3 * 2.0))
    assert errors(2.0, 3.0).loss == pytest.approx(A * 3.0 / (3 * 2.0))
    assert errors(2.0, 0.0, 5.0).loss == pytest.approx(A**2 * 5.0 / (12 * 2.0))


def test_examples_may_be_off_where_their_mean_is_not():
    cubic = torch.tensor([6.0, -6.0] * 4 + [0.0])
    found = errors(2.0, cubic)
    assert found.loss == pytest.approx(0, abs=1e-12) and found.example == pytest.approx(A)


def test_the_median_is_of_examples_whatever_a_few_do():
    curvature = torch.tensor([2.0] * 8 + [1e-3])
    assert errors(curvature, 3.0).example == pytest.approx(A / 2)
    assert errors(curvature, 3.0).resolved
    curvature[-1] = 1e-15
    assert not errors(curvature, 3.0).resolved  # one of nine is more than a tenth


@pytest.mark.parametrize("a", [0.0, 1e-9])
def test_a_step_that_is_lost_in_rounding_says_nothing(a):
    found = errors(2.0, 3.0, a=a)
    assert math.isnan(found.loss) and math.isnan(found.example) and not found.resolved


def test_float32_resolves_less_than_float64():
    assert not errors(2.0, 3.0, a=1e-3, dtype=torch.float32).resolved
    assert errors(2.0, 3.0, a=1e-3).resolved


def test_half_of_the_examples_must_be_resolved():
    few = torch.tensor([2.0] * 4 + [1e-15] * 5)
    most = torch.tensor([2.0] * 5 + [1e-15] * 4)
    assert math.isnan(errors(few, 0.0).example) and errors(most, 0.0).example == pytest.approx(0, abs=1e-9)


def test_a_kink_counts():
    """|x − A/2| is 0 in all derivatives at 0 but the first, and no line."""
    h = torch.full((9,), 2.0, dtype=torch.float64)
    kinked = lambda x: 1 + h * x**2 / 2 + 4 * max(0.0, x - A / 2)  # noqa: E731
    found = quadratic_errors((kinked(0.0), 0 * h, h), (kinked(A), kinked(-A)), A)
    assert found.example == pytest.approx(
        (4 * A / 2) / A**2 / 2, rel=1e-9
    )  # the median of both sides, one of which has none
