"""The table of `breakeven.spectra.curvature_check`, row by row, on curvatures that are made up."""

import math

import pytest
import torch

from breakeven.spectra import curvature_check
from breakeven.spectra.curvature import forward_mode, reverse_mode
from breakeven.spectra.curvature_check import MeasuredNetwork, Verdict, checked_curvatures
from breakeven.store.errors import MeasurementError

SINGLE, DOUBLE = torch.float32, torch.float64


@pytest.fixture
def say(monkeypatch):
    """``say(curvatures, means, noise)``: what each precision finds, by precision."""

    def pretend(curvatures, means, noise=0.0):
        found = {dtype: torch.tensor(values, dtype=torch.float64) for dtype, values in curvatures.items()}
        monkeypatch.setattr(MeasuredNetwork, "curvatures", lambda problem, direction: found[problem.dtype])
        monkeypatch.setattr(MeasuredNetwork, "mean_curvature", lambda problem, direction: means[problem.dtype])
        monkeypatch.setattr(MeasuredNetwork, "noise", lambda problem, direction: noise)

    return pretend


def check(lambda_1, dtype=SINGLE):
    model = torch.nn.Linear(2, 2, dtype=dtype)
    problem = MeasuredNetwork(
        model, [(torch.zeros(2, 2, dtype=dtype), torch.zeros(2, dtype=torch.int64))], reverse_mode
    )
    return checked_curvatures(problem, torch.ones(6), lambda_1)


def test_they_agree(say):
    say({SINGLE: [1.0, 3.0]}, {})
    curvatures, verdict = check(2.0001)
    assert (curvatures.tolist(), verdict) == ([1.0, 3.0], Verdict.AGREE)


def test_they_agree_in_float64_and_float32_is_coarse(say):
    say({SINGLE: [1.0, 3.1], DOUBLE: [1.0, 3.02]}, {DOUBLE: 2.01})
    curvatures, verdict = check(2.0)
    assert (curvatures.tolist(), verdict) == ([1.0, 3.02], Verdict.COARSE)


def test_no_rounding_is_told_of_where_lambda_1_is_the_same_number(say):
    say({SINGLE: [0.0, 1e-3], DOUBLE: [0.0, 0.0]}, {DOUBLE: 0.0})
    curvatures, verdict = check(0.0)
    assert (curvatures.tolist(), verdict) == ([0.0, 0.0], Verdict.AGREE)


def test_float32_is_too_coarse(say):
    say({SINGLE: [1.0, 3.1], DOUBLE: [1.0, 5.0]}, {SINGLE: 2.0, DOUBLE: 3.0})
    curvatures, verdict = check(2.0)
    assert verdict is Verdict.TOO_COARSE and curvatures.isnan().all()


def test_the_eigenvector_is_of_another_network(say):
    say({SINGLE: [1.0, 3.1], DOUBLE: [1.0, 5.0]}, {SINGLE: 3.0, DOUBLE: 3.0})
    with pytest.raises(MeasurementError, match="e·He is 2, and they must be equal"):
        check(2.0)


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_a_derivative_is_wrong(say, dtype):
    say({SINGLE: [1.0, 3.1], DOUBLE: [1.0, 3.1]}, {DOUBLE: 2.0})
    with pytest.raises(
        MeasurementError, match=r"the mean curvature of the examples along e_H\^1 is 2\.05, but e·He is 2,"
    ):
        check(2.0, dtype)


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("curvatures", [[1.0, math.inf], [1e200, 1e200]])
def test_a_loss_explodes(say, dtype, curvatures):
    say({SINGLE: curvatures, DOUBLE: curvatures}, {DOUBLE: 2.0})
    found, verdict = check(2.0, dtype)
    assert verdict is Verdict.NOT_FINITE and found.isnan().all()


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_only_rounding_is_left(say, dtype):
    say({SINGLE: [1e-20, -3e-20], DOUBLE: [1e-20, -3e-20]}, {DOUBLE: 1e-20}, noise=1e-19)
    found, verdict = check(1e-20, dtype)
    assert verdict is Verdict.ONLY_ROUNDING and found.isnan().all()


def test_the_limits_are_those_of_the_precision():
    assert curvature_check.MISMATCH[DOUBLE] < 1e-6 < curvature_check.MISMATCH[SINGLE]


def test_what_forward_mode_gets_wrong_is_had_by_reverse_mode(monkeypatch):
    """Of weights at which it was not tried; nothing is blamed on the network, or on float32."""
    found = {forward_mode: [1.0, 3.5], reverse_mode: [1.0, 3.0]}
    monkeypatch.setattr(MeasuredNetwork, "curvatures", lambda network, _: torch.tensor(found[network.way]))
    network = MeasuredNetwork(torch.nn.Linear(2, 2), [], forward_mode)
    curvatures, verdict = checked_curvatures(network, torch.ones(6), 2.0)
    assert (curvatures.tolist(), verdict) == ([1.0, 3.0], Verdict.AGREE)
